"""What of a person each table holds, and what becomes of it when they are erased.

Every column of the database stands either in a rule or in `KEPT`. A test compares them with the database itself, so
that a table or a column that is added later is red until somebody has decided what it holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, Table, select

from transcripts import schema

NOW = object()
"""Stands in a rule for the time of the erasure, ms UTC."""


@dataclass(frozen=True)
class Subject:
    """Whom or what an erasure is about. `entries` are numbers of the one chat in `tickets`; none: all of every chat.
    `called` is how the customers were called, for who asks again after it was interrupted.
    """

    tickets: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()
    customers: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    called: str = ""


@dataclass(frozen=True)
class Rule:
    """What becomes of a table's rows.

    Attributes:
        table: the table.
        column: the one that says whose a row is.
        of: what stands in that column.
        wiped: what the columns hold afterwards; None: the row is deleted.
        only: a further condition.
        repeats: the kind of the entry of a chat that says the same: it takes these columns along when it goes alone.
    """

    table: Table
    column: str
    of: Literal["ticket", "customer", "email"]
    wiped: Mapping[str, Any] | None = None
    only: ColumnElement[bool] | None = None
    repeats: str | None = None

    def where(self, subject: Subject) -> ColumnElement[bool] | None:
        """The subject's rows; None: it has none here."""
        if subject.entries and "seq" not in self.table.c and self.repeats is None:
            return None  # of a chat whose other entries stay, only what belongs to these
        named = {"ticket": subject.tickets, "customer": subject.customers, "email": subject.emails}[self.of]
        if not named:
            return None
        condition: ColumnElement[bool] = self.table.c[self.column].in_(named)
        if subject.entries and self.repeats:
            condition &= self.table.c[self.column].in_(_chats_that_lose(self.repeats, subject))
        elif subject.entries:
            condition &= self.table.c.seq.in_(subject.entries)
        return condition if self.only is None else condition & self.only

    def values(self, now: int) -> dict[str, Any]:
        """What is written over the wiped columns."""
        return {name: now if value is NOW else value for name, value in (self.wiped or {}).items()}


def _chats_that_lose(kind: str, subject: Subject) -> Select[tuple[int]]:
    entries = schema.entries.c
    return select(entries.ticket).where(
        entries.ticket.in_(subject.tickets), entries.seq.in_(subject.entries), entries.kind == kind
    )


# What names what is gone (the proof needs it, docs/seal.md), and who of the staff had the chat.
NOT_SAID = ("redacted", "assigned", "released")

ENTRIES = Rule(
    schema.entries,
    "ticket",
    "ticket",
    {"author_name": None, "text": None, "data": None, "salt": None, "erased_at": NOW},
    only=schema.entries.c.erased_at.is_(None) & schema.entries.c.kind.not_in(NOT_SAID),
)

RECORD: tuple[Rule, ...] = (
    ENTRIES,
    Rule(
        schema.chats,
        "ticket",
        "ticket",
        dict.fromkeys(
            ("customer_name", "customer_email", "topic", "order", "product", "locale", "page_url"),
        ),
        repeats="opened",
    ),
    Rule(schema.chats, "ticket", "ticket", {"rating": None}, repeats="rated"),
    Rule(schema.participants, "ticket", "ticket", {"name": None}, only=schema.participants.c.role == "customer"),
    Rule(
        schema.attachments,
        "ticket",
        "ticket",
        {"name": "", "sha256": b"", "media_type": "", "size": 0, "erased_at": NOW},
        only=schema.attachments.c.erased_at.is_(None),
    ),
)
"""The record's rules."""

KEPT: Mapping[str, str] = {
    # Times, states and pseudonyms. `external_id` keeps an import from bringing the chat back; `chat_key` is random.
    "chats": "ticket mode state site department customer_id verified owner owner_participant owner_name gen opened_at "
    "accepted_at closed_at close_reason regarding external_id chat_key access_gen epoch last_seq "
    "last_public_seq last_at sealed_seq indexed_seq",
    # What the leaf of the seal is made of, and the names by which a retry is recognised.
    "entries": "ticket seq prev entry_id at kind audience role participant_id device n keep masked commitment",
    "participants": "ticket participant_id role person_id rights joined_at left_at read_seq",
    "attachments": "id ticket seq created_at",
    "seals": "number ticket from_seq to_seq public_root full_root prev_seal sealed_at key_id signature digest",
    "seal_chain": "id number digest",
    # Why something must stay, and how long what stays: the operator's words, none of the customer's.
    "holds": "id ticket customer_id reason placed_by placed_at lifted_by lifted_at",
    "retention": "department topic days",
    "interrupted_erasures": "ticket begun_at",
    "interrupted_people": "customer_id called begun_at",
    # Ids of staff, never a customer's (they are all "customer"); the log of who looked is somebody's right, too.
    "accesses": "id ticket at who how",
}
"""Columns that hold nothing a person said or is called, by table."""


def samples_of(value: object) -> Iterator[bytes]:
    """What to look for in raw files, to see whether a value is still there: its beginning, which no page splits."""
    raw = value.encode() if isinstance(value, str) else value
    if isinstance(raw, bytes) and len(raw) >= SHORTEST_SAMPLE:
        yield raw[:LONGEST_SAMPLE]


SHORTEST_SAMPLE, LONGEST_SAMPLE = 8, 48
"""Bytes. What is shorter is in files by chance; the salt of its entry, 16 bytes of its own, is looked for."""
