"""What commands share: settings from options and environment, one database for the time of a command, and its chats."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import click
from sqlalchemy import make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.config import Settings
from chatserver.errors import ConfigError, NotFoundError
from chatserver.preflight import migrate
from chatserver.stores.migrate import DEFAULT_SITE
from chatserver.stores.schema import customers
from transcripts.chat import Chat
from transcripts.database import open_database, read
from transcripts.store import Store
from transcripts.ticket import parse_ticket

OPERATOR = "command line"
"""Who did it, in the audit and in a transcript's list of openings."""

data_option = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder (default ./data, or CHAT_DATA)."
)
json_option = click.option("--json", "as_json_lines", is_flag=True, help="One JSON object a line.")


def settings_of(**options: object) -> Settings:
    """The environment's settings with the command's options."""
    return Settings.from_env(os.environ).with_options(**options)


def require_installation(settings: Settings) -> None:
    """For commands that only read: a wrong folder is said, and not filled with an empty installation.

    With CHAT_DATABASE_URL the database counts as the installation; if it is a file, the file has to be there.

    Raises:
        ConfigError: there is nothing to read.
    """
    url = make_url(settings.database)
    file = url.database if url.get_backend_name() == "sqlite" else None
    if file is None or Path(file).exists():
        return
    if settings.database_url:
        raise ConfigError(f"There is no installation in {Path(file).absolute()} (CHAT_DATABASE_URL)")
    raise ConfigError(f"There is no installation in {settings.data.absolute()} (use --data, or CHAT_DATA)")


@contextlib.asynccontextmanager
async def database(settings: Settings, *, create: bool = False) -> AsyncIterator[AsyncEngine]:
    """The installation's database, with its tables up to date.

    Args:
        settings: where it is.
        create: make an installation where there is none.

    Raises:
        ConfigError: there is none, or it cannot be used.
    """
    if not create:
        require_installation(settings)
    await migrate(settings)
    engine = open_database(settings.database)
    try:
        yield engine
    finally:
        await engine.dispose()


async def chat_of(store: Store, text: str) -> Chat:
    """The chat whose ticket number somebody has typed.

    Raises:
        NotFoundError: there is none.
    """
    ticket = parse_ticket(text)
    chat = await store.chat(ticket) if ticket else None
    if chat is None:
        raise NotFoundError(f"There is no chat {text}.")
    return chat


async def customer_of(engine: AsyncEngine, text: str) -> str:
    """Our id of the customer named on the command line.

    Raises:
        NotFoundError: there is none.
    """
    external = text.removeprefix("external:") if text.startswith("external:") else None
    table = customers.c
    named = (table.site == DEFAULT_SITE) & (table.external_id == external) if external else table.id == text
    async with read(engine) as connection:
        found = await connection.scalar(select(table.id).where(named))
    if found is None:
        raise NotFoundError(f"There is no customer {text}.")
    return str(found)


def run_on_database(work: Callable[[AsyncEngine], Awaitable[None]], data: Path | None) -> None:
    """Does it on the database of the installation."""

    async def run() -> None:
        async with database(settings_of(data=data)) as engine:
            await work(engine)

    asyncio.run(run())
