"""One database: opening it, reading from it, writing to it. What differs between SQLite and PostgreSQL is in
`sqlite_engine` and `postgres_engine`, and in the search's two indexes.

The rule for what is read and then written in one transaction: on SQLite a writing transaction has the database for
itself from its beginning. On PostgreSQL it has only what it locks: rows read `with_for_update`, in the order of their
keys so that no two transactions wait for each other, or whole tables (`lock_tables`).
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from sqlalchemy import Table, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts.errors import StoreUnavailableError, UndoneError
from transcripts.postgres_engine import NO_TABLE, UNDONE, open_postgresql, postgres_sentence, sqlstate
from transcripts.sqlite_engine import WRITES, open_sqlite, sqlite_sentence

_T = TypeVar("_T")

BUSY_MS = 10_000
"""How long a connection waits for another process' write, unless told."""

CONNECTIONS = 10
"""To PostgreSQL, of one process, unless told."""

_ATTEMPTS = 3


def open_database(
    url: str, *, patience_ms: int = BUSY_MS, statement_ms: int | None = None, connections: int = CONNECTIONS
) -> AsyncEngine:
    """Opens `sqlite:///path` (`sqlite:////absolute/path`) or `postgresql://…`, as an operator writes it.

    A SQLite file is tried at once (and made if it is not there); a server that cannot be reached shows up at the first
    transaction. Close with `await engine.dispose()`.

    Args:
        url: the address.
        patience_ms: how long to wait for other writers, and for a connection.
        statement_ms: PostgreSQL: how long one statement may take; the patience unless told.
        connections: PostgreSQL: at most so many.

    Raises:
        StoreUnavailableError: not a database address, a folder that is missing or not writable, not a database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise StoreUnavailableError("the database address must look like sqlite:///path or postgresql://…") from exc
    family = parsed.drivername.partition("+")[0]
    if family == "sqlite":
        return open_sqlite(parsed, patience_ms)
    if family in {"postgresql", "postgres"}:
        return open_postgresql(
            parsed, patience_ms=patience_ms, statement_ms=statement_ms or patience_ms, connections=connections
        )
    raise StoreUnavailableError(f"databases are sqlite:///path or postgresql://…, not {parsed.drivername}")


@asynccontextmanager
async def read(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that only reads: everything in it sees one moment of the database.

    Raises:
        StoreUnavailableError: the database cannot be opened or does not answer.
    """
    with _plain_errors(engine):
        async with engine.connect() as connection:
            if is_postgresql(connection):
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection


@asynccontextmanager
async def write(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that writes: committed at the end, rolled back on any exception.

    SQLite: no other process writes while it is open, so keep it short and await nothing else in it. PostgreSQL: each
    statement sees what others have committed before it (READ COMMITTED); the rule above says what to lock.

    Raises:
        StoreUnavailableError: the database cannot be opened, does not answer, or stayed locked.
        UndoneError: PostgreSQL undid it; nothing has happened (`repeated` tries again).
        sqlalchemy.exc.DBAPIError: the values were `refused`; the caller knows what it means.
    """
    with _plain_errors(engine):
        async with engine.connect() as connection:
            writing = await connection.execution_options(**{WRITES: True})
            async with writing.begin():
                yield writing


async def repeated(transaction: Callable[[], Awaitable[_T]]) -> _T:
    """Runs a whole transaction, and again when the database undid it for another's sake: never one that may have been
    committed.

    Raises:
        UndoneError: it was undone three times.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            return await transaction()
        except UndoneError:
            continue
    return await transaction()


async def lock_tables(connection: AsyncConnection, *tables: Table) -> None:
    """Nobody else writes to these tables until the end of the transaction; reading goes on. For rare checks of what
    is not there yet, which no row can be locked for.
    """
    if is_postgresql(connection):
        names = ", ".join(table.name for table in tables)
        await connection.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def is_postgresql(database: AsyncConnection | AsyncEngine) -> bool:
    """Which of the two engines it is."""
    return database.dialect.name == "postgresql"


def refused(exc: DBAPIError) -> bool:
    """Whether the database refused the values themselves (a rule that they break, a text that it cannot hold): asking
    again gets the same answer.
    """
    return isinstance(exc, IntegrityError) or sqlstate(exc)[:2] in {"22", "23"}


class _plain_errors:
    """Turns the drivers' errors into StoreUnavailableError with a sentence for an operator."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: object) -> None:
        if isinstance(exc, NoConnectionLeft):
            raise StoreUnavailableError("all connections to the database are waiting for it") from exc
        if isinstance(exc, DBAPIError) and (refused(exc) or _is_mistake(exc)):
            return  # a question of the caller's, or a mistake of ours: neither gets better by waiting
        if isinstance(exc, (DBAPIError, sqlite3.Error, OSError)):
            kind_of = UndoneError if sqlstate(exc) in UNDONE else StoreUnavailableError
            raise kind_of(self._sentence(exc)) from exc

    def _sentence(self, exc: BaseException) -> str:
        if is_postgresql(self._engine):
            return postgres_sentence(exc)
        return sqlite_sentence(self._engine.url, exc)


def _is_mistake(exc: DBAPIError) -> bool:
    return isinstance(exc, ProgrammingError) and sqlstate(exc) != NO_TABLE
