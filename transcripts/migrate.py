"""Brings the database's tables to this program's version."""

from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts.database import write
from transcripts.errors import SchemaError

VERSION_TABLE = "transcripts_version"
HEAD = "0001"  # the newest file in migrations/versions; a test compares them
_PG_LOCK = 0x7472616E73637269  # "transcri": one advisory lock for this set of migrations


async def upgrade(engine: AsyncEngine) -> None:
    """Makes or updates the tables of the record; does nothing when they are up to date.

    Safe to run from several processes at once: all of it is one transaction under a lock, the others wait and then find
    nothing left to do. Killed half-way, nothing has happened.

    Raises:
        StoreUnavailableError: the database does not answer.
        SchemaError: a newer version of the program has already been here.
    """
    async with write(engine) as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PG_LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    if _version(connection) == [HEAD]:
        return  # as at every start but the first: Alembic alone takes a third of a second to import
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as exc:
        raise SchemaError(f"the database was made by a newer version of this program ({exc})") from exc


def _version(connection: Connection) -> list[str]:
    if not inspect(connection).has_table(VERSION_TABLE):
        return []
    return list(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars())
