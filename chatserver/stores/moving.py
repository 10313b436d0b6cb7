"""Moving an installation's record, people and settings from one database into another: all of it, or nothing.

One transaction on each side: nobody writes to the old database meanwhile, and the new one has either everything, with
every seal verified in it, or stays as it was. What the search knows is not moved; it is made anew from the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import chatserver.stores.schema as hub
from chatserver.errors import ConflictError
from chatserver.stores.migrate import DEFAULT_DEPARTMENT, DEFAULT_SITE
from transcripts import schema as record
from transcripts.audit import broken_seals
from transcripts.bulk import execute_many
from transcripts.database import is_postgresql, lock_tables, refused, write

AT_ONCE = 2_000
"""Rows read and written at a time: a megabyte or so."""

TABLES: tuple[Table, ...] = (*record.metadata.sorted_tables, *hub.metadata.sorted_tables)

_FIRST_ROWS = {
    record.seal_chain: record.seal_chain.c.number > 0,
    hub.departments: hub.departments.c.id != DEFAULT_DEPARTMENT,
    hub.sites: hub.sites.c.key != DEFAULT_SITE,
    hub.counters: hub.counters.c.name.not_in(("ticket", "retention_day")),
}
"""Tables that are never empty, and which of their rows no new database has."""

_SHOWN = 5

Progress = Callable[[int, int], None]


class NotEmptyError(ConflictError):
    """The database that should take everything has something already."""


class NotMovedError(ConflictError):
    """What arrived is not what there was: nothing was moved."""


async def move(
    old: AsyncEngine,
    new: AsyncEngine,
    *,
    keys: Mapping[str, bytes],
    on_rows: Progress = lambda done, total: None,
    on_verified: Progress = lambda done, total: None,
) -> dict[str, int]:
    """Copies all tables of both packages, and checks the copy; {table: rows}. Both databases are migrated.

    Args:
        old, new: from where to where. The search of `new` is empty afterwards: `Search.index_pending`.
        keys: {key_id: public key} of the seals.
        on_rows, on_verified: told how far it is.

    Raises:
        NotEmptyError: `new` has chats, people or settings of its own. Nothing was changed.
        NotMovedError: what arrived is not what was sealed. Nothing was changed.
        transcripts.errors.StoreUnavailableError: one of them does not answer. Nothing was changed.
    """
    async with write(old) as source, write(new) as target:
        await lock_tables(target, *TABLES)
        await _require_empty(target)
        rows = {table: await _count(source, table) for table in TABLES}
        total, done = sum(rows.values()), 0
        given_out = await _next_ticket(target)
        for table in TABLES:
            await target.execute(delete(table))
            async for count in _copy(source, target, table):
                done += count
                on_rows(done, total)
            if await _count(target, table) != rows[table]:
                raise NotMovedError(f"Not all rows of {table.name} have arrived; nothing was moved.")
        if given_out > await _next_ticket(target):  # a server has begun there, and may have told somebody a number
            await target.execute(update(hub.counters).where(hub.counters.c.name == "ticket").values(value=given_out))
        await _count_on(target)
        await _require_seals(target, keys, on_verified)
    return {table.name: count for table, count in rows.items()}


async def _copy(source: AsyncConnection, target: AsyncConnection, table: Table) -> Any:
    changed = {"indexed_seq": 0} if table is record.chats else {}
    async with source.stream(select(table), execution_options={"yield_per": AT_ONCE}) as found:
        async for part in found.mappings().partitions(AT_ONCE):
            try:
                await execute_many(target, insert(table), [{**row, **changed} for row in part])
            except DBAPIError as exc:
                if not refused(exc):
                    raise
                raise NotMovedError(
                    f"Nothing was moved: {table.name} has something that does not fit: {exc.orig}"
                ) from exc
            yield len(part)


async def _require_empty(target: AsyncConnection) -> None:
    for table in TABLES:
        question = select(func.count()).select_from(table)
        if table in _FIRST_ROWS:
            question = question.where(_FIRST_ROWS[table])
        if count := await target.scalar(question):
            raise NotEmptyError(
                f"The new database has {count} {'row' if count == 1 else 'rows'} in {table.name} already: only an "
                "empty one can take everything. Nothing was changed."
            )


async def _require_seals(target: AsyncConnection, keys: Mapping[str, bytes], on_verified: Progress) -> None:
    problems = [problem async for problem in broken_seals(target, keys, on_verified)]
    if problems:
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise NotMovedError(f"Nothing was moved, seals do not hold: {'; '.join(problems[:_SHOWN])}{more}")


async def _count(connection: AsyncConnection, table: Table) -> int:
    return await connection.scalar(select(func.count()).select_from(table)) or 0


async def _next_ticket(connection: AsyncConnection) -> int:
    return await connection.scalar(select(hub.counters.c.value).where(hub.counters.c.name == "ticket")) or 0


async def _count_on(target: AsyncConnection) -> None:
    """PostgreSQL's own counters do not see the numbers that came with the rows."""
    if is_postgresql(target):
        for table in ("accesses", "holds"):
            await target.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table} HAVING max(id) > 0")
            )
