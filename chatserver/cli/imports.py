"""`chatserver transcripts import`: finished chats of other systems, or of one's own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.cli.common import data_option, database, json_option, settings_of
from chatserver.cli.progress import progress
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.garbage import look_seldom
from chatserver.keys import Keys
from chatserver.stores.directory import Directory
from chatserver.stores.migrate import DEFAULT_SITE
from chatserver.stores.tickets import lease
from transcripts.errors import ImportLineError
from transcripts.foreign import SYSTEMS, items_of, recognise
from transcripts.import_line import Item
from transcripts.importer import import_chats
from transcripts.seal import Sealer, SealKey
from transcripts.ticket import ticket_of


@click.command("import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--from", "system", type=click.Choice(list(SYSTEMS)), help="What wrote the file (default: seen by its first chat)."
)
@json_option
@data_option
def import_command(file: BinaryIO, system: str | None, as_json_lines: bool, data: Path | None) -> None:
    """Import finished chats; the same file again changes nothing. Prints external_id and ticket of each.

    The file is an export of Chatwoot, Zendesk Chat or Intercom, or JSON lines, one chat a line:

    {"external_id": "t-1", "topic": "Returns", "entries": [{"role": "customer", "text": "Hello?", "at":
    "2025-03-09T14:00:00Z"}]}

    All fields are in docs/importing.md.
    """
    asyncio.run(_import(file.read(), system, settings_of(data=data)))


async def _import(body: bytes, system: str | None, settings: Settings) -> None:
    sealer_key = SealKey.from_bytes(Keys.load(settings.data, os.environ).seal)
    items = _items(body)
    system = system or (recognise(items[0].text) if items else "jsonl")
    encode = msgspec.json.Encoder().encode
    done = 0
    look_seldom()  # the records of a chat are freed with it; looking at them again and again is a tenth of the time
    async with database(settings, create=True) as engine:
        with progress("Importing" if system == "jsonl" else f"Importing from {system}", len(items)) as advance:
            found = import_chats(
                engine,
                items,
                read=SYSTEMS[system],
                allocate=_allocator(engine),
                people=_People(Directory(engine)),
                sealer=Sealer(engine, sealer_key),
                masker=settings.masker,
                on_progress=advance,
            )
            try:
                async for one in found:
                    sys.stdout.buffer.write(encode({"external_id": one.external_id, "ticket": one.ticket}) + b"\n")
                    done += 1
            except ImportLineError as exc:
                before = "1 chat before it was" if done == 1 else f"{done} chats before it were"
                raise ConfigError(f"{exc}; {before} imported; mend the line and run again") from exc
    sys.stdout.buffer.flush()


def _items(body: bytes) -> list[Item]:
    try:
        return list(items_of(body))
    except ImportLineError as exc:
        raise ConfigError(f"{exc}; nothing was imported") from exc


def _allocator(engine: AsyncEngine) -> Any:
    async def allocate(count: int) -> list[int]:
        return [ticket_of(number) for number in await lease(engine, count)]

    return allocate


class _People:
    """Whom imported dialogues are by."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def customers(self, people: list[dict[str, Any]]) -> list[str]:
        return await self._directory.import_customers(people, site=DEFAULT_SITE)

    async def agents(self, people: list[dict[str, Any]]) -> list[str]:
        return await self._directory.import_agents(people)
