"""What the checker has found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How the guarantee can be broken."""

    LOST = "lost"  # acknowledged, and not in the transcript
    DUPLICATED = "duplicated"  # once said, twice there
    REORDERED = "reordered"  # another order than the transcript's, or than the sender's
    RENUMBERED = "renumbered"  # under another number or id than was reported
    PHANTOM = "phantom"  # nobody said it, or the server said that it had not happened
    WRONG_COUNTER = "wrong_counter"  # seq, prev, last_seq
    TWO_OWNERS = "two_owners"  # an agent did in a chat what only its owner may
    TWO_TICKETS = "two_tickets"  # one chat_key, two tickets
    GAP = "gap"  # a reader accepted an entry without the one before
    INCOMPLETE = "incomplete"  # a reader who stayed does not have all
    UNDECIDED = "undecided"  # a sender who stayed never learnt what became of a command
    LEAKED = "leaked"  # a customer saw a note
    TOO_OLD = "too_old"  # lost as (c) allows, but older than it allows


@dataclass(frozen=True)
class Violation:
    """One breach, with what is needed to look at it."""

    kind: Kind
    ticket: int
    what: str


@dataclass
class Verdict:
    """All breaches; and how often what (c) allows has happened."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    oldest_loss: float = 0.0  # seconds before the loss of Redis that the oldest lost entry had been acknowledged

    @property
    def ok(self) -> bool:
        """Whether the guarantee held."""
        return not self.violations

    def add(self, kind: Kind, ticket: int, what: str) -> None:
        """Notes a breach."""
        self.violations.append(Violation(kind, ticket, what))

    def kinds(self) -> set[Kind]:
        """Which kinds of breach there were."""
        return {violation.kind for violation in self.violations}

    def by_kind(self) -> Counter[str]:
        """How many of each."""
        return Counter(str(violation.kind) for violation in self.violations)
