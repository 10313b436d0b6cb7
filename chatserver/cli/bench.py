"""`chatserver bench`: how much this server carries, on this machine."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import click
import msgspec
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import inspect

from chatserver.bench.cluster import ClusterError
from chatserver.bench.line import RefusedError, base_of
from chatserver.bench.plot import page
from chatserver.bench.report import Plan, Report, connecting_table, loops_table
from chatserver.bench.run import Advance, allow_files, bench_own, bench_running
from chatserver.bench.seats import Venue
from chatserver.client.credentials import CredentialsError
from chatserver.errors import ConfigError
from transcripts.database import open_database, read

DRAW_SECONDS = 0.1

_EXPECTED = (ClusterError, CredentialsError, RefusedError, OSError, TimeoutError)  # an operator can do something about


@click.command()
@click.option(
    "--chats", type=click.IntRange(1, 20_000), default=100, show_default=True, help="A customer and an agent each."
)
@click.option(
    "--window",
    type=click.IntRange(0, 16),
    default=4,
    show_default=True,
    help="Closed loop: messages in flight in each chat; 0 leaves it out.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0),
    help="Open loop: messages a second (default: half of what the closed loop reached); 0 leaves it out.",
)
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=10.0, show_default=True, help="How long each loop is measured."
)
@click.option("--warm-up", type=click.FloatRange(0, 600), default=2.0, show_default=True, help="Seconds before that.")
@click.option("--size", type=click.IntRange(1, 4096), default=128, show_default=True, help="Characters of a message.")
@click.option(
    "--nodes",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Servers of the private installation, each at a port of its own.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Web processes of each of them, as in `serve --workers`.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write everything to this file; - is standard output.",
)
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with histograms to this file.",
)
@click.option(
    "--url",
    "urls",
    multiple=True,
    metavar="URL",
    help="Measure a server that runs, such as http://127.0.0.1:8000 (again for more nodes), instead of a private one.",
)
@click.option(
    "--agent",
    "agents",
    multiple=True,
    metavar="EMAIL",
    help="With --url: who takes the chats (again for more; at most 100 chats each).",
)
@click.option("--password-stdin", is_flag=True, help="With --url: their password is on standard input.")
@click.option(
    "--database",
    "database_url",
    metavar="URL",
    help="Where the private installation keeps its record: an empty database, such as postgresql://USER@HOST/NAME, "
    "which is full of the bench afterwards (default: SQLite in its folder).",
)
def bench(
    json_file: Path | None,
    html_file: Path | None,
    urls: tuple[str, ...],
    agents: tuple[str, ...],
    password_stdin: bool,
    database_url: str | None,
    **options: float,
) -> None:
    """Measure throughput, latency and what a message and a connection cost.

    Starts an installation of its own (web nodes, worker, Valkey) in a temporary folder, and ends it; or measures one
    that runs, from outside, with --url. How it measures is in docs/performance.md.
    """
    if urls and database_url:
        raise click.UsageError("--database is for the private installation, and --url for one that runs")
    plan = msgspec.convert(options, Plan)
    if not allow_files(2 * plan.chats):
        raise ConfigError(f"{plan.chats} chats need {2 * plan.chats} open files here: raise `ulimit -n`")
    venue = None
    if urls:
        venue, plan = _venue(urls, agents, password_stdin), msgspec.structs.replace(plan, database=None)
    if database_url:
        plan = msgspec.structs.replace(plan, database=asyncio.run(_empty_database(database_url)))
    report = _run(plan, venue, database_url)
    if json_file == Path("-"):
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        return
    console = Console()
    console.print(connecting_table(report), loops_table(report))
    if json_file:
        _write(json_file, msgspec.json.format(msgspec.json.encode(report)))
    if html_file:
        _write(html_file, page(report).encode())


def _venue(urls: tuple[str, ...], agents: tuple[str, ...], password_stdin: bool) -> Venue:
    if not agents or not password_stdin:
        raise click.UsageError("--url needs --agent EMAIL and --password-stdin")
    password = sys.stdin.readline().rstrip("\n")
    addresses = []
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise click.BadParameter(f"{url} is not an address such as http://127.0.0.1:8000", param_hint="--url")
        addresses.append(f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}/ws")
    return Venue(addresses, base_of(addresses[0]), [(email, password) for email in agents])


async def _empty_database(url: str) -> str:
    """The engine's name.

    Raises:
        ConfigError: it has tables: somebody else's, or those of another run, whose entries would be measured, too.
    """
    engine = open_database(url)
    try:
        async with read(engine) as db:
            tables = await db.run_sync(lambda connection: inspect(connection).get_table_names())
        if tables:
            raise ConfigError(
                f"--database needs an empty database, and this one has tables ({sorted(tables)[0]} …): make another"
            )
        return {"postgresql": "PostgreSQL", "sqlite": "SQLite"}[engine.dialect.name]
    finally:
        await engine.dispose()


def _run(plan: Plan, venue: Venue | None, database_url: str | None) -> Report:
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task("Starting", total=None)

        drawn_at, drawn = 0.0, ""

        def advance(what: str, done: float, of: float) -> None:
            nonlocal drawn_at, drawn
            if what != drawn or done >= of or time.monotonic() > drawn_at + DRAW_SECONDS:  # thousands come in a second
                drawn_at, drawn = time.monotonic(), what
                progress.update(task, description=what, completed=done, total=of)

        try:
            return uvloop.run(_bench(plan, venue, database_url, advance))
        except _EXPECTED as error:
            raise _ended(error) from error
        except ExceptionGroup as group:
            # Not `except*`: what is raised in one comes out in a group again.
            expected, unexpected = group.split(_EXPECTED)
            if unexpected or not expected:
                raise
            raise _ended(expected) from group


def _ended(error: BaseException) -> ConfigError:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return ConfigError(f"the bench has ended: {error or type(error).__name__}")


async def _bench(plan: Plan, venue: Venue | None, database_url: str | None, advance: Advance) -> Report:
    if venue:
        return await bench_running(plan, venue, advance)
    return await bench_own(plan, advance, database_url=database_url)


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as exc:
        raise ConfigError(f"{file} cannot be written: {exc.strerror}") from exc
