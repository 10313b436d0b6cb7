"""`chatserver transcripts erase`: a customer, a chat or an entry is gone, from the disk too; a certificate says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import click
import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.cli.common import data_option, database, settings_of
from chatserver.clock import now_ms
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.keys import seal_key
from chatserver.logs import configure
from chatserver.preflight import check_installation, join_redis
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.erasing import RULES, LiveChats, subject_of_customer
from chatserver.stores.schema import audit
from transcripts.database import write
from transcripts.erasure import RECORD, Certificate, Eraser, Place, Plan, Subject
from transcripts.seal import Sealer, SealKey
from transcripts.store import Store
from transcripts.ticket import parse_ticket


@click.command("erase")
@click.option("--customer", metavar="ID", help="Everything of a customer: our id, or external:ID, the site's.")
@click.option("--ticket", metavar="N", help="Everything that was said in one chat.")
@click.option(
    "--entry", "entries", metavar="SEQ", type=click.IntRange(1), multiple=True, help="Of --ticket, only this."
)
@click.option("--dry-run", is_flag=True, help="Say what would be erased; change nothing.")
@data_option
def erase_command(
    customer: str | None, ticket: str | None, entries: tuple[int, ...], dry_run: bool, data: Path | None
) -> None:
    """Erase what was said, for good: the texts, the search, Redis, and the files on the disk.

    The seal still holds: that there was an entry, when, and in which role it was written, can be verified. Prints a
    signed certificate. Copies that you have made yourself (backups, replicas, exported files) are yours to erase.
    """
    if (customer is None) == (ticket is None):
        raise click.UsageError("Give either --customer or --ticket.")
    if entries and ticket is None:
        raise click.UsageError("--entry needs --ticket.")
    settings = settings_of(data=data)
    configure(as_json=settings.log_json)  # to stderr: standard output is the certificate's
    asyncio.run(_erase(customer, ticket, entries, dry_run, settings))


async def _erase(
    customer: str | None, ticket: str | None, entries: tuple[int, ...], dry_run: bool, settings: Settings
) -> None:
    async with database(settings) as engine:
        if customer is not None:
            subject = await subject_of_customer(engine, customer)
        else:
            number = parse_ticket(ticket or "")
            if number is None:
                raise ConfigError(f"{ticket} is no ticket number")
            subject = Subject(tickets=(number,), entries=entries)
        sealer = Sealer(engine, SealKey.from_bytes(seal_key(settings.data, os.environ)))
        if dry_run:
            _tell(await Eraser(engine, sealer, rules=_ALL_RULES).plan(subject))
            return
        async with _live(engine, settings) as places:
            certificate = await Eraser(engine, sealer, rules=_ALL_RULES, places=places).erase(subject)
        await _note(engine, certificate)
    click.echo(msgspec.json.format(msgspec.json.encode(certificate), indent=2).decode())
    for place in certificate.searched:
        if place.unread:
            click.echo(f"chatserver: {place.place} was cleaned and not looked into: {place.unread}", err=True)


_ALL_RULES = (*RECORD, *RULES)


def _tell(plan: Plan) -> None:
    for ticket, count in plan.entries.items():
        click.echo(f"#{ticket}: {count} {'entry' if count == 1 else 'entries'}")
    for table, count in plan.rows.items():
        if count:
            click.echo(f"{table}: {count} {'row' if count == 1 else 'rows'}")
    click.echo("Nothing was changed.")


@asynccontextmanager
async def _live(engine: AsyncEngine, settings: Settings) -> AsyncIterator[Sequence[Place]]:
    """Redis, if this installation has ever had one."""
    if not settings.redis_url and not (settings.data / "valkey").exists():
        yield ()
        return
    redis = await asyncio.to_thread(join_redis, settings)
    link = Link(redis.url, on_push=lambda *_: None, on_subscribed=lambda _: None)
    try:
        await asyncio.to_thread(check_installation, settings, redis.url)
        await link.start()
        yield (LiveChats(Chats(ChatLog(link), Store(engine), Directory(engine)), redis.url),)
    finally:
        await link.stop()
        await asyncio.to_thread(redis.leave)


async def _note(engine: AsyncEngine, certificate: Certificate) -> None:
    """The certificate stays here, too."""
    async with write(engine) as db:
        await db.execute(
            insert(audit).values(
                id=certificate.id,
                at=now_ms(),
                actor="command line",
                action="erase",
                subject=" ".join(map(str, (*certificate.customers, *(one.ticket for one in certificate.chats)))),
                details=msgspec.json.encode(certificate).decode(),
            )
        )
