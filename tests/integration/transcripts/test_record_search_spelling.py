"""Slips of the finger: what was meant is found, and proposed in words that the asker may read."""

import pytest
from record_factories import CUSTOMER, make_batch, make_entry
from search_factories import CAFE, KETTLE, NOTED, REFUND, STAFF, chat, found
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts.database import read
from transcripts.search import Scope, Search
from transcripts.store import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("query", "meant", "expected"),
    [
        ("refnud", "refunds", [REFUND]),
        ("Refunnd please", "refunds please", [REFUND]),
        ("efund", "refunds", [REFUND]),
        ("ketle leaking", "kettle leaking", [KETTLE, NOTED]),
        ("geschlosen", "geschlossen", [CAFE]),
        ("kettlle agent:ann", "kettle agent:ann", [KETTLE, NOTED]),
        ("kettle", None, [KETTLE, NOTED]),
        ("xyzzyx", None, []),
        ("lid", None, []),  # too short to guess
    ],
)
async def test_a_slip_is_understood(search: Search, query: str, meant: str | None, expected: list[object]) -> None:
    results = await search.search(query, scope=STAFF)
    assert results.did_you_mean == meant
    assert await found(search, query) == expected


async def test_what_somebody_did_say_is_not_taken_for_a_slip(search: Search, store: Store) -> None:
    await store.append([chat(20 + number, "the kettel of Mr Kettel", "ok") for number in range(3)])
    await search.index_pending()
    results = await search.search("kettel", scope=STAFF)
    assert (len(results.results), results.did_you_mean) == (3, None)


async def test_a_customer_is_told_of_own_words_only(search: Search) -> None:
    assert (await search.search("geschlosen", scope=STAFF)).did_you_mean == "geschlossen"
    outsider = await search.search("geschlosen", scope=Scope.customer(CUSTOMER))
    assert (outsider.results, outsider.did_you_mean) == ((), None)
    owner = await search.search("geschlosen", scope=Scope.customer("cust-eva"))
    assert owner.did_you_mean == "geschlossen"


async def test_a_word_of_a_note_is_proposed_to_staff_and_to_nobody_else(search: Search) -> None:
    assert (await search.search("suspectd", scope=STAFF)).did_you_mean == "suspected"
    assert NOTED in await found(search, "hello", Scope.customer(CUSTOMER))  # it is the customer's own chat
    outsider = await search.search("suspectd", scope=Scope.customer(CUSTOMER))
    assert (outsider.results, outsider.did_you_mean) == ((), None)


async def test_an_agent_is_told_of_words_of_own_departments_only(search: Search) -> None:
    assert (await search.search("geschlosen", scope=Scope.of_departments({"cafe"}))).did_you_mean == "geschlossen"
    outsider = await search.search("geschlosen", scope=Scope.of_departments({"support"}))
    assert (outsider.results, outsider.did_you_mean) == ((), None)


async def test_a_word_that_was_taken_back_is_not_proposed(search: Search, store: Store, engine: AsyncEngine) -> None:
    said = chat(30, "my secret is xylophonic", "a kettle is none")
    await store.append([said])
    await search.index_pending()
    assert (await search.search("xylofonic", scope=STAFF)).did_you_mean == "xylophonic"
    async with engine.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE entries SET text = NULL WHERE ticket = {said.ticket} AND seq = 3")
    last = said.entries[-1]
    redacted = make_entry(last.seq + 1, ticket=last.ticket, at=last.at, kind="redacted", text=None, data={"seq": 3})
    await store.append([make_batch(redacted)])
    await search.index_pending()
    assert await words(engine, "xylophon", "kettl") == ["kettl"]


async def test_what_is_removed_takes_its_words_along(search: Search, engine: AsyncEngine) -> None:
    assert await words(engine, "leak", "kettl", "blue") == ["blue", "kettl", "leak"]
    await search.remove([KETTLE.ticket])
    assert await found(search, "blue kettle") == [NOTED]  # a note speaks of a kettle
    assert await words(engine, "leak", "kettl", "blue") == ["kettl"]


async def words(engine: AsyncEngine, *wanted: str) -> list[str]:
    """Those of the words that are in the vocabulary."""
    async with read(engine) as connection:
        known = set(await connection.scalars(text("SELECT word FROM search_words")))
    return sorted(known & set(wanted))
