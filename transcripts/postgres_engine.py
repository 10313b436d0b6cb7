"""PostgreSQL: opening it as its own programs do, and its errors in an operator's words.

The address is handed to the driver as it was written, so `sslmode`, `sslrootcert`, `target_session_attrs`, a socket's
folder in `host`, a password file and the `PG…` variables work as with psql. Nothing waits for ever: the server ends a
statement that takes too long, and where the server itself does not answer any more the driver gives it up.
"""

from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from transcripts.errors import StoreUnavailableError

_GRACE_MS = 1_000
"""How much later than the server the driver ends a statement: the server says why, and the connection stays good."""

_IDLE_MS = 60_000
"""How long a transaction may do nothing: a process that was stopped in the middle holds its locks no longer."""

_CONNECT_MS = 5_000

_LONG_SECONDS = 86_400.0
"""For what writes whole tables. The driver has a limit for each statement, and none can be had."""

NO_TABLE = "42P01"

UNDONE = frozenset({"40001", "40P01"})
"""SQLSTATE of a transaction that was undone for another's sake: serialization failure, deadlock."""


def open_postgresql(url: URL, *, patience_ms: int, statement_ms: int, connections: int) -> AsyncEngine:
    """A pool of at most `connections`; the server need not answer yet, nor all the time.

    Connections are tried before they are used (0.1 ms), so a restart of the server is noticed by nobody who comes
    after it.

    Args:
        url: `postgresql://…`
        patience_ms: how long a caller waits for a connection.
        statement_ms: how long one statement may take, waiting for locks included.
        connections: of this process, at most.

    Raises:
        StoreUnavailableError: the driver is not installed.
    """
    try:
        import asyncpg
    except ModuleNotFoundError as exc:
        raise StoreUnavailableError(
            "PostgreSQL needs the extra `postgres`: pip install 'chatserver[postgres]'"
        ) from exc
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)

    async def connect(*_: Any, **__: Any) -> Any:
        try:
            return await asyncpg.connect(
                dsn,
                timeout=min(patience_ms, _CONNECT_MS) / 1000,
                command_timeout=(statement_ms + _GRACE_MS) / 1000,
                server_settings={
                    "application_name": "chatserver",
                    "statement_timeout": str(statement_ms),
                    "idle_in_transaction_session_timeout": str(_IDLE_MS),
                    "jit": "off",  # compiling a statement takes longer than any of ours
                },
            )
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as exc:
            raise StoreUnavailableError(postgres_sentence(exc)) from exc

    return create_async_engine(
        URL.create("postgresql+asyncpg"),
        async_creator=connect,
        pool_pre_ping=True,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=patience_ms / 1000,
        hide_parameters=True,
    )


async def execute_long(connection: AsyncConnection, statement: str) -> None:
    """Executes a statement, outside of any transaction, that may take as long as the server lets it.

    Raises:
        StoreUnavailableError: it failed, or the server is gone.
    """
    import asyncpg

    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        await driver.execute(statement, timeout=_LONG_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as exc:
        raise StoreUnavailableError(postgres_sentence(exc)) from exc


def sqlstate(exc: BaseException) -> str:
    """PostgreSQL's five characters for what went wrong; empty if it did not say."""
    return getattr(getattr(exc, "orig", None) or exc, "sqlstate", None) or ""


def postgres_sentence(exc: BaseException) -> str:
    """What is wrong, in one line without the address, which may hold a password."""
    code = sqlstate(exc)
    cause = getattr(getattr(exc, "orig", None), "driver_exception", None) or getattr(exc, "orig", None) or exc
    if code in _SENTENCES:
        return f"the PostgreSQL database {_SENTENCES[code]}"
    if code[:2] == "28":
        return f"the PostgreSQL server does not let us in: {cause}"
    if code == "3D000":
        return f"the PostgreSQL server has no such database: {cause}"
    if isinstance(cause, TimeoutError):
        return "the PostgreSQL server does not answer"
    if isinstance(cause, OSError):
        return f"the PostgreSQL server cannot be reached: {cause}"
    return f"the PostgreSQL database does not answer: {cause}"


_SENTENCES = {
    "25006": "can only be read: it is a standby",
    NO_TABLE: "has no tables yet: run `chatserver migrate`",
    "53100": "has a full disk",
    "53300": "has no connections left: raise its max_connections, or lower CHAT_DATABASE_CONNECTIONS",
    "55P03": "is locked by another process",
    "57014": "takes too long to answer",
    "57P01": "is being shut down",
    "57P03": "is starting or stopping",
}
