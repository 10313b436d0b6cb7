"""Brings the hub's tables to this program's version, and puts in the rows that every installation has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chatserver.stores.schema import counters, departments, sites
from transcripts.database import write
from transcripts.migrate import Migrations

VERSION_TABLE = "chatserver_version"
HEAD = "chatserver_0003"  # the newest file in migrations/versions; a test compares them
FIRST_TICKET_COUNTER = 10_000
DEFAULT_SITE = "default"
DEFAULT_DEPARTMENT = "support"
DEFAULT_TOPICS = ("Returns", "Refund", "Delivery", "Something else")
_PG_LOCK = 0x6368617473727672  # "chatsrvr": one advisory lock for this set of migrations


_MIGRATIONS = Migrations(Path(__file__).parent / "migrations", VERSION_TABLE, HEAD, _PG_LOCK)


async def upgrade(
    engine: AsyncEngine, *, site_name: str, site_origins: Sequence[str], rewrite_site: bool = False
) -> None:
    """Makes or updates the tables; safe to run from several processes at once, nothing is half done.

    Args:
        engine: the database.
        site_name: name of the default site, for a database that has none yet.
        site_origins: which pages may show its widget, likewise.
        rewrite_site: write both to a site that is there as well. Only for the server itself, whose settings are what
            counts: the environment of another command says nothing about them.

    Raises:
        transcripts.errors.SchemaError: a newer version of the program has already been here.
        transcripts.errors.StoreUnavailableError: the database does not answer.
    """
    async with write(engine) as connection:
        await _MIGRATIONS.bring_up(connection)
        await _first_rows(connection, site_name, site_origins, rewrite_site)


async def _first_rows(
    connection: AsyncConnection, site_name: str, site_origins: Sequence[str], rewrite_site: bool
) -> None:
    async def missing(statement: Any) -> bool:
        return (await connection.execute(statement)).first() is None

    if await missing(select(counters).where(counters.c.name == "ticket")):
        await connection.execute(insert(counters).values(name="ticket", value=FIRST_TICKET_COUNTER))
    if await missing(select(departments).limit(1)):
        await connection.execute(insert(departments).values(id=DEFAULT_DEPARTMENT, name="Support", kind="staff"))
    origins = json.dumps(list(site_origins))
    if await missing(select(sites).where(sites.c.key == DEFAULT_SITE)):
        topics = json.dumps([{"label": label, "department": DEFAULT_DEPARTMENT} for label in DEFAULT_TOPICS])
        await connection.execute(
            insert(sites).values(
                key=DEFAULT_SITE,
                name=site_name,
                origins=origins,
                jwt_keys="[]",
                theme="{}",
                topics=topics,
                default_department=DEFAULT_DEPARTMENT,
            )
        )
    elif rewrite_site:
        await connection.execute(
            update(sites).where(sites.c.key == DEFAULT_SITE).values(name=site_name, origins=origins)
        )
