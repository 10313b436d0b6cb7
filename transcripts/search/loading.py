"""What the search reads of the record itself: chats, their entries, what is new of them."""

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts import schema
from transcripts.chat import Chat
from transcripts.database import is_postgresql
from transcripts.rows import chat_of, data_of
from transcripts.search.document import Said

_chats = schema.chats.c
_entries = schema.entries.c


async def count_chats(connection: AsyncConnection) -> int:
    """How many there are."""
    return await connection.scalar(select(func.count()).select_from(schema.chats)) or 0


async def load_chats(connection: AsyncConnection, tickets: Collection[int]) -> list[Chat]:
    """These chats, by their tickets."""
    question = select(schema.chats).where(_among(connection, _chats.ticket, tickets))
    rows = await connection.execute(question.order_by(_chats.ticket))
    return [chat_of(row) for row in rows.mappings()]


class Line(NamedTuple):
    """What is shown of an entry."""

    seq: int
    role: str
    name: str | None
    text: str | None


async def load_lines(connection: AsyncConnection, tickets: Collection[int], *, notes: bool) -> dict[int, list[Line]]:
    """The entries of these chats in order; those of staff only with `notes`."""
    question = select(_entries.ticket, _entries.seq, _entries.role, _entries.author_name, _entries.text)
    question = question.where(_among(connection, _entries.ticket, tickets))
    if not notes:
        question = question.where(_entries.audience == "all")
    lines: dict[int, list[Line]] = {}
    for ticket, *line in await connection.execute(question.order_by(_entries.ticket, _entries.seq)):
        lines.setdefault(ticket, []).append(Line(*line))
    return lines


async def load_said(connection: AsyncConnection, tickets: list[int], *, after_indexed: bool) -> dict[int, list[Said]]:
    """What was said in these chats: all of it, or what the index does not know yet."""
    names = (_entries.kind, _entries.audience, _entries.role, _entries.author_name, _entries.text, _entries.data)
    question = select(_entries.ticket, *names).where(_among(connection, _entries.ticket, tickets))
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
    rows = await connection.execute(question.where(_among(connection, _chats.ticket, tickets)))
    return {ticket: (opened_at, topic, agent) for ticket, opened_at, topic, agent in rows}


def _among(connection: AsyncConnection, column: Any, tickets: Collection[int]) -> ColumnElement[bool]:
    """That the column has one of the tickets: one parameter, so that it is the same statement for any number of them,
    which nobody has to read and prepare anew (2 ms for 200 of them on PostgreSQL).
    """
    if is_postgresql(connection):
        return column == any_(literal(list(tickets), ARRAY(BigInteger)))  # type: ignore[no-any-return]
    return column.in_(select(func.json_each(json.dumps(list(tickets))).table_valued("value").c.value))  # type: ignore[no-any-return]
