"""What batches of entries mean for the tables, before anything is written."""

import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, case, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert, Update

from transcripts import schema
from transcripts.bulk import execute_many, insert_many
from transcripts.canonical import canonical_body, commitment
from transcripts.entry import ChatBatch, Entry, Opening
from transcripts.errors import CanonicalError
from transcripts.rows import entry_values
from transcripts.upsert import upsert

SALT_BYTES = 16
_COUNTERS = ["last_seq", "last_public_seq", "last_at"]
_PROJECTED = [
    "state",
    "owner",
    "owner_participant",
    "owner_name",
    "gen",
    "accepted_at",
    "closed_at",
    "close_reason",
    "rating",
    *_COUNTERS,
]
LOADED = ["ticket", "mode", "epoch", *_PROJECTED]
"""What of a chat's row has to be known."""


class Plan:
    """What the batches mean for the tables, worked out in memory: checks first, then a handful of statements for
    all.
    """

    def __init__(self, chats: dict[int, dict[str, Any]], *, each_once: bool) -> None:
        self.chats = chats
        self._each_once = each_once  # no chat has two batches: what the first one brings is no matter for another
        self.entry_ids: dict[tuple[int, int], str] = {}
        self.persons: dict[tuple[int, str], str | None] = {}
        self.durable: dict[int, int] = {}
        self.stale: list[int] = []
        self.conflicts: dict[int, str] = {}
        self._new: set[int] = set()
        self._grown: set[int] = set()  # more was said
        self._changed: set[int] = set()  # more than that
        self._entries: list[tuple[Any, ...]] = []
        self._participants: list[dict[str, Any]] = []
        self._reads: list[dict[str, Any]] = []

    def replayed(self, batches: Sequence[ChatBatch]) -> list[tuple[int, int]]:
        """The (ticket, seq) in the batches that the database has already: they must be the same entries."""
        known = self.chats
        return [
            (batch.ticket, entry.seq)
            for batch in batches
            if batch.ticket in known
            for entry in batch.entries
            if entry.seq <= known[batch.ticket]["last_seq"]
        ]

    def add(self, batch: ChatBatch) -> None:
        """Takes the batch in as a whole, or notes why not."""
        chat = self.chats.get(batch.ticket)
        if chat is not None and chat["epoch"] != batch.epoch:
            self.stale.append(batch.ticket)
            return
        fresh, problem = self._check(batch, chat)
        rows: list[tuple[Any, ...]] = []
        if problem is None:
            try:
                rows = _entry_rows(fresh)
            except CanonicalError as exc:
                problem = str(exc)
        if problem is not None:
            self.conflicts[batch.ticket] = problem
            return
        if chat is None:
            assert batch.opening is not None
            chat = self.chats[batch.ticket] = _new_chat(batch, batch.opening, fresh[0].at)
            self._new.add(batch.ticket)
        self._entries.extend(rows)
        self._add_people(batch)
        if not self._each_once:
            self.entry_ids.update({(entry.ticket, entry.seq): entry.entry_id for entry in fresh})
        if fresh:
            self._grow(chat, fresh)
        self.durable[batch.ticket] = chat["last_seq"]

    def _check(self, batch: ChatBatch, chat: dict[str, Any] | None) -> tuple[Sequence[Entry], str | None]:
        """The entries that are new, and why the batch cannot be written (or None)."""
        if chat is None and (batch.opening is None or not batch.entries):
            return [], "the chat is not in the database and the batch does not open it"
        last = chat["last_seq"] if chat else 0
        whole = range(last + 1, last + 1 + len(batch.entries))
        if [(entry.ticket, entry.seq) for entry in batch.entries] == [(batch.ticket, seq) for seq in whole]:
            return batch.entries, None  # nearly always
        fresh: list[Entry] = []
        for entry in batch.entries:
            if entry.ticket != batch.ticket:
                return [], f"an entry of #{entry.ticket} is in the batch of #{batch.ticket}"
            if entry.seq <= last:
                if self.entry_ids.get((batch.ticket, entry.seq)) != entry.entry_id:
                    return [], f"entry {entry.seq} is there with another entry_id"
                continue
            if entry.seq != last + len(fresh) + 1:
                return [], f"entry {last + len(fresh) + 1} is missing before {entry.seq}"
            fresh.append(entry)
        return fresh, None

    def _add_people(self, batch: ChatBatch) -> None:
        for one in batch.participants:
            self.persons[batch.ticket, one.participant_id] = one.person_id
            self._participants.append(
                {
                    "ticket": batch.ticket,
                    "participant_id": one.participant_id,
                    "role": one.role,
                    "person_id": one.person_id,
                    "name": one.name,
                    "rights": one.rights,
                    "joined_at": one.joined_at,
                    "left_at": one.left_at,
                    "read_seq": 0,
                }
            )
        for participant_id, seq in batch.reads.items():
            self._reads.append({"of_ticket": batch.ticket, "of_participant": participant_id, "seen": seq})

    def _grow(self, chat: dict[str, Any], fresh: Sequence[Entry]) -> None:
        """The effect of new entries on the chat's row."""
        newest, ticket = fresh[-1], chat["ticket"]
        chat["last_seq"], chat["last_at"] = newest.seq, newest.at
        if public := [entry.seq for entry in fresh if entry.audience == "all"]:
            chat["last_public_seq"] = public[-1]
        events = [entry for entry in fresh if entry.kind != "message"]
        for entry in events:
            self._project(chat, entry)
        (self._changed if events else self._grown).add(ticket)

    def _project(self, chat: dict[str, Any], entry: Entry) -> None:
        """What an entry says of the chat as a whole. Kinds that are not here change nothing but the counters."""
        data = entry.data or {}
        ended = chat["state"] in ("closing", "closed")  # for good: whatever follows is only noted
        match entry.kind:
            case "opened":
                chat["state"] = "waiting" if chat["mode"] == "mail" else "queued"
            case "assigned":
                owner = data.get("owner")
                chat["state"] = chat["state"] if ended else "active"
                chat["owner_participant"] = owner
                chat["owner"] = self.persons.get((entry.ticket, str(owner)))
                chat["owner_name"] = data.get("name")
                chat["gen"] = data.get("gen", chat["gen"] + 1)
                chat["accepted_at"] = chat["accepted_at"] or entry.at
            case "released":
                chat["state"] = chat["state"] if ended else "queued"
                chat["owner"] = chat["owner_participant"] = chat["owner_name"] = None
                chat["gen"] = data.get("gen", chat["gen"] + 1)
            case "closed" if not ended:
                chat["state"] = "closing"
                chat["closed_at"] = entry.at
                chat["close_reason"] = data.get("reason")
            case "rated":
                chat["rating"] = data.get("rating")

    async def execute(self, connection: AsyncConnection) -> None:
        """Writes what was taken in."""
        changed, grown = self._changed - self._new, self._grown - self._changed - self._new
        if self._new:
            await execute_many(connection, _INSERT_CHAT, [self.chats[ticket] for ticket in sorted(self._new)])
        if changed:
            await execute_many(connection, _UPDATE_CHAT, [_projected(self.chats[ticket]) for ticket in changed])
        if grown:
            await execute_many(connection, _UPDATE_COUNTERS, [_counters(self.chats[ticket]) for ticket in grown])
        if self._entries:
            await insert_many(connection, _INSERT_ENTRY, self._entries)
        if self._participants:
            await execute_many(connection, _upsert_participant(connection), self._participants)
        if self._reads:
            await execute_many(connection, _UPDATE_READ, self._reads)


