"""`chatserver transcripts`: what can be done with the record, and `show`. The other commands have a file each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from chatserver.cli.common import OPERATOR, chat_of, data_option, database, json_option, settings_of
from chatserver.cli.erase import erase_command
from chatserver.cli.exports import export_command, export_customer
from chatserver.cli.holds import hold
from chatserver.cli.imports import import_command
from chatserver.cli.retention import retention
from chatserver.cli.seals import rekey_command, verify_command
from chatserver.cli.search import search_command
from chatserver.cli.terminal import clock, day, one_line
from chatserver.clock import now_ms
from chatserver.config import Settings
from chatserver.stores.history import frame_of_entry
from transcripts.entry import Entry
from transcripts.store import Store


@click.group()
def transcripts() -> None:
    """The record: import, search, show, export, verify, hold, retention, erase."""


for command in (
    import_command,
    search_command,
    export_command,
    verify_command,
    rekey_command,
    erase_command,
    hold,
    retention,
    export_customer,
):
    transcripts.add_command(command)


@transcripts.command("show")
@click.argument("ticket")
@json_option
@data_option
def show_command(ticket: str, as_json_lines: bool, data: Path | None) -> None:
    """Show one transcript, notes included."""
    asyncio.run(_show(ticket, as_json_lines, settings_of(data=data)))


async def _show(ticket: str, as_json_lines: bool, settings: Settings) -> None:
    async with database(settings) as engine:
        store = Store(engine)
        chat = await chat_of(store, ticket)
        entries: list[Entry] = []
        while page := await store.entries(chat.ticket, after=entries[-1].seq if entries else 0, limit=1000, staff=True):
            entries += page
        await store.record_access(chat.ticket, OPERATOR, "agent", now_ms())
    if as_json_lines:
        fields = {
            name: value
            for name, value in msgspec.structs.asdict(chat).items()
            if name not in ("epoch", "chat_key", "access_gen")
        }
        fields["entries"] = [frame_of_entry(entry, chat.epoch) for entry in entries]
        click.echo(msgspec.json.encode(fields).decode())
        return
    parts = (
        f"#{chat.ticket}",
        chat.state,
        day(chat.opened_at),
        chat.customer_name,
        chat.topic,
        chat.order,
        chat.owner_name,
    )
    click.echo(one_line("  ".join(part for part in parts if part)) + "  (times in UTC)")
    for entry in entries:
        # The role first: a name can be anything, also somebody else's.
        who = " ".join(part for part in (entry.role, "(note)" if entry.kind == "note" else "", entry.name) if part)
        click.echo(f"{clock(entry.at)}  {one_line(who)}: {_said(entry)}")


def _said(entry: Entry) -> str:
    """What an entry says, so that no text can pass for another entry's line."""
    if entry.erased_at:
        return "(erased)"
    text = None if entry.text is None else _INDENT.join(one_line(line) for line in entry.text.splitlines())
    if entry.kind == "rated":
        return f"[rated {(entry.data or {}).get('rating')} of 5]" + (f" {text}" if text else "")
    return f"[{entry.kind}]" if text is None else text


_INDENT = "\n" + " " * len("2025-03-09 14:00:00  ")
