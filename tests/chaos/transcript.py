"""The transcripts of a run, as SQL has them when everything has come to rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from transcripts import schema
from transcripts.database import open_database, read
from transcripts.entry import Entry
from transcripts.rows import chat_of, entry_of


@dataclass(frozen=True)
class Transcript:
    """One chat."""

    ticket: int
    entries: Sequence[Entry]
    last_seq: int
    state: str
    chat_key: str = ""
    customer: str = ""


async def read_transcripts(data: Path) -> dict[int, Transcript]:
    """All chats of an installation's SQLite database, by ticket. `data` is an absolute path."""
    engine = open_database(f"sqlite:///{data / 'chat.db'}")
    try:
        async with read(engine) as connection:
            rows = await connection.execute(select(schema.chats))
            chats = [chat_of(row) for row in rows.mappings()]
            entries: dict[int, list[Entry]] = {chat.ticket: [] for chat in chats}
            order = (schema.entries.c.ticket, schema.entries.c.seq)
            for row in (await connection.execute(select(schema.entries).order_by(*order))).mappings():
                entries.setdefault(row["ticket"], []).append(entry_of(row))
        return {
            chat.ticket: Transcript(
                chat.ticket, entries[chat.ticket], chat.last_seq, chat.state, chat.chat_key or "", chat.customer_id
            )
            for chat in chats
        }
    finally:
        await engine.dispose()
