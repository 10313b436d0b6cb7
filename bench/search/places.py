"""A large record on both engines, kept in a folder between runs: filling it takes minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.search.talk import ENTRIES_A_CHAT, Talk
from tests.support.postgres import Databases, OwnPostgres
from transcripts import schema
from transcripts.database import is_postgresql, read
from transcripts.search import Search
from transcripts.store import Store

_AT_ONCE = 400  # chats in a transaction


@contextmanager
def databases(folder: Path, names: Sequence[str]) -> Iterator[dict[str, dict[str, str]]]:
    """{name: {engine: address}} of the records in the folder, made where they are new."""
    folder.mkdir(parents=True, exist_ok=True)
    with OwnPostgres(folder / "postgresql", shared_buffers="512MB", max_wal_size="4GB") as server:
        kept = Databases(server.url, kept=True)
        known = {found for (found,) in kept.execute("SELECT datname::text FROM pg_database")}
        for name in names:
            if name not in known:
                kept.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        yield {name: {"SQLite": f"sqlite:///{folder / f'{name}.db'}", "PostgreSQL": kept.of(name)} for name in names}


@dataclass(frozen=True)
class Filled:
    """What filling took, in this run."""

    chats: int
    entries_per_second: float | None
    chats_indexed_per_second: float | None


async def fill(engine: AsyncEngine, chats: int, advance: Callable[[str, int], None]) -> Filled:
    """So many chats in all, all of them indexed. Goes on where an earlier run ended."""
    store, search = Store(engine), Search(engine)
    async with read(engine) as connection:
        there = await connection.scalar(select(func.count()).select_from(schema.chats)) or 0
    talk = Talk(seed=there + 1)
    writing = 0.0
    for first in range(there, chats, _AT_ONCE):
        batches = list(talk.chats(first, min(_AT_ONCE, chats - first)))
        began = time.perf_counter()
        appended = await store.append(batches)
        writing += time.perf_counter() - began
        assert len(appended.durable) == len(batches), appended
        advance("entries", (first + len(batches)) * ENTRIES_A_CHAT)
    began, indexed = time.perf_counter(), 0
    while count := await search.index_pending(_AT_ONCE):
        indexed += count
        advance("indexed", indexed)
    indexing = time.perf_counter() - began
    await _settle(engine)
    return Filled(
        chats,
        (chats - there) * ENTRIES_A_CHAT / writing if chats > there else None,
        indexed / indexing if indexed else None,
    )


async def _settle(engine: AsyncEngine) -> None:
    """As after a night: statistics are there, the write-ahead log is short."""
    async with engine.connect() as connection:
        settled = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await settled.execute(text("VACUUM (ANALYZE)" if is_postgresql(engine) else "PRAGMA wal_checkpoint(TRUNCATE)"))


def warm(folder: Path) -> None:
    """Reads every file once, so that they are in the machine's memory, as those of a server that has run for a day."""
    for path in folder.rglob("*"):
        # The server may take away one of its own meanwhile.
        with suppress(FileNotFoundError, IsADirectoryError), path.open("rb", buffering=0) as file:
            while file.read(1 << 20):
                pass


async def version(engine: AsyncEngine) -> str:
    """That of the database."""
    question = "SHOW server_version" if is_postgresql(engine) else "SELECT sqlite_version()"
    async with read(engine) as connection:
        return str(await connection.scalar(text(question)))


async def sizes(engine: AsyncEngine) -> tuple[int, int]:
    """(bytes of the database, bytes of them for the search)."""
    async with read(engine) as connection:
        if is_postgresql(engine):
            whole = "SELECT pg_database_size(current_database())"
            tables = "SELECT tablename FROM pg_tables WHERE tablename LIKE 'search%'"
            part = f"SELECT coalesce(sum(pg_total_relation_size(quote_ident(tablename))), 0) FROM ({tables}) AS t"
        else:
            whole = "SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE"
            part = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'search%' AND aggregate = TRUE"
        found = [int(await connection.scalar(text(question)) or 0) for question in (whole, part)]
    return found[0], found[1]
