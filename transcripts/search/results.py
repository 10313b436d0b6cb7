"""What a search answers."""

from dataclasses import dataclass, field


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
class Facets:
    """How many of the chats that were found have which topic, agent and month of opening (`2025-03`), the most first;
    months the newest first. A value is what the filter of that name takes.

    Attributes:
        chats: of how many chats: all that were found, or the best 1,000 of them.
        more: whether there are more than these.
    """

    chats: int
    more: bool
    topics: tuple[tuple[str, int], ...]
    agents: tuple[tuple[str, int], ...]
    months: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Results:
    """A page of results, best first.

    Attributes:
        next: the cursor of the next page (None: that was all).
        did_you_mean: the query with words that were said instead of words that were not; their chats are among the
            results. None if all of its words are known.
        facets: on the first page, if they were asked for.
    """

    results: tuple[Result, ...]
    next: str | None
    did_you_mean: str | None = None
    facets: Facets | None = field(default=None)
