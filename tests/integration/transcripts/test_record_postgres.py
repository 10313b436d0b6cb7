"""What PostgreSQL does that SQLite cannot: servers that go away, transactions beside each other, limits of its own."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from record_factories import OTHER_TICKET, TICKET, make_batch, make_chat, make_entry
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

import transcripts.append
import transcripts.erasure.database
import transcripts.postgres_engine
from tests.support.postgres import Databases, OwnPostgres
from tests.support.sqlite import Database
from transcripts.append import append
from transcripts.database import lock_tables, open_database, read, repeated, write
from transcripts.erasure import Eraser, Subject, database_files
from transcripts.erasure.database import pieces
from transcripts.errors import StoreUnavailableError, UndoneError
from transcripts.migrate import upgrade
from transcripts.schema import chats, participants
from transcripts.seal import Sealer, SealKey
from transcripts.search import Scope, Search
from transcripts.store import Store
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["postgresql"])
def database_engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def other(database: Database) -> AsyncIterator[AsyncEngine]:
    """Another process' connections to the same database."""
    engine = open_database(database.url)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="module")
def fragile() -> Iterator[OwnPostgres]:
    with OwnPostgres(deadlock_timeout="50ms") as server:
        yield server


@pytest.fixture
async def shaky(fragile: OwnPostgres) -> AsyncIterator[AsyncEngine]:
    """A database whose server a test may stop, pause and kill."""
    engine = open_database(Databases(fragile.url, kept=True).empty(), patience_ms=400, connections=2)
    await upgrade(engine)
    yield engine
    await engine.dispose()


async def test_text_sorts_by_its_bytes_whatever_the_server_s_locale(engine: AsyncEngine) -> None:
    question = (
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"
    )
    async with read(engine) as connection:
        assert (await connection.execute(text(question))).all() == []


async def test_a_reading_transaction_sees_one_moment(engine: AsyncEngine, other: AsyncEngine) -> None:
    await Store(engine).append([make_chat()])
    async with read(engine) as connection:
        before = await connection.scalar(select(chats.c.last_seq))
        await Store(other).append([make_batch(make_entry(7, kind="rated", data={"rating": 4}))])
        assert await connection.scalar(select(chats.c.last_seq)) == before

    async def write_in_it() -> None:
        async with read(engine) as connection:
            await connection.execute(update(chats).values(gen=1))

    with pytest.raises(StoreUnavailableError, match="only be read"):
        await write_in_it()


async def test_an_orderly_restart_and_a_crash_are_noticed_by_nobody_who_comes_after_them(
    fragile: OwnPostgres, shaky: AsyncEngine
) -> None:
    store = Store(shaky)
    await asyncio.gather(store.append([make_chat()]), store.chat(TICKET))  # two connections stand
    for end in (fragile.stop, fragile.kill9):
        end()
        with pytest.raises(StoreUnavailableError, match="cannot be reached"):
            await store.chat(TICKET)
        fragile.start()
        assert await store.chat(TICKET) is not None
        assert len(await store.entries(TICKET, staff=True)) == 6


async def test_a_connection_that_ends_in_the_middle_is_plain(fragile: OwnPostgres, shaky: AsyncEngine) -> None:
    async def lose_it() -> None:
        async with write(shaky) as connection:
            await connection.execute(text("SELECT 1"))
            async with read(shaky) as another:
                await another.execute(text(_END_THE_OTHERS))
            await connection.execute(text("SELECT 1"))

    with pytest.raises(StoreUnavailableError):
        await lose_it()
    assert await Store(shaky).chat(TICKET) is None


_END_THE_OTHERS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'idle in transaction'"


async def test_a_server_that_hangs_holds_nobody_up_for_long(fragile: OwnPostgres, shaky: AsyncEngine) -> None:
    store = Store(shaky)
    await store.append([make_chat()])
    began = time.monotonic()
    fragile.pause()
    try:
        answers = await asyncio.gather(*(store.chat(TICKET) for _ in range(6)), return_exceptions=True)
    finally:
        fragile.go_on()
    assert {type(answer) for answer in answers} == {StoreUnavailableError}
    assert time.monotonic() - began < 15
    assert await store.chat(TICKET) is not None


async def test_a_statement_that_takes_too_long_is_ended(shaky: AsyncEngine) -> None:
    async def sleep() -> None:
        async with read(shaky) as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(StoreUnavailableError, match="takes too long"):
        await sleep()
    assert await Store(shaky).chat(TICKET) is None


