"""Words that most chats have are found in other ways than rare ones: what is found is the same."""

from datetime import UTC, datetime

import pytest
from search_factories import KETTLE, NOTED, STAFF, chat
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts.database import is_postgresql, read, write
from transcripts.entry import ChatBatch
from transcripts.search import Search, answering, index, postgres_index
from transcripts.search.index import PUBLIC, Term
from transcripts.search.postgres_index import PostgresIndex
from transcripts.store import Store

pytestmark = pytest.mark.anyio

BOB = chat(20, "The kettle is fine", "ok thanks", day=6, topic="Returns", agent="Bob Stone")
LAMP = chat(21, "The lamp blinks", "ok", "note:the kettle again", day=37, topic="Returns", rating=2)
BOTH = chat(22, "My kettle and my lamp", "sure", "note:a lamp", day=38)
SWAPPED = chat(23, "This kettle is blue", "ok, kettle", day=39, agent="Lee Ann", topic="Returns")

FOUND = {
    "kettle": [KETTLE, NOTED, BOB, LAMP, BOTH, SWAPPED],
    "kettle -lamp": [KETTLE, NOTED, BOB, SWAPPED],  # two have the lamp: one in what was said, one in a note, too
    "lamp -kettle": [],
    "kettle -fraud": [KETTLE, BOB, LAMP, BOTH, SWAPPED],
    'kettle -"blue kettle"': [NOTED, BOB, LAMP, BOTH, SWAPPED],
    "kettle -lamp -thanks": [KETTLE, NOTED, SWAPPED],
    "from:customer kettle": [KETTLE, BOB, BOTH, SWAPPED],
    "from:customer kettle -lamp": [KETTLE, BOB, SWAPPED],
    "from:agent kettle": [KETTLE, NOTED, LAMP, SWAPPED],
    'agent:"Ann Lee" kettle': [KETTLE, NOTED, LAMP, BOTH, SWAPPED],
    "agent:bob kettle": [BOB],
    "-agent:bob kettle": [KETTLE, NOTED, LAMP, BOTH, SWAPPED],
    "topic:returns kettle": [KETTLE, BOB, LAMP, SWAPPED],
    'topic:returns agent:"Ann Lee" kettle -leaks': [LAMP, SWAPPED],
    "customer:mia kettle": [KETTLE, NOTED, BOB, LAMP, BOTH, SWAPPED],
    "rating:2 kettle": [KETTLE, LAMP],
    f"ticket:{LAMP.ticket} kettle": [LAMP],
    '"blue kettle"': [KETTLE],
    '"my blue kettle"': [KETTLE],
    '"my kettle" -blue': [BOTH],
    'topic:returns "kettle is"': [BOB, SWAPPED],
    "kett*": [KETTLE, NOTED, BOB, LAMP, BOTH, SWAPPED],
}

WAYS = {
    "scored": {},
    "by the index": {"MANY": 0, "_LOOK_INSIDE": 1_000_000},
    "one after the other": {"MANY": 0, "_LOOK_INSIDE": 0},
    "by the index after all": {"MANY": 0, "_LOOK_INSIDE": 0, "_FURTHER": 0},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(answering if name == "MANY" else postgres_index, name, value)
    return str(request.param)


async def test_every_way_finds_the_same(search: Search, store: Store, way: str) -> None:
    await store.append([BOB, LAMP, BOTH, SWAPPED])
    await search.index_pending()
    days = f"after:{_day(LAMP)} before:{_day(BOTH)}"
    for query, expected in (FOUND | {f"kettle {days}": [LAMP, BOTH], f"{days} kettle -again": [BOTH]}).items():
        results = await search.search(query, scope=STAFF)
        assert {one.ticket for one in results.results} == {one.ticket for one in expected}, (query, way)


def _day(batch: ChatBatch) -> str:
    return datetime.fromtimestamp(batch.entries[0].at / 1000, UTC).date().isoformat()


async def test_every_way_is_paged_through_without_gaps(
    search: Search, store: Store, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "WINDOW", 7)
    parcels = [chat(100 + n, "parcel", "red" if n % 3 else "blue", day=n % 5, topic="Post") for n in range(40)]
    await store.append(parcels)
    await search.index_pending()
    expected = {one.ticket for n, one in enumerate(parcels) if n % 3}
    for query in ("parcel -blue", "topic:post parcel -blue"):
        shown: list[int] = []
        page = await search.search(query, scope=STAFF, limit=4)
        shown += [one.ticket for one in page.results]
        while page.next is not None and len(shown) <= len(expected):
            page = await search.search(query, scope=STAFF, limit=4, cursor=page.next)
            shown += [one.ticket for one in page.results]
        assert len(shown) == len(expected), (query, way)
        assert set(shown) == expected


async def test_what_was_only_said_long_ago_is_found(
    search: Search, store: Store, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be common, and in none of the chats that are looked into first."""
    monkeypatch.setattr(answering, "MANY", 0)
    monkeypatch.setattr(answering, "WINDOW", 2)
    monkeypatch.setattr(postgres_index, "_LOOK_INSIDE", 0)
    await store.append([chat(100 + n, "parcel" if n < 20 else "letter", "ok", day=n) for n in range(40)])
    await search.index_pending()
    results = (await search.search("parcel", scope=STAFF, limit=30)).results
    assert {one.ticket for one in results} <= {chat(100 + n, "x").ticket for n in range(20)}
    assert len(results) >= 2


async def test_how_common_a_word_is_need_not_be_counted(
    search: Search, store: Store, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_postgresql(engine):
        pytest.skip("only PostgreSQL knows it by itself")
    monkeypatch.setattr(index, "_COMMON", 5)
    await store.append([chat(100 + n, "a parcel", "ok", day=n) for n in range(40)])
    await search.index_pending()
    async with write(engine) as connection:
        await connection.execute(text(f"ANALYZE {PUBLIC}"))
    asked = PostgresIndex()
    async with read(engine) as connection:
        often = await asked.often(connection, PUBLIC)
        assert (often["parcel"], await asked.count(connection, PUBLIC, [Term("parcel")])) == (40, {Term("parcel"): 40})
    counted: list[Term] = []

    async def count(self: PostgresIndex, _connection: object, _table: str, terms: list[Term]) -> dict[Term, int]:
        counted.extend(terms)
        return dict.fromkeys(terms, 1)

    monkeypatch.setattr(PostgresIndex, "count", count)
    await search.search("parcel kettle", scope=STAFF)
    assert Term("kettl") in counted
    public = counted[: counted.index(Term("kettl")) + 1]
    assert Term("parcel") not in public


async def test_a_word_that_was_common_a_moment_ago_is_forgotten_with_its_last_chat(
    search: Search, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How rare a word is may be an estimate; whether anybody still says it is not."""
    monkeypatch.setattr(index, "_COMMON", 0)
    await search.search("leaks kettle", scope=STAFF)  # now it is known how common they are
    await search.remove([KETTLE.ticket])
    async with read(engine) as connection:
        known = set(await connection.scalars(text("SELECT word FROM search_words")))
    assert "leak" not in known
    assert "kettl" in known  # a note speaks of one
