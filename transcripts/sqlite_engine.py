"""SQLite: opening a file for durability, and its errors in an operator's words.

Several processes (web, worker) share one file. Two rules keep them from ever failing with "database is locked": a
transaction that writes takes the write lock when it begins (BEGIN IMMEDIATE; a read transaction that turns into a
writing one cannot wait, SQLite refuses it at once), and every connection waits up to its patience for that lock.
"""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from transcripts.errors import StoreUnavailableError

WRITES = "transcripts_writes"
"""The execution option of a connection whose transactions write."""

_CACHE_KIB = 16 * 1024
"""Pages of a connection. With SQLite's own 2 MB, writing to a thousand chats at once reads many a page twice."""

_CHECKPOINT_PAGES = 4_000
"""16 MB of log before its pages go into the file. A chat that goes on changes the same ones again and again, and only
the last of each is copied (with this and the cache, a quarter less CPU for an entry in a thousand chats)."""

_OPENING_MS = 10_000  # opening waits as long as anything may, whatever the patience afterwards


def open_sqlite(url: URL, patience_ms: int) -> AsyncEngine:
    """The file of `url`, made if it is not there.

    Args:
        url: `sqlite:///path`.
        patience_ms: how long a connection waits for the write lock, and a caller for a connection.

    Raises:
        StoreUnavailableError: a folder that is missing or not writable, not a database.
    """
    in_file = bool(url.database) and url.database != ":memory:"
    pool: dict[str, Any] = {"pool_timeout": patience_ms / 1000} if in_file else {}
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"),
        connect_args={"timeout": patience_ms / 1000},
        hide_parameters=True,
        **pool,
    )
    if url.database and in_file:
        _try_file(url, Path(url.database).absolute(), patience_ms)

    def prepare(connection: Any, _record: object) -> None:
        _prepare(connection, patience_ms)

    event.listen(engine.sync_engine, "connect", prepare)
    event.listen(engine.sync_engine, "begin", _begin)
    return engine


def sqlite_sentence(url: URL, exc: BaseException) -> str:
    """What is wrong, in one line."""
    where = url.database
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


def _try_file(url: URL, path: Path, patience_ms: int) -> None:
    """Opens the file once, so that a wrong path is told when the program starts and not at the first message."""
    if not path.parent.is_dir():
        raise StoreUnavailableError(f"the database's folder {path.parent} does not exist")
    try:
        if path.is_file() and not os.access(path, os.W_OK):
            raise sqlite3.OperationalError("readonly database")
        with closing(sqlite3.connect(path, timeout=_OPENING_MS / 1000)) as connection:
            _set_pragmas(connection.cursor(), patience_ms)
    except (sqlite3.Error, OSError) as exc:
        raise StoreUnavailableError(sqlite_sentence(url, exc)) from exc


def _prepare(connection: Any, patience_ms: int) -> None:
    connection.isolation_level = None  # the driver must not begin transactions on its own: _begin does
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
    cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    cursor.fetchall()


def _switch_to_wal(cursor: Any) -> None:
    # Only a new file gets here. Two processes doing this at once: SQLite answers "locked" without waiting, so we wait.
    deadline = time.monotonic() + _OPENING_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.fetchone()
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
