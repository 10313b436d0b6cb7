"""The files of the database: what was deleted in SQL still lies in free pages, in the search's segments and in the
write-ahead log until it is written anew.
"""

import asyncio
import sqlite3
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts.database import is_postgresql, read
from transcripts.erasure.places import Look, Place, look_into
from transcripts.erasure.rules import RECORD, Rule
from transcripts.errors import StoreUnavailableError
from transcripts.postgres_engine import execute_long
from transcripts.sqlite_engine import sqlite_sentence

_PATIENCE_SECONDS = 60.0  # somebody may read for a while
_PIECE = 8 * 1024 * 1024


def database_files(engine: AsyncEngine, rules: Sequence[Rule] = RECORD) -> Place:
    """The files of this database; of PostgreSQL only those of our tables, which are the rules' and all that were made
    with them.
    """
    if not is_postgresql(engine):
        return _Sqlite(engine)
    return _Postgres(engine, sorted({name for rule in rules for name in rule.table.metadata.tables}))


class _Sqlite:
    name = "database"

    def __init__(self, engine: AsyncEngine) -> None:
        self._url = engine.url
        self._path = Path(engine.url.database or "").absolute()

    async def settle(self, tickets: Sequence[int]) -> None:
        """The record itself."""

    async def erase(self, tickets: Sequence[int]) -> None:
        """The rules have done it."""

    async def scrub(self) -> None:
        await asyncio.to_thread(self._scrub)

    def _scrub(self) -> None:
        try:
            with closing(sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS, isolation_level=None)) as file:
                tables = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%USING fts5(%'"
                for (name,) in file.execute(tables).fetchall():
                    # A deleted word stays in its segment until that is merged with all others.
                    file.execute(f"INSERT INTO {name}({name}) VALUES ('optimize')")
                file.execute("VACUUM")
                _empty_log(file)
        except sqlite3.Error as exc:
            raise StoreUnavailableError(sqlite_sentence(self._url, exc)) from exc

    async def look(self, samples: Collection[bytes]) -> Look:
        files = [self._path, Path(f"{self._path}-wal"), Path(f"{self._path}-journal")]
        return await asyncio.to_thread(look_into, self.name, [file for file in files if file.exists()], samples)


def _empty_log(file: sqlite3.Connection) -> None:
    """Writes the write-ahead log into the file and cuts it to nothing; waits for those who read."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError("database is locked")
        time.sleep(0.05)


class _Postgres:
    """The tables' files are written anew. The server's write-ahead log, its replicas and backups are the operator's
    (docs/erasing.md).
    """

    name = "database"

    def __init__(self, engine: AsyncEngine, tables: Sequence[str]) -> None:
        self._engine, self._names = engine, tables

    async def settle(self, tickets: Sequence[int]) -> None:
        """The record itself."""

    async def erase(self, tickets: Sequence[int]) -> None:
        """The rules have done it."""

    async def scrub(self) -> None:
        tables = await self._tables()
        async with self._engine.connect() as connection:
            try:
                await execute_long(connection, "SET statement_timeout = 0")
                await execute_long(connection, f"SET lock_timeout = '{_PATIENCE_SECONDS:.0f}s'")
                for table in tables:
                    await execute_long(connection, f'VACUUM (FULL) "{table}"')
            finally:
                await connection.invalidate()  # the settings above are this connection's

    async def _tables(self) -> list[str]:
        question = text(
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
            "AND (tablename = ANY(:names) OR tablename LIKE 'search\\_%') ORDER BY tablename"
        )
        async with read(self._engine) as connection:
            return list(await connection.scalars(question, {"names": self._names}))

    async def look(self, samples: Collection[bytes]) -> Look:
        # Tables, their long values and indexes, where the server lets us read its files.
        relations = text(
            "SELECT pg_relation_filepath(c.oid), pg_relation_size(c.oid) FROM pg_class c LEFT JOIN pg_class t "
            "ON t.reltoastrelid = c.oid OR t.oid IN (SELECT indrelid FROM pg_index WHERE indexrelid = c.oid) "
            "WHERE coalesce(t.relnamespace, c.relnamespace) = current_schema()::regnamespace "
            "AND coalesce(t.relname, c.relname) = ANY(:tables) AND c.relkind IN ('r', 't', 'i') GROUP BY c.oid"
        )
        segment = text(
            "SELECT setting::bigint * current_setting('block_size')::bigint FROM pg_settings "
            "WHERE name = 'segment_size'"
        )
        part = text("SELECT pg_read_binary_file(:path, :start, :length)")
        overlap = max(map(len, samples), default=1) - 1
        tables = await self._tables()
        files, size, found = 0, 0, set()
        try:
            async with read(self._engine) as connection:
                await connection.execute(text("CHECKPOINT"))  # what is only in memory will be in the files
                bound = await connection.scalar(segment) or 0
                for relation in (await connection.execute(relations, {"tables": tables})).all():
                    files += 1
                    for path, start, length in pieces(*relation, segment=bound):
                        values = {"path": path, "start": start, "length": length + overlap}
                        raw = bytes(await connection.scalar(part, values) or b"")
                        size += min(len(raw), length)
                        found |= {sample for sample in samples if sample in raw}
        except (DBAPIError, StoreUnavailableError) as exc:
            return Look(self.name, unread=f"its files cannot be read: {_first_line(exc)}")
        return Look(self.name, files, size, tuple(found))


def pieces(path: str, size: int, *, segment: int) -> Iterator[tuple[str, int, int]]:
    """(file, start, bytes) of each piece of a relation. What is longer than a segment, 1 GiB, lies in several files:
    `path`, `path.1`, … No row lies in two of them.
    """
    for number in range(-(-size // segment)):
        file = f"{path}.{number}" if number else path
        here = min(segment, size - number * segment)
        for start in range(0, here, _PIECE):
            yield file, start, min(_PIECE, here - start)


def _first_line(exc: BaseException) -> str:
    return str(getattr(exc, "orig", None) or exc).partition("\n")[0].rpartition(": ")[2]


async def holds(connection: AsyncConnection, sample: bytes) -> bool:
    """Whether some row of any table has these bytes: then they may be in the files, too."""
    question, instr = (_TEXTS_POSTGRES, "position(:sample IN convert_to({}, 'UTF8')) > 0")
    if not is_postgresql(connection):
        question, instr = (_TEXTS_SQLITE, "instr(CAST({} AS BLOB), :sample) > 0")
    columns: dict[str, list[str]] = {}
    for table, column in (await connection.execute(text(question))).all():
        columns.setdefault(table, []).append(instr.format(f'"{column}"'))
    for table, conditions in columns.items():
        found = text(f'SELECT 1 FROM "{table}" WHERE {" OR ".join(conditions)} LIMIT 1')
        if await connection.scalar(found, {"sample": sample}):
            return True
    return False


_TEXTS_POSTGRES = (
    "SELECT table_name, column_name FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND data_type = 'text'"
)
# Without the tables that FTS5 keeps its index in: what stands there has to be in the table that they belong to.
_TEXTS_SQLITE = (
    "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' "
    "AND t.name NOT LIKE 'sqlite_%' AND c.type IN ('', 'TEXT') AND NOT EXISTS (SELECT 1 FROM sqlite_master v "
    "WHERE v.sql LIKE 'CREATE VIRTUAL TABLE%' AND t.name LIKE v.name || '\\_%' ESCAPE '\\' )"
)
