"""One database: opening it, reading from it, writing to it.

On SQLite several processes (web, worker) share one file. Two rules keep them from ever failing with "database is
locked": a transaction that writes takes the write lock when it begins (BEGIN IMMEDIATE; a read transaction that turns
into a writing one cannot wait, SQLite refuses it at once), and every connection waits up to 10 s for that lock
(`patience_ms`; so long a caller waits at most for a connection, too).
"""

import os
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from transcripts.errors import StoreUnavailableError

BUSY_MS = 10_000
"""How long a connection waits for another process' write, unless told."""

_WRITES = "transcripts_writes"


def open_database(url: str, *, patience_ms: int = BUSY_MS) -> AsyncEngine:
    """Opens `sqlite:///path` (`sqlite:////absolute/path`) or `postgresql://…`, as an operator writes it.

    A SQLite file is tried at once (and made if it is not there); a server that cannot be reached shows up at the first
    transaction. Close with `await engine.dispose()`.

    Raises:
        StoreUnavailableError: not a database address, a folder that is missing or not writable, not a database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StoreUnavailableError("the database address must look like sqlite:///path or postgresql://…") from exc
    family = parsed.drivername.partition("+")[0]
    if family == "sqlite":
        return _open_sqlite(parsed, patience_ms)
    if family in {"postgresql", "postgres"}:
        return _open_postgresql(parsed, patience_ms)
    raise StoreUnavailableError(f"databases are sqlite:///path or postgresql://…, not {parsed.drivername}")


@asynccontextmanager
async def read(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads: everything in it sees one moment of the database (SQLite).

    Raises:
        StoreUnavailableError: the database cannot be opened or does not answer.
    """
    with _plain_errors(engine):
        async with engine.connect() as connection, connection.begin():
            yield connection


@asynccontextmanager
async def write(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, rolled back on any exception.

    SQLite: no other process writes while it is open, so keep it short and await nothing else in it.

    Raises:
        StoreUnavailableError: the database cannot be opened, does not answer, or stayed locked.
        sqlalchemy.exc.IntegrityError: passed on; the caller knows what it means.
    """
    with _plain_errors(engine):
        async with engine.connect() as connection:
            writing = await connection.execution_options(**{_WRITES: True})
            async with writing.begin():
                yield writing


class _plain_errors:
    """Turns the drivers' errors into StoreUnavailableError with a sentence for an operator."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, (IntegrityError, ProgrammingError)):
            return  # a question of the caller's, or a mistake of ours: neither gets better by waiting
        if isinstance(exc, NoConnectionLeft):
            raise StoreUnavailableError("all connections to the database are waiting for it") from exc
        if isinstance(exc, (DBAPIError, sqlite3.Error, OSError)):
            raise StoreUnavailableError(_sentence(self._engine.url, exc)) from exc


def _sentence(url: URL, exc: BaseException) -> str:
    where = url.database if url.get_backend_name() == "sqlite" else url.host
    cause = str(getattr(exc, "orig", None) or exc)
    if "not a database" in cause:
        return f"{where} is not a SQLite database"
    if "locked" in cause or "busy" in cause:
        return f"the database {where} is locked by another process"
    if "disk is full" in cause:
        return f"the disk of the database {where} is full"
    if "unable to open" in cause:
        return f"the database {where} cannot be opened: is its folder there and writable?"
    if "readonly" in cause or "read-only" in cause:
        return f"the database {where} cannot be written: check the permissions of the file and its folder"
    if "no such table" in cause:
        return f"the database {where} has no tables yet: run `chatserver migrate`"
    return f"the database {where} does not answer: {cause}"


def _open_sqlite(url: URL, patience_ms: int) -> AsyncEngine:
    in_file = bool(url.database) and url.database != ":memory:"
    pool: dict[str, Any] = {"pool_timeout": patience_ms / 1000} if in_file else {}
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": patience_ms / 1000},
        hide_parameters=True,
        **pool,
    )
    if url.database and in_file:
        _try_file(engine, Path(url.database).absolute(), patience_ms)

    def prepare(connection: Any, _record: object) -> None:
        _prepare_sqlite(connection, patience_ms)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _try_file(engine: AsyncEngine, path: Path, patience_ms: int) -> None:
    """Opens the file once, so that a wrong path is told when the program starts and not at the first message."""
    if not path.parent.is_dir():
        raise StoreUnavailableError(f"the database's folder {path.parent} does not exist")
    if path.is_file() and not os.access(path, os.W_OK):
        raise StoreUnavailableError(_sentence(engine.url, sqlite3.OperationalError("readonly database")))
    with _plain_errors(engine), closing(sqlite3.connect(path, timeout=BUSY_MS / 1000)) as connection:
        _set_pragmas(connection.cursor(), patience_ms)


def _open_postgresql(url: URL, patience_ms: int) -> AsyncEngine:
    try:
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_pre_ping=True,
            pool_timeout=patience_ms / 1000,
            hide_parameters=True,
        )
    except ModuleNotFoundError as exc:
        raise StoreUnavailableError(
            "PostgreSQL needs the extra `postgres`: pip install 'chatserver[postgres]'"
        ) from exc


def _prepare_sqlite(connection: Any, patience_ms: int) -> None:
    connection.isolation_level = None  # the driver must not begin transactions on its own: _begin_sqlite does
    try:
        cursor = connection.cursor()
        _set_pragmas(cursor, patience_ms)
        cursor.close()
    except BaseException:
        connection.close()  # SQLAlchemy would leave it to the garbage collector, with its thread
        raise


def _set_pragmas(cursor: Any, patience_ms: int) -> None:
    cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")
    cursor.execute("PRAGMA journal_mode")
    if cursor.fetchone()[0] != "wal":
        _switch_to_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # durable means: on the disk, also after a power cut
    cursor.execute("PRAGMA foreign_keys = ON")


def _switch_to_wal(cursor: Any) -> None:
    # Only a new file gets here. Two processes doing this at once: SQLite answers "locked" without waiting, so we wait.
    deadline = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.fetchone()
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
