"""What commands share: settings from options and environment, one database for the time of a command."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.config import Settings
from chatserver.preflight import migrate
from transcripts.database import open_database

data_option = click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Data folder (default ./data, or CHAT_DATA)."
)


def settings_of(**options: object) -> Settings:
    """The environment's settings with the command's options."""
    return Settings.from_env(os.environ).with_options(**options)


@contextlib.asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The installation's database, with its tables up to date."""
    await migrate(settings)
    engine = open_database(settings.database)
    try:
        yield engine
    finally:
        await engine.dispose()
