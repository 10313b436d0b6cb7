"""What a query finds, and in which order."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_factories import CUSTOMER, EPOCH, make_batch
from search_factories import (
    CAFE,
    CHATS,
    CODES,
    KETTLE,
    NOTED,
    REFUND,
    STAFF,
    TOKYO,
    chat,
    found,
    tickets,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.sqlite import Database
from transcripts.database import open_database
from transcripts.entry import ChatBatch, Entry
from transcripts.errors import UnknownZoneError
from transcripts.migrate import upgrade
from transcripts.search import Scope, Search
from transcripts.search.postgres_index import _pairs
from transcripts.store import Store
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kettles leaking", [KETTLE, NOTED]),
        ("refund", [REFUND]),
        ("REFUNDING", [REFUND]),
        ('"blue kettle"', [KETTLE]),
        ('"kettle blue"', []),
        ('"new one"', [KETTLE]),
        ('"leaks sorry"', []),  # no phrase reaches from one entry into the next
        ("refu*", [REFUND]),
        ("kettle -blue", [NOTED]),
        ('kettle -"blue kettle"', [NOTED]),
        ('kettle -"kettle blue"', [KETTLE, NOTED]),
        ("kettle -fraud", [KETTLE]),
        ("cafe", [CAFE]),
        ("grosse", [CAFE]),
        ("CAFÉ", [CAFE]),
        ("moller", [CAFE]),
        ("東京", [TOKYO]),
        ("都庁", [TOKYO]),
        ("京", [TOKYO]),
        ("東京都庁から発送", [TOKYO]),
        ('"東京都"', [TOKYO]),
        ("大阪", []),
        ("112-7788231", [KETTLE]),
        ("11277882311234567", [KETTLE]),
        ("7788231", [KETTLE]),
        ("112-7788", [CODES, KETTLE]),  # as a whole first, then as the beginning of a longer number
        ("123-4567", [KETTLE, CODES]),
        ("8823112345", [KETTLE]),
        ("4567", [CODES, KETTLE]),
        ("order:4567", [KETTLE]),
        ("555 123 45", [CODES]),
        ("5551234567 -4567", []),
        ("1127788", [CODES, KETTLE]),
        ("AB1234", [CODES]),
        ("ab 1234", [CODES, KETTLE]),
        ("5551234567", [CODES]),
        ("email", [CODES]),
        ("wifi", [CODES]),
        ("fraud", [NOTED]),
        ("agent:bob", [REFUND]),
        ('agent:"Bob Stone"', [REFUND]),
        ("agent:bob kettle", []),
        ("-agent:ann", [REFUND]),
        ("customer:eva", [CAFE]),
        ("customer:cust-eva", [CAFE]),
        ("topic:return", [KETTLE]),
        ("department:cafe", [CAFE]),
        ("order:112-7788231-1234567", [KETTLE]),
        ("order:11277882311234567", [KETTLE]),
        ("product:wifi", [CODES]),
        ("rating:5", [REFUND]),
        ("rating:<=2", [KETTLE]),
        ("from:agent kettle", [KETTLE, NOTED]),
        ("from:customer kettle", [KETTLE]),
        ("from:agent leaks", []),
        ("from:agent fraud", [NOTED]),
        ("fraud -policy", []),
        ("fraud -hello", []),  # a word of the note, and one of the talk that is not wanted
        ("hello -policy", []),
        ("hello -refund", [NOTED]),
        ('agent:"Bob Stone" topic:money refund', [REFUND]),
        ('agent:"Bob Stone" topic:returns refund', []),
        ('"my blue kettle"', [KETTLE]),
        ('"blue my kettle"', []),
        ('"see kettle policy"', [NOTED]),
        ('"kettle see policy"', []),
        ('from:agent "about the kettle"', [KETTLE]),
        ('from:customer "about the kettle"', []),
        (f"ticket:{KETTLE.ticket}", [KETTLE]),
        ("ticket:#100-014", [REFUND]),
        ("ticket:100014 kettle", []),
        ("after:2026-11-23", [NOTED, CODES, TOKYO]),
        ("", [NOTED, CODES, TOKYO, CAFE, REFUND, KETTLE]),
    ],
)
async def test_what_a_query_finds(search: Search, query: str, expected: list[ChatBatch]) -> None:
    if query.startswith("after:"):
        query = f"after:{_day(TOKYO)}"
    assert await found(search, query) == expected


def _day(batch: ChatBatch) -> str:
    return datetime.fromtimestamp(batch.entries[0].at / 1000, UTC).date().isoformat()


@pytest.mark.parametrize(
    "query", [f"#{REFUND.ticket}", f"{REFUND.ticket}", "100 014", "＃１０００１４", "ticket 100014 please"]
)
async def test_a_ticket_number_goes_straight_to_its_chat(search: Search, query: str) -> None:
    results = await search.search(query, scope=STAFF)
    assert results.results[0].ticket == REFUND.ticket


async def test_an_order_number_goes_straight_to_its_chat(engine: AsyncEngine, store: Store, search: Search) -> None:
    chatty = chat(6, "my order my order 112-7788231-1234567 my order 112-7788231-1234567", "my order", day=6)
    await store.append([chatty])
    await search.index_pending()
    assert await tickets(search, "my order 112-7788231-1234567") == [KETTLE.ticket, chatty.ticket, REFUND.ticket]


async def test_no_phrase_reaches_from_one_message_into_the_next(search: Search, store: Store) -> None:
    split = chat(12, "the lamp is red", "ok", "kettle is blue", "ok")
    await store.append([split])
    await search.index_pending()
    assert await tickets(search, '"lamp is red"') == [split.ticket]
    assert await tickets(search, '"red kettle"') == []


async def test_a_phrase_is_not_found_by_another_that_shares_its_term(search: Search, store: Store) -> None:
    """PostgreSQL finds two neighbours by a short term of theirs, which other neighbours may have, too."""
    known: dict[str, tuple[str, str]] = {}
    pairs = ((f"ba{number}", f"do{number}") for number in range(100_000))
    one, other = next(
        (known[code], pair) for pair in pairs for code in _pairs(pair) if known.setdefault(code, pair) != pair
    )
    said = chat(13, f"{' '.join(one)}, but {other[0]} and then {other[1]}", "ok")
    await store.append([said])
    await search.index_pending()
    assert await tickets(search, f'"{" ".join(one)}"') == [said.ticket]
    assert await tickets(search, " ".join(other)) == [said.ticket]
    assert await tickets(search, f'"{" ".join(other)}"') == []
    assert await tickets(search, f'ok "{" ".join(other)}"') == []
    assert said.ticket in await tickets(search, f'ok -"{" ".join(other)}"')


async def test_more_of_the_query_is_better_than_more_of_one_word(search: Search, store: Store) -> None:
    both = chat(7, "invoice and then " + "something else about nothing at all " * 2 + " lamp", "ok")
    one = chat(8, "lamp lamp lamp lamp lamp lamp", "lamp lamp lamp", day=9)
    others = [chat(30 + number, "invoice", "x") for number in range(3)]
    await store.append([both, one, *others])
    await search.index_pending()
    assert (await tickets(search, "lamp invoice"))[:2] == [both.ticket, one.ticket]


async def test_the_newest_comes_first_on_ties(search: Search, store: Store) -> None:
    await store.append([chat(9, "zebra", "hm", day=1), chat(10, "zebra", "hm", day=2), chat(11, "zebra", "hm", day=0)])
    await search.index_pending()
    results = await search.search("zebra", scope=STAFF)
    assert [result.ticket for result in results.results] == [ticket_of(10_010), ticket_of(10_009), ticket_of(10_011)]


async def test_the_result_names_the_entry_and_marks_the_words(search: Search) -> None:
    (result,) = (await search.search("leaking kettle -fraud", scope=STAFF)).results
    assert (result.ticket, result.entry_seq, result.agent_name, result.topic) == (
        KETTLE.ticket,
        3,
        "Ann Lee",
        "Returns",
    )
    assert result.snippet == [("My blue ", False), ("kettle", True), (" ", False), ("leaks", True)]
    assert "".join(piece for piece, _ in result.snippet) == "My blue kettle leaks"


async def test_open_chats_are_found_and_found_again_when_they_grow(search: Search, store: Store) -> None:
    await store.append([make_batch(_next(KETTLE))])
    assert await search.index_pending() == 1
    assert await search.index_pending() == 0
    (result,) = (await search.search("squeaks", scope=STAFF)).results
    assert (result.ticket, result.state, result.entry_seq) == (KETTLE.ticket, "active", 6)
    assert await found(search, '"blue kettle"') == [KETTLE]


def _next(batch: ChatBatch) -> Entry:
    last = batch.entries[-1]
    return msgspec.structs.replace(
        last, seq=last.seq + 1, prev=last.seq, entry_id="next", kind="message", text="and the lid squeaks", data=None
    )


async def test_days_are_those_of_the_asker(search: Search, store: Store) -> None:
    late = chat(400, "midnight", "x", at=1_767_222_000_000)  # 2025-12-31 23:00 UTC
    await store.append([late])
    await search.index_pending()

    async def tickets(query: str, tz: str) -> list[int]:
        return [one.ticket for one in (await search.search(query, scope=STAFF, tz=tz)).results]

    assert await tickets("midnight on:2025-12-31", "UTC") == [late.ticket]
    assert await tickets("midnight on:2025-12-31", "Europe/Berlin") == []
    assert await tickets("midnight on:2026-01-01", "Europe/Berlin") == [late.ticket]
    assert await tickets("midnight after:2025-12-31 before:2025-12-31", "UTC") == [late.ticket]
    assert await tickets("midnight on:2025-12", "UTC") == [late.ticket]
    assert await tickets("midnight before:2025-11", "UTC") == []


@pytest.mark.parametrize("zone", ["Nowhere/Land", "../etc/passwd", "Europe", "\0"])
async def test_an_unknown_zone_is_told(search: Search, zone: str) -> None:
    with pytest.raises(UnknownZoneError):
        await search.search("kettle on:2025-01-01", scope=STAFF, tz=zone)


async def test_common_words_are_found_newest_first(
    search: Search, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transcripts.search.answering.MANY", 3)
    await store.append(
        [chat(500 + number, "thanks kettle" if number == 0 else "thanks", "x", day=number) for number in range(6)]
    )
    await search.index_pending()
    newest_first = [ticket_of(10_500 + number) for number in range(5, -1, -1)]
    assert await tickets(search, "thanks") == newest_first
    assert await tickets(search, "thanks unheard") == newest_first
    # The rare word chooses the candidates, the common one fills up what is left.
    rare = await tickets(search, "thanks kettle")
    assert rare[0] == ticket_of(10_500)
    assert set(rare) == {*newest_first, KETTLE.ticket, NOTED.ticket}


pieces = st.sampled_from(
    [
        "kettle",
        '"',
        "*",
        "-",
        "(",
        ")",
        ":",
        "agent:",
        "rating:",
        "on:2025",
        "OR",
        "AND",
        "NEAR",
        "NOT",
        "{",
        "^",
        "+",
        "'",
        "\\",
        "東",
        "%",
        "\0",
        " ",
        "ticket:",
        '"a b"',
        "x*",
        ";",
        "--",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(query=st.lists(pieces | st.text(max_size=5), max_size=8).map("".join), customer=st.booleans())
async def test_any_query_is_answered(any_search: Search, query: str, customer: bool) -> None:
    await any_search.search(query, scope=Scope.customer(CUSTOMER) if customer else STAFF)


@pytest.fixture
async def any_search(database: Database) -> AsyncIterator[Search]:
    engine = open_database(database.url)
    await upgrade(engine)
    await Store(engine).append(CHATS)
    search = Search(engine)
    await search.index_pending()
    yield search
    await engine.dispose()


async def test_the_epoch_is_not_touched_by_indexing(search: Search, store: Store) -> None:
    kept = await store.chat(KETTLE.ticket)
    assert kept is not None
    assert (kept.epoch, kept.indexed_seq) == (EPOCH, kept.last_seq)
