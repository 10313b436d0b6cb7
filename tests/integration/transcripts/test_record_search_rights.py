"""Who finds what: nobody learns of a chat, a note or a person that is not for them, by whatever way of asking."""

import zlib

import msgspec
import pytest
from record_factories import CUSTOMER, make_batch, make_entry
from search_factories import CAFE, KETTLE, NOTED, chat, found
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts.database import is_postgresql, read
from transcripts.search import Scope, Search
from transcripts.search.cursor import read_cursor, write_cursor
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_a_customer_finds_own_chats_only(search: Search) -> None:
    assert await found(search, "cafe") == [CAFE]  # it is there
    assert await found(search, "cafe", Scope.customer(CUSTOMER)) == []
    assert await found(search, "cafe", Scope.customer("cust-eva")) == [CAFE]
    assert await found(search, "", Scope.customer("cust-eva")) == [CAFE]
    assert await found(search, f"#{CAFE.ticket}", Scope.customer(CUSTOMER)) == []
    assert await found(search, f"ticket:{CAFE.ticket}", Scope.customer(CUSTOMER)) == []


async def test_an_agent_finds_chats_of_own_departments_only(search: Search) -> None:
    assert await found(search, "kettle", Scope.of_departments({"support"})) == [KETTLE, NOTED]
    assert await found(search, "kettle", Scope.of_departments({"cafe"})) == []
    assert await found(search, "", Scope.of_departments({"cafe"})) == [CAFE]
    assert await found(search, "", Scope.of_departments(set())) == []


async def test_nothing_of_a_note_reaches_a_customer(search: Search, store: Store, engine: AsyncEngine) -> None:
    mine = Scope.customer(CUSTOMER)
    queries = [
        "fraud",
        "kettle",
        '"kettle policy"',
        "kettle -fraud",
        "hello -policy",
        "fra*",
        "hello fraud wait",
        "one moment",
    ]
    assert await found(search, "fraud") == [NOTED]  # staff does see it
    assert await found(search, "fraud", mine) == []
    before = [await search.search(query, scope=mine) for query in queries]
    note = make_entry(
        6,
        ticket=NOTED.ticket,
        kind="note",
        audience="staff",
        role="supervisor",
        name="Fraser",
        text="hello fraud wait wait moment",
    )
    await store.append([make_batch(note)])
    await search.index_pending()
    assert [await search.search(query, scope=mine) for query in queries] == before
    assert await found(search, "customer:fraser") + await found(search, "agent:fraser") == []
    async with read(engine) as connection:
        match = "terms @@ 'fraud | fraser'" if is_postgresql(engine) else "search_chats MATCH 'fraud OR fraser'"
        assert await connection.scalar(text(f"SELECT count(*) FROM search_chats WHERE {match}")) == 0


async def test_a_cursor_gives_no_rights(search: Search, store: Store) -> None:
    await store.append([chat(300 + number, "parcel", "x", day=number) for number in range(5)])
    await search.index_pending()
    mine = Scope.customer(CUSTOMER)
    following = (await search.search("parcel", scope=mine, limit=2)).next
    own = read_cursor(following, zlib.crc32(repr(("parcel", mine, "UTC")).encode()))
    assert own.rest
    forged = write_cursor(msgspec.structs.replace(own, rest=((CAFE.ticket, 9.0), *own.rest)))
    page = await search.search("parcel", scope=mine, limit=10, cursor=forged)
    assert CAFE.ticket not in [one.ticket for one in page.results]
    assert len(page.results) == 3


async def test_nobody_elses_chats_have_a_say_in_what_a_customer_sees(search: Search, store: Store) -> None:
    """Neither in the order nor in the scores: from these, one could tell how many others say a word."""
    mine = Scope.customer(CUSTOMER)
    queries = ["kettle", "kettle refund", "hello wait moment", "leakz"]
    before = [await search.search(query, scope=mine, facets=True) for query in queries]
    assert all(page.results for page in before)
    others = [chat(800 + n, "kettle leaks leakz kettle", "refund hello", customer_id=f"other-{n}") for n in range(30)]
    await store.append(others)
    await search.index_pending()
    assert len((await search.search("kettle", scope=Scope.staff(), limit=100)).results) > 30  # they are there
    assert [await search.search(query, scope=mine, facets=True) for query in queries] == before


async def test_a_customer_of_several_ids_finds_the_chats_of_all_of_them(search: Search) -> None:
    both = Scope.customer("cust-eva", CUSTOMER)
    assert CAFE in await found(search, "", both)
    assert KETTLE in await found(search, "", both)
    assert await found(search, "cafe", both) == [CAFE]
    assert await found(search, "fraud", both) == []  # notes stay the staff's
    assert await found(search, "", Scope.customer()) == []


def test_a_scope_is_written_the_same_way_in_every_process() -> None:
    """Cursors are tied to it: else an agent of several departments got the first page again from another node."""
    names = ["ghij", "a", "def", "klmno", "bc"]
    expected = "departments=('a', 'bc', 'def', 'ghij', 'klmno')"
    assert expected in repr(Scope.of_departments(set(names)))
    assert expected in repr(Scope.of_departments([*names, "a"]))
    assert "customers=('mia', 'old-mia')" in repr(Scope.customer("old-mia", "mia"))