async def test_who_gets_no_connection_is_told_soon(shaky: AsyncEngine) -> None:
    async with read(shaky), read(shaky):
        with pytest.raises(StoreUnavailableError, match="all connections"):
            await Store(shaky).chat(TICKET)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("postgresql://postgres:secret@/nothing?host={folder}", "no such database"),
        ("postgresql://nobody:secret@/postgres?host={folder}", "does not let us in"),
        ("postgresql://postgres:secret@/postgres?host={folder}/none", "cannot be reached"),
        ("postgresql://postgres:secret@/postgres?host={folder}&sslmode=sometimes", "sslmode"),
    ],
)
async def test_an_address_that_leads_nowhere_is_told_without_its_password(
    fragile: OwnPostgres, address: str, says: str
) -> None:
    engine = open_database(address.format(folder=fragile.folder))
    with pytest.raises(StoreUnavailableError, match=says) as caught:
        await upgrade(engine)
    assert "secret" not in str(caught.value)
    await engine.dispose()


async def test_who_is_undone_for_another_s_sake_tries_again(shaky: AsyncEngine) -> None:
    await Store(shaky).append([make_chat(), make_chat(OTHER_TICKET, chat_key="k")])
    undone = 0

    async def count_up(first: int, second: int, both: asyncio.Barrier) -> None:
        nonlocal undone
        try:
            async with write(shaky) as connection:
                await connection.execute(update(chats).where(chats.c.ticket == first).values(gen=chats.c.gen + 1))
                if not undone:
                    await both.wait()
                await connection.execute(update(chats).where(chats.c.ticket == second).values(gen=chats.c.gen + 1))
        except UndoneError:
            undone += 1
            raise

    both = asyncio.Barrier(2)
    await asyncio.gather(
        repeated(lambda: count_up(TICKET, OTHER_TICKET, both)), repeated(lambda: count_up(OTHER_TICKET, TICKET, both))
    )
    assert undone == 1
    assert [head.gen for head in [await Store(shaky).chat(ticket) for ticket in (TICKET, OTHER_TICKET)] if head] == [
        3,
        3,
    ]


async def test_writers_of_the_same_chats_queue_whatever_their_order(engine: AsyncEngine, other: AsyncEngine) -> None:
    """Nobody is undone: `append` itself, without the repetition around it."""
    tickets = [ticket_of(10_000 + number) for number in range(20)]
    first = [make_batch(make_entry(1, ticket=one), make_entry(2, ticket=one)) for one in tickets]
    answers = await asyncio.gather(append(engine, first), append(other, first[::-1]))
    assert [len(answer.durable) for answer in answers] == [20, 20]
    for seq in range(3, 13):
        more = [make_batch(make_entry(seq, ticket=one)) for one in tickets]
        answers = await asyncio.gather(append(engine, more), append(other, more[::-1]))
        assert [set(answer.durable.values()) for answer in answers] == [{seq}, {seq}]
    assert [entry.seq for entry in await Store(engine).entries(tickets[7], staff=True)] == list(range(1, 13))


