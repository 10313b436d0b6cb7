"""`chatserver transcripts export | export-customer`: a transcript, all that a search finds, all data of a customer."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.actions.taking_along import write_archive
from chatserver.cli.common import OPERATOR, chat_of, customer_of, data_option, database, run_on_database, settings_of
from chatserver.cli.erase import tell_of
from chatserver.cli.progress import progress
from chatserver.cli.terminal import how_many
from chatserver.clock import now_ms
from chatserver.config import Settings
from chatserver.errors import ConfigError, NotFoundError
from chatserver.stores import audit
from chatserver.stores.same_person import perhaps, taken_with
from transcripts.database import read, write
from transcripts.export import as_json
from transcripts.formats import MEDIA_TYPES, file_name, render
from transcripts.holds import HoldOn
from transcripts.search import Scope, Search
from transcripts.store import Store


@click.command("export")
@click.argument("ticket", required=False)
@click.option("--format", "form", type=click.Choice(list(MEDIA_TYPES)), default="json", show_default=True)
@click.option("--search", "query", help="All chats that a query finds, into the folder or .zip of --output.")
@click.option("--staff", is_flag=True, help="Everything, notes included; without it, what the customer may have.")
@click.option("--tz", default="UTC", show_default=True, help="Zone of the times shown.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (default: standard output).")
@data_option
def export_command(
    ticket: str | None, form: str, query: str | None, staff: bool, tz: str, output: Path | None, data: Path | None
) -> None:
    """Export a transcript, or all that a search finds, with the proof (json, html, eml) or for reading (txt)."""
    if (ticket is None) == (query is None):
        raise click.UsageError("Name a ticket, or --search QUERY.")
    if staff and form == "eml":
        raise click.UsageError("A mail is for the customer: --staff goes with the other formats.")
    exporter = _Exporter(form, "staff" if staff else "all", tz)
    settings = settings_of(data=data)
    if query is not None:
        if output is None:
            raise click.UsageError("--search needs --output: a folder, or a file that ends in .zip.")
        count = asyncio.run(exporter.found(query, output, settings))
        click.echo(f"{how_many(count)} in {output}")
        return
    body = asyncio.run(exporter.one(ticket or "", settings))
    if output is None:
        sys.stdout.buffer.write(body)
        return
    try:
        output.write_bytes(body)
    except OSError as exc:
        raise _not_written(output, exc) from exc


@dataclass(frozen=True)
class _Exporter:
    form: str
    audience: str
    zone: str

    async def one(self, ticket: str, settings: Settings) -> bytes:
        async with database(settings) as engine:
            store = Store(engine)
            return await self._rendered(store, (await chat_of(store, ticket)).ticket)

    async def found(self, query: str, output: Path, settings: Settings) -> int:
        """Writes all chats that the query finds; how many."""
        async with database(settings) as engine:
            tickets = await _tickets(Search(engine), query, self.zone)
            store = Store(engine)
            try:
                with _writer(output) as write, progress("Exporting", len(tickets)) as advance:
                    for done, ticket in enumerate(tickets, 1):
                        write(file_name(ticket, self.form), await self._rendered(store, ticket))
                        advance(done)
            except OSError as exc:
                raise _not_written(output, exc) from exc
        return len(tickets)

    async def _rendered(self, store: Store, ticket: int) -> bytes:
        await store.record_access(ticket, OPERATOR, "agent_export", now_ms())
        export = await as_json(store, ticket, self.audience)
        if export is None:
            raise NotFoundError(f"There is no chat {ticket}.")
        return render(export, self.form, zone=self.zone)


async def _tickets(search: Search, query: str, zone: str) -> list[int]:
    """Everything a query finds, page by page."""
    while await search.index_pending(500):
        pass
    tickets: dict[int, None] = {}
    cursor: str | None = None
    while True:
        found = await search.search(query, scope=Scope.staff(), limit=100, cursor=cursor, tz=zone)
        tickets |= dict.fromkeys(hit.ticket for hit in found.results)
        cursor = found.next
        if not cursor:
            return list(tickets)


@contextmanager
def _writer(output: Path) -> Iterator[Callable[[str, bytes], object]]:
    """Takes names and contents into a folder or, by its name, a zip file, which is there whole or not at all."""
    if output.suffix.lower() != ".zip":
        output.mkdir(parents=True, exist_ok=True)
        yield lambda name, body: (output / name).write_bytes(body)
        return
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        with ZipFile(draft, "w", ZIP_DEFLATED) as archive:
            yield archive.writestr
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)


def _not_written(output: Path, exc: OSError) -> ConfigError:
    return ConfigError(f"{output} cannot be written: {exc.strerror}")


@click.command("export-customer")
@click.argument("customer")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The ZIP file to write.",
)
@data_option
def export_customer(customer: str, output: Path, data: Path | None) -> None:
    """All data of a customer (our id, or external:ID) as a ZIP file, without anything of staff."""

    async def run(engine: AsyncEngine) -> None:
        customer_id = await customer_of(engine, customer)
        async with read(engine) as connection:
            people = await taken_with(connection, customer_id)
            others = await perhaps(connection, people)
        partial = output.with_name(output.name + ".part")
        try:
            with partial.open("wb") as file, progress("Exporting") as advance:
                tickets = await write_archive(engine, customer_id, file, people=people, on_progress=advance)
            partial.replace(output)
        except OSError as exc:
            raise _not_written(output, exc) from exc
        finally:
            partial.unlink(missing_ok=True)
        store, now = Store(engine), now_ms()
        for ticket in tickets:
            await store.record_access(ticket, OPERATOR, "export_customer", now)
        async with write(engine) as connection:
            await audit.record(
                connection,
                actor=OPERATOR,
                action="customer_exported",
                subject=str(HoldOn(customer_id=customer_id)),
                chats=len(tickets),
            )
        click.echo(f"{output}: {how_many(len(tickets))}")
        tell_of(others, command="export-customer {} -o FILE")

    run_on_database(run, data)
