"""`chatserver transcripts`: import, search, show, export, verify. `erase` is in erase.py, other rights in rights.py."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.cli import rights
from chatserver.cli.common import data_option, database, require_installation, settings_of
from chatserver.cli.erase import erase_command, told
from chatserver.cli.progress import progress
from chatserver.cli.rights import OPERATOR, json_option
from chatserver.clock import now_ms
from chatserver.config import Settings
from chatserver.errors import ConfigError, NotFoundError
from chatserver.keys import Keys, public_seal_keys, replace_seal_key
from chatserver.stores.directory import Directory
from chatserver.stores.history import frame_of_entry
from chatserver.stores.migrate import DEFAULT_SITE
from chatserver.stores.tickets import lease
from transcripts.audit import broken_seals
from transcripts.chat import Chat
from transcripts.checkpoint import Checkpoint, broken_checkpoints, read_checkpoints
from transcripts.database import read
from transcripts.entry import Entry
from transcripts.erasure import Certificate, doubt, is_certificate
from transcripts.errors import ImportLineError, UnreadableError
from transcripts.export import as_json
from transcripts.foreign import SYSTEMS, items_of, recognise
from transcripts.formats import MEDIA_TYPES, file_name, render
from transcripts.formats.verifying import verify_file
from transcripts.import_line import Item
from transcripts.importer import import_chats
from transcripts.public_keys import read_published
from transcripts.seal import Sealer, SealKey
from transcripts.search import Facets, Scope, Search
from transcripts.store import Store
from transcripts.strict_json import read_json
from transcripts.ticket import parse_ticket, ticket_of


@click.group()
def transcripts() -> None:
    """The record: import, search, show, export, verify, hold, retention, erase."""


transcripts.add_command(erase_command)
transcripts.add_command(rights.hold)
transcripts.add_command(rights.retention)
transcripts.add_command(rights.export_customer)

# -- import


@transcripts.command("import")
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


# -- search, show


class _QueryCommand(click.Command):
    """A query may begin with a hyphen (`-red`: without that word): only what begins with two is an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        taking = {name for it in self.params if isinstance(it, click.Option) and not it.is_flag for name in it.opts}
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                words += rest
            elif arg in taking:
                options += [arg, *islice(rest, 1)]
            elif arg.startswith("--") or arg == "-h":
                options.append(arg)
            else:
                words.append(arg)
        return super().parse_args(ctx, [*options, "--", *words])


@transcripts.command("search", cls=_QueryCommand)
@click.argument("query", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--tz", default="UTC", show_default=True, help="Zone of the days in after:, before:, on:.")
@click.option("--facets", is_flag=True, help="Count topics, agents and months of what is found, too (on stderr).")
@json_option
@data_option
def search_command(
    query: tuple[str, ...], limit: int, tz: str, facets: bool, as_json_lines: bool, data: Path | None
) -> None:
    """Find chats: words, "phrases", prefix*, -not, ticket: order: agent: customer: topic: from: after: before: on: …"""
    asyncio.run(_search(" ".join(query), limit, tz, facets, as_json_lines, settings_of(data=data)))


async def _search(query: str, limit: int, tz: str, facets: bool, as_json_lines: bool, settings: Settings) -> None:
    async with database(settings) as engine:
        search = Search(engine)
        while await search.index_pending(500):
            pass
        found = await search.search(query, scope=Scope.staff(), limit=limit, tz=tz, facets=facets)
        hits, following = list(found.results), found.next
        while following is not None and len(hits) < limit:
            page = await search.search(query, scope=Scope.staff(), limit=limit - len(hits), cursor=following, tz=tz)
            hits, following = [*hits, *page.results], page.next
    for hit in hits:
        snippet = "".join(text for text, _ in hit.snippet)
        if as_json_lines:
            fields = {
                "ticket": hit.ticket,
                "external_id": hit.external_id,
                "score": hit.score,
                "opened_at": hit.opened_at,
                "topic": hit.topic,
                "snippet": snippet,
            }
            click.echo(msgspec.json.encode(fields).decode())
        else:
            marked = "".join(
                click.style(_line(text), bold=True) if match else _line(text) for text, match in hit.snippet
            )
            head = "  ".join(
                part
                for part in (f"#{hit.ticket}", _day(hit.opened_at), hit.customer_name, hit.topic, hit.order)
                if part
            )
            click.echo(f"{_line(head)}\n    {marked}")
    if not hits and not as_json_lines:
        click.echo("Nothing found.", err=True)
    if found.did_you_mean is not None:
        click.echo(f"Did you mean: {_line(found.did_you_mean)}", err=True)
    for name, counted in _facets(found.facets):
        click.echo(f"{name}: {_line(', '.join(f'{value} ({chats})' for value, chats in counted))}", err=True)


def _facets(facets: Facets | None) -> list[tuple[str, tuple[tuple[str, int], ...]]]:
    if facets is None:
        return []
    kinds = (("Topics", facets.topics), ("Agents", facets.agents), ("Months", facets.months))
    return [(name, counted) for name, counted in kinds if counted]


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
        chat = await _chat(store, ticket)
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
        _day(chat.opened_at),
        chat.customer_name,
        chat.topic,
        chat.order,
        chat.owner_name,
    )
    click.echo(_line("  ".join(part for part in parts if part)) + "  (times in UTC)")
    for entry in entries:
        # The role first: a name can be anything, also somebody else's.
        who = " ".join(part for part in (entry.role, "(note)" if entry.kind == "note" else "", entry.name) if part)
        click.echo(f"{_clock(entry.at)}  {_line(who)}: {_said(entry)}")


