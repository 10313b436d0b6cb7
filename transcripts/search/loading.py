"""What the search reads of the record itself: chats, their entries, what is new of them."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts import schema
from transcripts.chat import Chat
from transcripts.entry import Entry
from transcripts.rows import chat_of, data_of, entry_of
from transcripts.search.document import Said

_chats = schema.chats.c
_entries = schema.entries.c


async def count_chats(connection: AsyncConnection) -> int:
    """How many there are."""
    return await connection.scalar(select(func.count()).select_from(schema.chats)) or 0


async def load_chats(connection: AsyncConnection, tickets: Collection[int]) -> list[Chat]:
    """These chats, by their tickets."""
    rows = await connection.execute(select(schema.chats).where(_chats.ticket.in_(tickets)).order_by(_chats.ticket))
    return [chat_of(row) for row in rows.mappings()]


async def load_entries(connection: AsyncConnection, tickets: Collection[int], *, notes: bool) -> dict[int, list[Entry]]:
    """The entries of these chats in order; those of staff only with `notes`."""
    question = select(schema.entries).where(_entries.ticket.in_(tickets))
    if not notes:
        question = question.where(_entries.audience == "all")
    rows = await connection.execute(question.order_by(_entries.ticket, _entries.seq))
    entries: dict[int, list[Entry]] = {}
    for row in rows.mappings():
        entries.setdefault(row["ticket"], []).append(entry_of(row))
    return entries


async def load_said(connection: AsyncConnection, tickets: list[int], *, after_indexed: bool) -> dict[int, list[Said]]:
    """What was said in these chats: all of it, or what the index does not know yet."""
    names = (_entries.kind, _entries.audience, _entries.role, _entries.author_name, _entries.text, _entries.data)
    question = select(_entries.ticket, *names).where(_entries.ticket.in_(tickets))
    if after_indexed:
        question = question.where(_chats.ticket == _entries.ticket, _entries.seq > _chats.indexed_seq)
    said: dict[int, list[Said]] = {}
    rows = await connection.execute(question.order_by(_entries.ticket, _entries.seq))
    for ticket, kind, audience, role, name, words, data in rows:
        said.setdefault(ticket, []).append(Said(kind, audience, role, name, words, data_of(data)))
    return said


async def load_facts(
    connection: AsyncConnection, tickets: Collection[int]
) -> dict[int, tuple[int, str | None, str | None]]:
    """{ticket: (opened_at, topic, agent's name)}."""
    question = select(_chats.ticket, _chats.opened_at, _chats.topic, _chats.owner_name)
    rows = await connection.execute(question.where(_chats.ticket.in_(tickets)))
    return {ticket: (opened_at, topic, agent) for ticket, opened_at, topic, agent in rows}
