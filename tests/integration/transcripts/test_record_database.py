import asyncio
import os
import sys
from pathlib import Path

import anyio
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from record_factories import TICKET, make_batch, make_entry
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

import transcripts
from tests.support.sqlite import Database
from transcripts.database import open_database, read, write
from transcripts.errors import SchemaError, StoreUnavailableError
from transcripts.migrate import VERSION_TABLE, upgrade
from transcripts.schema import chats, metadata
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_sqlite_is_opened_for_durability_and_for_many_chats(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/chat.db")
    async with read(engine) as connection:
        pragmas = [
            await connection.scalar(text(f"PRAGMA {name}"))
            for name in (
                "journal_mode",
                "synchronous",
                "busy_timeout",
                "foreign_keys",
                "cache_size",
                "wal_autocheckpoint",
            )
        ]
    await engine.dispose()
    assert pragmas == ["wal", 2, 10_000, 1, -16_384, 4_000]


async def test_the_migrations_make_the_tables_of_the_schema(engine: AsyncEngine) -> None:
    ours = set(metadata.tables)
    async with read(engine) as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(
                MigrationContext.configure(
                    sync,
                    opts={
                        "version_table": VERSION_TABLE,
                        "compare_type": True,
                        "include_name": lambda name, kind, _: kind != "table" or name in ours,
                    },
                ),
                metadata,
            )
        )
    assert differences == []


async def test_migrating_twice_is_nothing_new(engine: AsyncEngine) -> None:
    await Store(engine).append([make_batch(make_entry(1))])
    await upgrade(engine)
    assert await Store(engine).chat(TICKET) is not None


async def test_many_processes_may_migrate_at_once(empty_database: str) -> None:
    program = (
        "import asyncio, sys\nfrom transcripts.database import open_database\nfrom transcripts.migrate import upgrade\n"
        "engine = open_database(sys.argv[1], statement_ms=600_000)\nasyncio.run(upgrade(engine))"
    )
    home = {**os.environ, "PYTHONPATH": str(Path(transcripts.__file__).parents[1])}
    started = [await anyio.open_process([sys.executable, "-c", program, empty_database], env=home) for _ in range(4)]
    assert [await process.wait() for process in started] == [0] * 4
    for process in started:
        await process.aclose()


async def test_a_database_of_a_newer_program_is_refused(engine: AsyncEngine) -> None:
    async with write(engine) as connection:
        await connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer version"):
        await upgrade(engine)


async def test_writers_wait_for_each_other(database: Database, engine: AsyncEngine) -> None:
    # A reader that turns writer would be refused at once by SQLite; with the lock taken at BEGIN both simply queue.
    # PostgreSQL lets both in, and they queue at the row.
    other = open_database(database.url)
    await Store(engine).append([make_batch(make_entry(1))])

    async def rate(engine: AsyncEngine) -> None:
        for _ in range(20):
            async with write(engine) as connection:
                gen = await connection.scalar(select(chats.c.gen).with_for_update())  # no word of SQLite's
                await connection.execute(update(chats).values(gen=gen + 1))

    await asyncio.gather(rate(engine), rate(other), rate(engine), rate(other))
    await other.dispose()
    chat = await Store(engine).chat(TICKET)
    assert chat is not None
    assert chat.gen == 80


async def test_an_exception_rolls_back(engine: AsyncEngine) -> None:
    await Store(engine).append([make_batch(make_entry(1))])

    async def change_my_mind() -> None:
        async with write(engine) as connection:
            await connection.execute(text("DELETE FROM entries"))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        await change_my_mind()
    assert len(await Store(engine).entries(TICKET, staff=True)) == 1


@pytest.mark.parametrize("url", ["mysql://db/chat", "nonsense", "sqlite:////no/such/folder/chat.db"])
def test_an_address_that_cannot_be_right_is_refused_plainly(url: str) -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_database(url)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("Dear diary, " * 100)
    with pytest.raises(StoreUnavailableError, match=r"notes\.txt is not a SQLite database"):
        open_database(f"sqlite:///{tmp_path}/notes.txt")


def test_a_folder_in_place_of_the_file_is_plain(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "chat.db")
    with pytest.raises(StoreUnavailableError, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path}/chat.db")


def test_a_file_that_may_not_be_written_is_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chat.db").touch()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everything, and tests run as root too
    with pytest.raises(StoreUnavailableError, match="cannot be written"):
        open_database(f"sqlite:///{tmp_path}/chat.db")


async def test_a_file_that_goes_bad_later_is_plain_too(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/chat.db")
    (tmp_path / "chat.db").write_text("Dear diary, " * 100)
    with pytest.raises(StoreUnavailableError, match="is not a SQLite database"):
        await upgrade(engine)
    await engine.dispose()


async def test_a_database_without_tables_says_what_to_do(empty_database: str) -> None:
    engine = open_database(empty_database)
    with pytest.raises(StoreUnavailableError, match="migrate"):
        await Store(engine).chat(TICKET)
    await engine.dispose()