def _said(entry: Entry) -> str:
    """What an entry says, so that no text can pass for another entry's line."""
    if entry.erased_at:
        return "(erased)"
    text = None if entry.text is None else _INDENT.join(_line(line) for line in entry.text.splitlines())
    if entry.kind == "rated":
        return f"[rated {(entry.data or {}).get('rating')} of 5]" + (f" {text}" if text else "")
    return f"[{entry.kind}]" if text is None else text


_INDENT = "\n" + " " * len("2025-03-09 14:00:00  ")


# -- export, verify


@transcripts.command("export")
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
        click.echo(f"{count} {'chat' if count == 1 else 'chats'} in {output}")
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
            return await self._rendered(store, (await _chat(store, ticket)).ticket)

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


@transcripts.command("verify")
@click.argument("files", nargs=-1, type=click.File("rb"))
@click.option(
    "--keys",
    type=click.File("rb"),
    help="Public keys to trust (/.well-known/chat-seal-keys.json); default: this installation's.",
)
@click.option("--all", "everything", is_flag=True, help="Every seal of this installation's database, too.")
@data_option
def verify_command(files: tuple[BinaryIO, ...], keys: BinaryIO | None, everything: bool, data: Path | None) -> None:
    """Check exported transcripts against their seals; names the first entry that is not as it was.

    The certificate of an erasure has to be as it was signed. A file of checkpoints (CHAT_CHECKPOINT_FILE) is compared
    with the chain of this installation's database.
    """
    if not files and not everything:
        raise click.UsageError("Name files to verify, or --all.")
    trusted = _trusted(keys, data)
    failed = 0
    for file in files:
        good, said = _verified(file.read(), trusted, data)
        failed += not good
        click.echo(f"{file.name}: {'verified' if good else 'NOT VERIFIED'}: {said}", err=not good)
    if everything:
        problems = asyncio.run(_broken_seals(settings_of(data=data), trusted))
        for problem in problems:
            click.echo(f"NOT VERIFIED: {problem}", err=True)
        if not problems:
            click.echo("verified: all seals of the database hold")
        failed += bool(problems)
    raise SystemExit(1 if failed else 0)


def _verified(body: bytes, trusted: dict[str, bytes], data: Path | None) -> tuple[bool, str]:
    """Whether a file holds, and a sentence."""
    try:
        if body.startswith(_CHECKPOINT):
            return asyncio.run(_compared(read_checkpoints(body), trusted, settings_of(data=data)))
        if body.lstrip().startswith(b"{") and is_certificate(value := read_json(body)):
            why = doubt(value, trusted)
            return why is None, why or told(msgspec.convert(value, Certificate))
        found = verify_file(body, trusted)
    except UnreadableError as exc:
        return False, f"this is no exported transcript and no certificate: {exc}"
    if found.first:
        return False, found.first.message
    erased = f", {found.erased} erased" if found.erased else ""
    return True, f"chat #{found.ticket}, {found.entries} entries{erased}, key {', '.join(found.key_ids)}"


_CHECKPOINT = b'{"at":'  # canonical JSON: the first of its keys; a transcript's is another


async def _compared(checkpoints: list[Checkpoint], trusted: dict[str, bytes], settings: Settings) -> tuple[bool, str]:
    async with database(settings) as engine, read(engine) as connection:
        async for problem in broken_checkpoints(connection, checkpoints, trusted):
            return False, problem
    return True, f"{len(checkpoints)} checkpoints, the chain is the same up to segment {checkpoints[-1].number}"


async def _broken_seals(settings: Settings, trusted: dict[str, bytes]) -> list[str]:
    async with database(settings) as engine, read(engine) as connection:
        with progress("Verifying") as bar:
            return [problem async for problem in broken_seals(connection, trusted, bar)]


def _trusted(keys: BinaryIO | None, data: Path | None) -> dict[str, bytes]:
    if keys is None:
        settings = settings_of(data=data)
        if not os.environ.get("CHAT_SEAL_KEY"):
            require_installation(settings)
        return public_seal_keys(settings.data, os.environ)
    try:
        return read_published(keys.read())
    except UnreadableError as exc:
        raise ConfigError(f"{keys.name} has no keys to trust: {exc}") from exc


@transcripts.command("rekey")
@data_option
def rekey_command(data: Path | None) -> None:
    """Seal with a new key from the next start on; the old public key stays published."""
    settings = settings_of(data=data)
    require_installation(settings)
    old, new = replace_seal_key(settings.data, os.environ)
    click.echo(f"From the next start on seals are made with key {new.key_id}; key {old.key_id} stays published.")


# -- small things


def _line(text: str) -> str:
    """On one line, and without characters that command a terminal or turn the direction of writing."""
    return "".join(
        "\ufffd" if unicodedata.category(char) == "Cc" or char in _DIRECTIONS else char
        for char in re.sub(r"\s+", " ", text)
    )


_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


async def _chat(store: Store, text: str) -> Chat:
    ticket = parse_ticket(text)
    chat = await store.chat(ticket) if ticket else None
    if chat is None:
        raise NotFoundError(f"There is no chat {text}.")
    return chat


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def _clock(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
