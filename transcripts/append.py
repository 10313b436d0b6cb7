"""Writing batches of entries: the one transaction through which everything enters the record.

Invariant: the entries of a chat in SQL are 1..last_seq without a hole, and a number once given keeps its entry. A
batch that would break this is refused as a whole and reported; the other batches of the call are written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.append_plan import LOADED, Plan
from transcripts.database import is_postgresql, refused, write
from transcripts.entry import ChatBatch

_T = TypeVar("_T")

_CHUNK = 5_000  # keeps a statement below SQLite's and asyncpg's 32,000 parameters


@dataclass(frozen=True)
class Appended:
    """What became of a call of `append`.

    Attributes:
        durable: {ticket: last_seq} of every chat whose batches are committed.
        stale: tickets whose row has another epoch: somebody else writes this chat now. Nothing of theirs was written.
        conflicts: {ticket: why}: a number that is taken by another entry, a hole, or a chat that is unknown and came
            without its opening. Nothing of that batch was written.
    """

    durable: dict[int, int]
    stale: tuple[int, ...] = ()
    conflicts: dict[int, str] = field(default_factory=dict)


async def append(engine: AsyncEngine, batches: Sequence[ChatBatch]) -> Appended:
    """Writes all batches in one transaction. See `Store.append`."""
    if not batches:
        return Appended({})
    try:
        async with write(engine) as connection:
            return await append_in(connection, batches)
    except DBAPIError as exc:
        if not refused(exc):
            raise
        # One batch breaks a rule that only the database can see (the same command twice, a chat_key that is taken).
        # Rare, so the rest is written one by one to find out which.
        async with write(engine) as connection:
            return await _append_singly(connection, batches)


async def _append_singly(connection: AsyncConnection, batches: Sequence[ChatBatch]) -> Appended:
    durable: dict[int, int] = {}
    stale: list[int] = []
    conflicts: dict[int, str] = {}
    for batch in batches:
        try:
            async with connection.begin_nested():
                one = await append_in(connection, [batch])
        except DBAPIError as exc:
            if not refused(exc):
                raise
            conflicts[batch.ticket] = f"refused by the database: {exc.orig}"
            continue
        durable.update(one.durable)
        stale.extend(one.stale)
        conflicts.update(one.conflicts)
    return _appended(durable, stale, conflicts)


async def append_in(connection: AsyncConnection, batches: Sequence[ChatBatch]) -> Appended:
    """`append` as a part of the caller's transaction; a batch that the database refuses ends that."""
    tickets = {batch.ticket for batch in batches}
    plan = Plan(await _load_chats(connection, tickets), each_once=len(tickets) == len(batches))
    plan.entry_ids = await _load_entry_ids(connection, plan.replayed(batches))
    plan.persons = await _load_persons(connection, batches)
    for batch in batches:
        plan.add(batch)
    await plan.execute(connection)
    return _appended(plan.durable, plan.stale, plan.conflicts)


def _appended(durable: dict[int, int], stale: Iterable[int], conflicts: dict[int, str]) -> Appended:
    return Appended(durable, tuple(dict.fromkeys(stale)), conflicts)


async def _load_chats(connection: AsyncConnection, tickets: set[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    question = select(*(schema.chats.c[name] for name in LOADED)).order_by(schema.chats.c.ticket)
    if is_postgresql(connection):
        question = question.with_for_update()  # SQLite: the whole database is ours already
    for part in _chunks(sorted(tickets)):
        rows = await connection.execute(question.where(schema.chats.c.ticket.in_(part)))
        found.update({row[0]: dict(zip(LOADED, row, strict=True)) for row in rows})
    return found


async def _load_entry_ids(connection: AsyncConnection, keys: list[tuple[int, int]]) -> dict[tuple[int, int], str]:
    found: dict[tuple[int, int], str] = {}
    table = schema.entries.c
    for part in _chunks(keys):
        rows = await connection.execute(
            select(table.ticket, table.seq, table.entry_id).where(tuple_(table.ticket, table.seq).in_(part))
        )
        found.update(((ticket, seq), entry_id) for ticket, seq, entry_id in rows)
    return found


async def _load_persons(connection: AsyncConnection, batches: Sequence[ChatBatch]) -> dict[tuple[int, str], str | None]:
    """Whom the owners named by `assigned` entries stand for, as far as the batches do not say it themselves."""
    wanted = {
        (batch.ticket, str(entry.data["owner"]))
        for batch in batches
        for entry in batch.entries
        if entry.kind == "assigned" and entry.data and "owner" in entry.data
    }
    found: dict[tuple[int, str], str | None] = {}
    table = schema.participants.c
    for part in _chunks(sorted(wanted)):
        rows = await connection.execute(
            select(table.ticket, table.participant_id, table.person_id).where(
                tuple_(table.ticket, table.participant_id).in_(part)
            )
        )
        found.update(((ticket, participant_id), person_id) for ticket, participant_id, person_id in rows)
    return found


def _chunks(items: list[_T]) -> Iterable[list[_T]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
