"""Page after page of what was found: nothing twice, nothing left out, whatever comes in meanwhile."""

import pytest
from record_factories import CUSTOMER
from search_factories import KETTLE, STAFF, chat

from transcripts.search import Results, Scope, Search
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_pages_neither_repeat_nor_skip(search: Search, store: Store) -> None:
    await store.append(
        [chat(20 + number, f"parcel {number}", "parcel " * (number % 7), day=number) for number in range(45)]
    )
    await search.index_pending()
    for query in ("parcel", ""):
        everything = [one.ticket for one in (await search.search(query, scope=STAFF, limit=100)).results]
        pages = await _pages(search, query, limit=10)
        assert [one.ticket for page in pages for one in page.results] == everything
        assert len(everything) == (45 if query else 51)
        assert [one.score for page in pages for one in page.results] == sorted(
            (one.score for page in pages for one in page.results), reverse=True
        )


async def _pages(search: Search, query: str, *, limit: int) -> list[Results]:
    pages = [await search.search(query, scope=STAFF, limit=limit)]
    while pages[-1].next is not None:
        pages.append(await search.search(query, scope=STAFF, limit=limit, cursor=pages[-1].next))
    return pages


async def test_pages_stay_as_they_were_while_chats_come_in(search: Search, store: Store) -> None:
    await store.append([chat(100 + number, "parcel", "x", day=number) for number in range(20)])
    await search.index_pending()
    expected = [one.ticket for one in (await search.search("parcel", scope=STAFF, limit=100)).results]
    first = await search.search("parcel", scope=STAFF, limit=10)
    await store.append([chat(200 + number, "parcel parcel", "x", day=50) for number in range(20)])
    await search.index_pending()
    second = await search.search("parcel", scope=STAFF, limit=10, cursor=first.next)
    assert [one.ticket for one in first.results + second.results] == expected


async def test_more_candidates_than_are_ranked_at_once_can_be_paged_through(search: Search, store: Store) -> None:
    await store.append([chat(1000 + number, "parcel", "x", day=number % 5) for number in range(650)])
    assert await search.index_pending(1000) == 650
    tickets = [one.ticket for page in await _pages(search, "parcel", limit=100) for one in page.results]
    assert len(tickets) == len(set(tickets)) == 650
    mine = Scope.customer(CUSTOMER)
    first = await search.search("leaks", scope=mine)  # the oldest of more than two windows of chats
    assert [one.ticket for one in first.results] == [KETTLE.ticket]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "é", "9" * 30_000])
async def test_a_broken_cursor_begins_at_the_first_page(search: Search, cursor: str) -> None:
    assert await search.search("kettle", scope=STAFF, cursor=cursor) == await search.search("kettle", scope=STAFF)
