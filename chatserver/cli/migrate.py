"""`chatserver migrate`: the tables, and the way from SQLite to PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from chatserver.cli.common import data_option, settings_of
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.keys import public_seal_keys
from chatserver.preflight import MIGRATION_MS, migrate


@click.command("migrate")
@click.option(
    "--from",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Move everything of this SQLite file into the empty PostgreSQL of CHAT_DATABASE_URL.",
)
@data_option
def migrate_command(file: Path | None, data: Path | None) -> None:
    """Make or update the tables; with --from, move an installation from SQLite to PostgreSQL.

    Stop the server first. Everything is moved and every seal verified, or nothing is changed; the file stays as it is.
    """
    settings = settings_of(data=data)
    if file is None:
        asyncio.run(migrate(settings))
        click.echo("The tables are up to date.")
        return
    if not settings.database.startswith("postgres"):
        raise ConfigError("--from moves into PostgreSQL: set CHAT_DATABASE_URL=postgresql://…")
    asyncio.run(_move(file.absolute(), settings))


async def _move(file: Path, settings: Settings) -> None:
    from chatserver.cli.progress import progress
    from chatserver.stores.moving import move
    from transcripts.database import open_database
    from transcripts.search import Search

    keys = public_seal_keys(settings.data, os.environ)
    source = settings.with_options(database_url=f"sqlite:///{file}")
    await migrate(source)
    await migrate(settings)
    old = open_database(source.database)
    new = open_database(settings.database, statement_ms=MIGRATION_MS)
    try:
        with progress("Moving") as bar:
            rows = await move(
                old,
                new,
                keys=keys,
                on_rows=bar,
                on_verified=lambda done, total: bar(done, total, "Verifying"),
            )
        click.echo(
            f"Moved {rows['chats']} chats with {rows['entries']} entries, {rows['agents']} agents and "
            f"{rows['customers']} customers; all {rows['seals']} seals hold."
        )
        search, done = Search(new), 0
        with progress("Indexing", rows["chats"]) as indexed:
            while count := await search.index_pending():
                indexed(done := done + count)
    finally:
        await old.dispose()
        await new.dispose()
