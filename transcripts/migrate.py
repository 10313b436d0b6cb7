"""Brings the database's tables to this program's version."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts.database import is_postgresql, write
from transcripts.errors import SchemaError

VERSION_TABLE = "transcripts_version"
HEAD = "0007"  # the newest file in migrations/versions; a test compares them
_PG_LOCK = 0x7472616E73637269  # "transcri"


@dataclass(frozen=True)
class Migrations:
    """One set of Alembic migrations with a version table of its own, beside others in one database.

    Attributes:
        folder: with env.py and versions/.
        version_table: where Alembic notes how far it has come.
        head: the newest revision.
        pg_lock: PostgreSQL's advisory lock for this set.
    """

    folder: Path
    version_table: str
    head: str
    pg_lock: int

    async def bring_up(self, connection: AsyncConnection) -> None:
        """Makes or updates the tables, in the caller's transaction; does nothing when they are up to date.

        Safe to run from several processes at once: under a lock, the others wait and then find nothing left to do.

        Raises:
            SchemaError: a newer version of the program has already been here.
        """
        if is_postgresql(connection):
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": self.pg_lock})
        await connection.run_sync(self._upgrade)

    def _upgrade(self, connection: Connection) -> None:
        if self._version(connection) == [self.head]:
            return  # as at every start but the first: Alembic alone takes a third of a second to import
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config()
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as exc:
            raise SchemaError(f"the database was made by a newer version of this program ({exc})") from exc

    def _version(self, connection: Connection) -> list[str]:
        if not inspect(connection).has_table(self.version_table):
            return []
        return list(connection.execute(text(f"SELECT version_num FROM {self.version_table}")).scalars())


_MIGRATIONS = Migrations(Path(__file__).parent / "migrations", VERSION_TABLE, HEAD, _PG_LOCK)


async def upgrade(engine: AsyncEngine) -> None:
    """Makes or updates the tables of the record, in one transaction: killed half-way, nothing has happened.

    Raises:
        StoreUnavailableError: the database does not answer.
        SchemaError: a newer version of the program has already been here.
    """
    async with write(engine) as connection:
        await _MIGRATIONS.bring_up(connection)
