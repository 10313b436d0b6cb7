"""What a search answers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One chat that was found.

    Attributes:
        score: higher is better; only good for comparing within one answer. 0 where nothing was asked for in the text.
        entry_seq: the entry that matches best, None if the match is elsewhere (a name, the topic, a number).
        snippet: pieces of that entry's text, in order: (text, whether it matches).
    """

    ticket: int
    external_id: str | None
    score: float
    state: str
    opened_at: int
    closed_at: int | None
    topic: str | None
    order: str | None
    department: str | None
    customer_name: str | None
    agent_name: str | None
    rating: int | None
    entry_seq: int | None
    snippet: list[tuple[str, bool]]


@dataclass(frozen=True)
class Results:
    """A page of results, best first, and the cursor of the next page (None: that was all)."""

    results: tuple[Result, ...]
    next: str | None