async def test_nobody_takes_a_chat_over_between_the_check_of_its_epoch_and_the_writing(
    engine: AsyncEngine, other: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Store(engine).append([make_batch(make_entry(1))])
    checked, ask = asyncio.Event(), transcripts.append._load_persons

    async def take_one_s_time(*args: Any) -> Any:
        checked.set()
        await asyncio.sleep(0.3)
        return await ask(*args)

    monkeypatch.setattr("transcripts.append._load_persons", take_one_s_time)
    writing = asyncio.create_task(append(engine, [make_batch(make_entry(2))]))
    await checked.wait()
    rebased = await Store(other).rebase(TICKET, 99)
    assert rebased is not None
    assert (await writing).durable == {TICKET: rebased.last_seq} == {TICKET: 2}


async def test_sealers_beside_each_other_make_one_chain(engine: AsyncEngine, other: AsyncEngine) -> None:
    tickets = [ticket_of(10_000 + number) for number in range(20)]
    await Store(engine).append([make_chat(one, chat_key=str(one)) for one in tickets])
    key = SealKey.from_bytes(bytes(range(32)))
    assert await Store(other).chat(tickets[0])  # a connection stands
    shares = tickets[:10], tickets[10:], tickets[5:15]
    await asyncio.gather(
        *(Sealer(database, key).seal_many(share) for share in shares for database in (engine, other, engine))
    )
    segments = [await Store(engine).last_segment(one) for one in tickets]
    assert sorted(segment.number for segment in segments if segment) == list(range(1, 21))


async def test_a_locked_table_takes_one_writer_at_a_time(engine: AsyncEngine, other: AsyncEngine) -> None:
    async def take_the_only_place(database: AsyncEngine) -> bool:
        async with write(database) as connection:
            await lock_tables(connection, participants)
            if (await connection.execute(select(participants.c.ticket))).first():
                return False
            row = {"ticket": 1, "participant_id": str(id(database)), "role": "agent"}
            await connection.execute(participants.insert().values(**row, rights="", joined_at=0, read_seq=0))
            return True

    assert sorted(await asyncio.gather(take_the_only_place(engine), take_the_only_place(other))) == [False, True]


async def test_a_text_that_postgresql_cannot_hold_is_refused_alone(engine: AsyncEngine) -> None:
    bad = make_batch(make_entry(1, text="half\0way"))
    appended = await Store(engine).append([bad, make_chat(OTHER_TICKET)])
    assert TICKET in appended.conflicts
    assert appended.durable == {OTHER_TICKET: 6}


async def test_a_chat_longer_than_a_tsvector_is_indexed_as_far_as_it_goes(engine: AsyncEngine) -> None:
    lines = [" ".join(f"word{number:06}filler" for number in range(at, at + 500)) for at in range(0, 60_000, 500)]
    entries = [make_entry(seq, text=line) for seq, line in enumerate([*lines, "the very last sentence"], start=1)]
    store, search = Store(engine), Search(engine)
    await store.append([make_batch(*entries)])
    assert await search.index_pending() == 1
    assert [one.ticket for one in (await search.search("word000001filler", scope=Scope.staff())).results] == [TICKET]
    assert [one.ticket for one in (await search.search("topic:returns", scope=Scope.staff())).results] == [TICKET]


async def test_no_search_reads_the_whole_table(database: Database, engine: AsyncEngine) -> None:
    """However small it looks to the planner."""
    batches = [make_chat(ticket_of(10_000 + number), chat_key=str(number)) for number in range(300)]
    await Store(engine).append(batches)
    await Search(engine).index_pending(300)
    async with write(engine) as connection:
        await connection.execute(text("ANALYZE"))
    single = open_database(database.url, connections=1)

    async def whole_reads() -> int:
        async with write(single) as connection:
            await connection.execute(text("SELECT pg_stat_force_next_flush()"))
        async with write(single) as connection:
            return await connection.scalar(text("SELECT pg_stat_get_numscans('search_chats'::regclass)")) or 0

    before = await whole_reads()
    for query in (
        "kettle",
        "blue kettle label address",
        '"blue kettle"',
        "ket*",
        "topic:returns -red",
        "from:agent label",
    ):
        assert (await Search(single).search(query, scope=Scope.staff())).results
    assert await whole_reads() == before
    await single.dispose()


async def test_erasing_waits_for_a_reader_longer_than_a_statement_may_take(
    database: Database, other: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts.postgres_engine, "_GRACE_MS", 0)
    engine = open_database(database.url, statement_ms=2_000)
    await Store(engine).append([make_chat()])
    sealer = Sealer(engine, SealKey.from_bytes(bytes(range(32))))
    await sealer.seal(TICKET)
    async with read(other) as reader:
        await reader.execute(select(participants))
        erasing = asyncio.create_task(Eraser(engine, sealer).erase(Subject((TICKET,))))
        await asyncio.sleep(2.5)
        assert not erasing.done()
    assert (await erasing).chats[0].entries
    assert (await Store(engine).entries(TICKET, staff=True))[0].erased_at
    await engine.dispose()


async def test_what_cannot_be_rewritten_is_told_in_a_sentence(
    database: Database, other: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts.erasure.database, "_PATIENCE_SECONDS", 1)
    engine = open_database(database.url, statement_ms=20_000, connections=1)
    async with read(other) as reader:
        await reader.execute(select(participants))
        with pytest.raises(StoreUnavailableError, match="is locked by another process"):
            await database_files(engine).scrub()
    await database_files(engine).scrub()
    async with read(engine) as connection:  # has not kept what was set for the rewriting
        assert await connection.scalar(text("SHOW statement_timeout")) == "20s"
    await engine.dispose()


async def test_tables_of_others_in_the_same_schema_are_left_alone(
    database: Database, engine: AsyncEngine, other: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts.erasure.database, "_PATIENCE_SECONDS", 1)
    async with write(engine) as connection:
        await connection.execute(text("CREATE TABLE orders_of_the_shop AS SELECT 'a yellow teapot' AS what"))
    try:
        async with read(other) as reader:
            await reader.execute(text("SELECT * FROM orders_of_the_shop"))
            await database_files(engine).scrub()
        look = await database_files(engine).look((b"a yellow teapot",))
        assert look.files
        assert look.found == ()
    finally:
        async with write(engine) as connection:
            await connection.execute(text("DROP TABLE orders_of_the_shop"))


def test_a_long_table_is_read_in_all_its_files() -> None:
    mib = 2**20
    read = list(pieces("base/1/2", 21 * mib, segment=10 * mib))
    assert read == [
        ("base/1/2", 0, 8 * mib),
        ("base/1/2", 8 * mib, 2 * mib),
        ("base/1/2.1", 0, 8 * mib),
        ("base/1/2.1", 8 * mib, 2 * mib),
        ("base/1/2.2", 0, mib),
    ]
    assert list(pieces("base/1/2", 0, segment=10 * mib)) == []
