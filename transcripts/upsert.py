"""INSERT … ON CONFLICT, which SQLite and PostgreSQL spell the same and SQLAlchemy keeps in two dialects."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.database import is_postgresql


def upsert(connection: AsyncConnection, table: Table, *, key: Sequence[str], kept: Collection[str]) -> Any:
    """A statement that inserts a row or, where its key is there, overwrites all columns but the `kept` ones."""
    insert = postgresql.insert if is_postgresql(connection) else sqlite.insert
    statement = insert(table)
    changes = {column.name: statement.excluded[column.name] for column in table.c if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changes)
