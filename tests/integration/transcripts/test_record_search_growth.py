"""An open chat that grows: what the search does for an entry does not depend on how many came before."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from record_factories import make_batch, make_entry
from search_factories import STAFF, chat
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts.database import read
from transcripts.entry import ChatBatch, Entry
from transcripts.erasure import Eraser, Subject, database_files
from transcripts.seal import Sealer, SealKey
from transcripts.search import Search, document
from transcripts.search.document import Document
from transcripts.search.index import Index
from transcripts.store import Store

pytestmark = pytest.mark.anyio

SAID = ("blue kettle 112-7788", "note:an angry one", "so sorry", "AB-1234 leaks", "note:refund", "done", "Größe", "ok")


async def stored(search: Search, engine: AsyncEngine, ticket: int) -> Document:
    index: Index = search._index
    async with read(engine) as connection:
        (found,) = await index.stored(connection, [ticket])
    return found


def grown(whole: ChatBatch, entries: Sequence[Entry]) -> ChatBatch:
    return make_batch(*entries, opening=whole.opening)


def without(codes: str, ticket: int) -> str:
    """The codes of a chat but for its own number."""
    return " ".join(one for one in codes.split() if not str(ticket).endswith(one.removeprefix("№")))


async def close(store: Store, last: Entry) -> None:
    closed = make_entry(
        last.seq + 1, ticket=last.ticket, at=last.at, kind="closed", text=None, data={"reason": "agent"}
    )
    await store.append([make_batch(closed)])


async def test_what_grew_is_indexed_like_what_came_at_once(store: Store, engine: AsyncEngine) -> None:
    search = Search(engine)
    at_once, step_by_step = chat(1, *SAID, topic="Returns"), chat(1, *SAID, topic="Returns")
    await store.append([at_once])
    await search.index_pending()
    expected = await stored(search, engine, at_once.ticket)
    expected.public["codes"] = without(expected.public["codes"], at_once.ticket)
    for size in (1, 3):
        for first in range(1, len(step_by_step.entries), 3):
            other = chat(10 * size + first, *SAID, topic="Returns")
            await store.append([grown(other, other.entries[:first])])
            for at in range(first, len(other.entries), size):
                await search.index_pending()
                await store.append([grown(other, other.entries[at : at + size])])
            await search.index_pending()
            found = await stored(search, engine, other.ticket)
            found.public["codes"] = without(found.public["codes"], other.ticket)
            assert (found.public, found.notes) == (expected.public, expected.notes)


async def test_each_entry_is_analysed_once_while_the_chat_is_open_and_once_at_its_end(
    store: Store, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysed: list[str] = []
    terms = document.terms

    def counted(text: str) -> list[str]:
        if text.startswith("kettle"):
            analysed.append(text)
        return terms(text)

    monkeypatch.setattr(document, "terms", counted)
    search = Search(engine)
    long = chat(7, *(f"kettle {number}" for number in range(60)))
    await store.append([grown(long, long.entries[:2])])
    for entry in long.entries[2:]:
        await store.append([make_batch(entry)])
        await search.index_pending()
    assert analysed == [f"kettle {number}" for number in range(60)]
    await close(store, long.entries[-1])
    await search.index_pending()
    assert len(analysed) == 2 * 60


async def test_two_that_index_one_chat_at_once_leave_nothing_out(store: Store, engine: AsyncEngine) -> None:
    one, other = Search(engine), Search(engine)
    long = chat(8, *(f"kettle{number}" for number in range(20)))
    await store.append([grown(long, long.entries[:2])])
    for at in range(2, len(long.entries), 3):
        await store.append([make_batch(*long.entries[at : at + 3])])
        await asyncio.gather(one.index_pending(), other.index_pending())
    await one.index_pending()
    for number in range(20):
        (found,) = (await one.search(f"kettle{number}", scope=STAFF)).results
        assert found.ticket == long.ticket
    public = (await stored(one, engine, long.ticket)).public
    spoken = [term for side in ("customer", "agent") for term in public[side].split() if term.startswith("kettle")]
    assert sorted(spoken) == sorted(f"kettle{number}" for number in range(20))


async def test_who_indexes_slowly_does_not_bring_back_what_was_erased_meanwhile(
    store: Store, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = chat(9, "clavichord", "sorry")
    await store.append([said])
    await close(store, said.entries[-1])
    sealer = Sealer(engine, SealKey.from_bytes(bytes(32)))
    await sealer.seal(said.ticket)
    slow, put = Search(engine), Search._put

    async def late(self: Search, *args: Any) -> set[str]:
        if self is slow:  # has read what the chat says, and is held up
            await Eraser(engine, sealer).erase(Subject((said.ticket,)))
        return await put(self, *args)

    monkeypatch.setattr(Search, "_put", late)
    await slow.index([said.ticket])
    assert "clavichord" not in str([await stored(slow, engine, said.ticket)])
    assert (await database_files(engine).look((b"clavichord",))).found == ()


async def test_what_was_redacted_leaves_the_index(store: Store, engine: AsyncEngine) -> None:
    """Nothing is appended to a document then: it is made anew from what is left."""
    search = Search(engine)
    said = chat(9, "kettle", "sorry")
    await store.append([said])
    await search.index_pending()
    last = said.entries[-1]
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE entries SET text = NULL WHERE ticket = {said.ticket} AND seq = 3")
    redacted = make_entry(last.seq + 1, ticket=last.ticket, at=last.at, kind="redacted", text=None, data={"seq": 3})
    await store.append([make_batch(redacted)])
    await search.index_pending()
    assert not (await search.search("kettle", scope=STAFF)).results
