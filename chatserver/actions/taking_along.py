"""All data of a customer as one file: what we know of them, and every chat of theirs as they may see it."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Collection, Sequence
from typing import IO, Any

import msgspec
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.errors import NotFoundError
from chatserver.stores.schema import customers, inbox_items, preferences
from transcripts import schema
from transcripts.database import read
from transcripts.export import as_json
from transcripts.store import BY_CUSTOMER, TAKEN, Store

_README = """What this shop's chat has stored about you.

customer.json            who you are to us
preferences.json         what you have set
inbox.json               what your inbox shows
transcripts/chat-N.json  each chat, with the proof that it is unaltered
openings.json            who opened your transcripts, and when

Times are milliseconds since 1970 (UTC). The chats can be checked with the page /verify of the shop's chat server, or
with `chatserver transcripts verify`. What our staff noted among themselves is not in here.
"""


async def write_archive(
    engine: AsyncEngine,
    customer_id: str,
    file: IO[bytes],
    *,
    people: Collection[str],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[int]:
    """Writes the customer's data as a ZIP archive; the tickets of the chats in it.

    Args:
        engine: the database.
        customer_id: whose.
        file: open for writing.
        people: the ids who are this person to whoever asks (`stores.same_person`), their own among them.
        on_progress: called with the number of chats done and of all.

    Raises:
        NotFoundError: there is no such customer.
    """
    store = Store(engine)
    ids = [customer_id, *sorted(set(people) - {customer_id})]
    known = {row["id"]: row for row in await _rows(engine, customers, customers.c.id.in_(ids))}
    if customer_id not in known:
        raise NotFoundError("There is no such customer.")
    others = [known[id_] for id_ in ids[1:] if id_ in known]
    tickets = await _tickets(engine, ids)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", _README)
        _add(archive, "customer.json", known[customer_id] | ({"merged": others} if others else {}))
        _add(archive, "preferences.json", await _rows(engine, preferences, preferences.c.person_id.in_(ids)))
        _add(archive, "inbox.json", await _rows(engine, inbox_items, inbox_items.c.customer_id.in_(ids)))
        openings: dict[int, list[dict[str, Any]]] = {}
        for done, ticket in enumerate(tickets, start=1):
            export = await as_json(store, ticket, "all")
            if export is not None:
                _add(archive, f"transcripts/chat-{ticket}.json", export)
            openings[ticket] = [
                {
                    "at": one.at,
                    "by": "customer" if one.how in BY_CUSTOMER else "staff",
                    "how": "download" if one.how in TAKEN else "read",
                }
                for one in await store.accesses(ticket, limit=100_000)
            ]
            on_progress(done, len(tickets))
        _add(archive, "openings.json", openings)
    return tickets


async def _tickets(engine: AsyncEngine, ids: Sequence[str]) -> list[int]:
    chats = schema.chats.c
    async with read(engine) as connection:
        question = select(chats.ticket).where(chats.customer_id.in_(ids)).order_by(chats.opened_at, chats.ticket)
        return list(await connection.scalars(question))


async def _rows(engine: AsyncEngine, table: Table, condition: Any) -> list[dict[str, Any]]:
    async with read(engine) as connection:
        rows = await connection.execute(select(table).where(condition))
        return [dict(row) for row in rows.mappings()]


def _add(archive: zipfile.ZipFile, name: str, value: Any) -> None:
    archive.writestr(name, msgspec.json.format(msgspec.json.encode(value), indent=2))
