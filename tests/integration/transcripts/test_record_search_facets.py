"""What was found, counted by topic, agent and month."""

import pytest
from record_factories import CUSTOMER
from search_factories import KETTLE, STAFF, chat

from transcripts.search import Facets, Scope, Search
from transcripts.store import Store
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio

NEW_YEAR = 1_767_222_000_000  # 2025-12-31 23:00 UTC
DAY = 86_400_000


@pytest.fixture
async def parcels(search: Search, store: Store) -> Search:
    await store.append(
        [
            *(chat(600 + n, "parcel late", "sorry", at=NEW_YEAR - DAY * n, topic="Delivery") for n in range(3)),
            *(chat(610 + n, "parcel wet", "sorry", at=NEW_YEAR - DAY * 40, topic="Returns") for n in range(2)),
            chat(620, "parcel gone", "sorry", at=NEW_YEAR, topic=None, agent="Bob Stone", department="cafe"),
            chat(621, "parcel", "ok", "note:mark", at=NEW_YEAR, topic="Secret", customer_id="other"),
        ]
    )
    await search.index_pending()
    return search


async def test_what_is_found_is_counted(parcels: Search) -> None:
    facets = (await parcels.search("parcel", scope=STAFF, limit=2, facets=True)).facets
    assert facets == Facets(
        chats=7,
        more=False,
        topics=(("Delivery", 3), ("Returns", 2), ("Secret", 1)),
        agents=(("Ann Lee", 6), ("Bob Stone", 1)),
        months=(("2025-12", 5), ("2025-11", 2)),
    )
    berlin = (await parcels.search("parcel", scope=STAFF, tz="Europe/Berlin", facets=True)).facets
    assert berlin is not None
    assert berlin.months == (("2026-01", 3), ("2025-12", 2), ("2025-11", 2))
    assert (await parcels.search("parcel", scope=STAFF)).facets is None  # nobody asked


async def test_a_facet_is_what_its_filter_finds(parcels: Search) -> None:
    for query in ("parcel", ""):
        facets = (await parcels.search(query, scope=STAFF, facets=True)).facets
        assert facets is not None
        kinds = {"topic": facets.topics, "agent": facets.agents, "on": facets.months}
        for name, counted in kinds.items():
            for value, chats in counted:
                found = await parcels.search(f'{query} {name}:"{value}"', scope=STAFF)
                assert len(found.results) == chats, (query, name, value)


async def test_nobody_else_is_counted(parcels: Search) -> None:
    mine = (await parcels.search("parcel", scope=Scope.customer(CUSTOMER), facets=True)).facets
    assert mine is not None
    assert (mine.chats, dict(mine.topics).get("Secret")) == (6, None)
    theirs = (await parcels.search("parcel", scope=Scope.customer("other"), facets=True)).facets
    assert theirs is not None
    assert theirs.topics == (("Secret", 1),)
    cafe = (await parcels.search("parcel", scope=Scope.of_departments({"cafe"}), facets=True)).facets
    assert cafe is not None
    assert (cafe.chats, cafe.agents) == (1, (("Bob Stone", 1),))


async def test_more_than_are_counted_is_told(search: Search, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transcripts.search.answering.FACETED", 4)
    monkeypatch.setattr("transcripts.search.answering.WINDOW", 3)
    await store.append([chat(700 + number, "parcel", "x", topic="Delivery", day=number) for number in range(9)])
    await search.index_pending()
    for query in ("parcel", ""):
        facets = (await search.search(query, scope=STAFF, limit=2, facets=True)).facets
        assert facets is not None
        assert (facets.chats, facets.more) == (4, True)
    assert KETTLE.ticket < ticket_of(10_700)
