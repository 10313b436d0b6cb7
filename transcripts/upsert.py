"""INSERT … ON CONFLICT, which SQLite and PostgreSQL spell the same and SQLAlchemy keeps in two dialects."""

from collections.abc import Collection, Sequence
from functools import cache

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.dml import Insert

from transcripts.database import is_postgresql


def insert_missing(connection: AsyncConnection, table: Table) -> Insert:
    """A statement that inserts a row unless one that may not stand beside it is there: then nothing happens."""
    insert = postgresql.insert if is_postgresql(connection) else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def upsert(connection: AsyncConnection, table: Table, *, key: Sequence[str], kept: Collection[str]) -> Insert:
    """A statement that inserts a row or, where its key is there, overwrites all columns but the `kept` ones.

    The same question gives the same statement, so that it is compiled once.
    """
    return _upsert(is_postgresql(connection), table, tuple(key), frozenset(kept))


@cache
def _upsert(on_postgresql: bool, table: Table, key: tuple[str, ...], kept: frozenset[str]) -> Insert:
    insert = postgresql.insert if on_postgresql else sqlite.insert
    statement = insert(table)
    changes = {column.name: statement.excluded[column.name] for column in table.c if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=key, set_=changes)