_INSERT_CHAT = insert(schema.chats)
_INSERT_ENTRY = insert(schema.entries)


def _update_of(columns: list[str]) -> Update:
    chats = schema.chats
    return (
        update(chats)
        .where(chats.c.ticket == bindparam("of_ticket"))
        .values({name: bindparam(name) for name in columns})
    )


_UPDATE_CHAT = _update_of(_PROJECTED)
_UPDATE_COUNTERS = _update_of(_COUNTERS)  # touches no index but that of what is to be indexed


def _projected(chat: dict[str, Any]) -> dict[str, Any]:
    return {"of_ticket": chat["ticket"], **{name: chat[name] for name in _PROJECTED}}


def _counters(chat: dict[str, Any]) -> dict[str, Any]:
    return {"of_ticket": chat["ticket"], **{name: chat[name] for name in _COUNTERS}}


_UPDATE_READ = (
    update(schema.participants)
    .where(
        schema.participants.c.ticket == bindparam("of_ticket"),
        schema.participants.c.participant_id == bindparam("of_participant"),
    )
    .values(  # a marker never goes back
        read_seq=case(
            (schema.participants.c.read_seq > bindparam("seen"), schema.participants.c.read_seq),
            else_=bindparam("seen"),
        )
    )
)


def _upsert_participant(connection: AsyncConnection) -> Insert:
    table = schema.participants
    kept = ("ticket", "participant_id", "read_seq")
    return upsert(connection, table, key=("ticket", "participant_id"), kept=kept)


def _new_chat(batch: ChatBatch, opening: Opening, at: int) -> dict[str, Any]:
    return {
        "ticket": batch.ticket,
        "mode": opening.mode,
        "state": "waiting" if opening.mode == "mail" else "queued",
        "site": opening.site,
        "department": opening.department,
        "topic": opening.topic,
        "order": opening.order,
        "product": opening.product,
        "customer_id": opening.customer_id,
        "customer_name": opening.customer_name,
        "customer_email": opening.customer_email,
        "verified": opening.verified,
        "owner": None,
        "owner_participant": None,
        "owner_name": None,
        "gen": 0,
        "opened_at": at,
        "accepted_at": None,
        "closed_at": None,
        "close_reason": None,
        "rating": None,
        "locale": opening.locale,
        "page_url": opening.page_url,
        "regarding": " ".join(map(str, opening.regarding)),
        "external_id": opening.external_id,
        "chat_key": opening.chat_key,
        "access_gen": opening.access_gen,
        "epoch": batch.epoch,
        "last_seq": 0,
        "last_public_seq": 0,
        "last_at": at,
        "sealed_seq": 0,
        "indexed_seq": 0,
    }


def _entry_rows(fresh: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """The rows of new entries, each with a fresh salt and its commitment. The salt is made here and kept nowhere
    else.
    """
    random = os.urandom(SALT_BYTES * len(fresh))
    rows = []
    for place, entry in enumerate(fresh):
        salt = random[place * SALT_BYTES : (place + 1) * SALT_BYTES]
        body = canonical_body(entry.text, entry.name, (), entry.data)
        rows.append(entry_values(entry, salt, commitment(salt, body)))
    return rows
