"""`chatserver transcripts erase`: a customer, a chat or an entry is gone, from the disk too; a certificate says so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.actions.signing_out import sign_out
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.cli.common import data_option, database, settings_of
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.keys import seal_key
from chatserver.logs import configure
from chatserver.preflight import check_installation, join_redis
from chatserver.stores.audit import keeps_certificates
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.erasing import ALL_RULES, LiveChats, subject_of_customer
from chatserver.stores.same_person import Perhaps, kept_with, perhaps
from transcripts.database import read
from transcripts.erasure import Certificate, Eraser, Plan, Subject
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
        others: list[Perhaps] = []
        if customer is not None:
            subject = await _subject(engine, settings, customer)
            async with read(engine) as connection:
                others = await perhaps(connection, subject.customers)
        else:
            number = parse_ticket(ticket or "")
            if number is None:
                raise ConfigError(f"{ticket} is no ticket number")
            subject = Subject(tickets=(number,), entries=entries)
        if dry_run:
            _tell(await _eraser(engine, settings, None, action="erase").plan(subject))
            tell_of(others, command="erase --customer {}")
            return
        async with _live(engine, settings) as live:
            eraser = _eraser(engine, settings, live, action="erase")
            await eraser.plan(subject)  # whoever may not be erased is not signed out either
            if live:
                await sign_out(live.link, subject.customers)
            if customer is not None:
                subject = await _subject(engine, settings, customer)  # with what they have begun until just now
            show_certificate(await eraser.erase(subject))
            tell_of(others, command="erase --customer {}")


async def _subject(engine: AsyncEngine, settings: Settings, customer: str) -> Subject:
    begun = await Eraser(engine, _sealer(engine, settings)).interrupted_people(customer)
    return await subject_of_customer(engine, customer, begun=begun)


@asynccontextmanager
async def open_eraser(engine: AsyncEngine, settings: Settings, *, action: str) -> AsyncIterator[Eraser]:
    """Erases in this installation, Redis included; `action` is what the audit calls it."""
    async with _live(engine, settings) as live:
        yield _eraser(engine, settings, live, action=action)


@dataclass(frozen=True)
class _Live:
    link: Link
    chats: LiveChats


def _eraser(engine: AsyncEngine, settings: Settings, live: _Live | None, *, action: str) -> Eraser:
    return Eraser(
        engine,
        _sealer(engine, settings),
        rules=ALL_RULES,
        places=[live.chats] if live else [],
        keep=keeps_certificates(actor="command line", action=action),
        same=kept_with,
    )


def show_certificate(certificate: Certificate) -> None:
    """On standard output; on the other what it cannot say."""
    click.echo(msgspec.json.format(msgspec.json.encode(certificate), indent=2).decode())
    for place in certificate.searched:
        if place.unread:
            click.echo(f"chatserver: {place.place} was cleaned and not looked into: {place.unread}", err=True)


def tell_of(others: Sequence[Perhaps], *, command: str) -> None:
    """On standard error: who was left out, and may be the same person. Whether they are, an operator has to know."""
    for one in others[:_TOLD]:
        chats = f"{one.chats} chat{'' if one.chats == 1 else 's'}"
        click.echo(
            f"chatserver: customer {one.customer_id} ({one.why}; {chats}) was left out. "
            f"If it is the same person: chatserver transcripts {command.replace('{}', one.customer_id)}",
            err=True,
        )
    if len(others) > _TOLD:
        click.echo(f"chatserver: and {len(others) - _TOLD} more with the same address.", err=True)


def told(certificate: Certificate) -> str:
    """What a certificate says, in one line."""
    entries, chats = sum(len(one.entries) for one in certificate.chats), len(certificate.chats)
    named = ", ".join(f"#{one.ticket}" for one in certificate.chats[:_NAMED]) + (", …" if chats > _NAMED else "")
    counted = f"{entries} {'entry' if entries == 1 else 'entries'} in {chats} {'chat' if chats == 1 else 'chats'}"
    about = f"erasure of {counted}" + (f" ({named})" if named else "")
    if certificate.customers:
        about += f" and of customer {', '.join(certificate.customers)}"
    looked = [f"{one.place}: {one.unread or f'{one.found} found in {one.files} files'}" for one in certificate.searched]
    at = datetime.fromtimestamp(certificate.erased_at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    samples = f"{certificate.samples} samples looked for ({'; '.join(looked)})"
    return f"{about}, {at} UTC, {samples}, key {certificate.key_id}"


_NAMED = 5
_TOLD = 20  # an import may have one address for everybody of whom it knew none


def _sealer(engine: AsyncEngine, settings: Settings) -> Sealer:
    return Sealer(engine, SealKey.from_bytes(seal_key(settings.data, os.environ)))


def _tell(plan: Plan) -> None:
    for ticket, count in plan.entries.items():
        click.echo(f"#{ticket}: {count} {'entry' if count == 1 else 'entries'}")
    for table, count in plan.rows.items():
        if count:
            click.echo(f"{table}: {count} {'row' if count == 1 else 'rows'}")
    click.echo("Nothing was changed.")


@asynccontextmanager
async def _live(engine: AsyncEngine, settings: Settings) -> AsyncIterator[_Live | None]:
    """Redis, if this installation has ever had one."""
    if not settings.redis_url and not (settings.data / "valkey").exists():
        yield None
        return
    redis = await asyncio.to_thread(join_redis, settings)
    link = Link(redis.url, on_push=lambda *_: None, on_subscribed=lambda _: None)
    try:
        await asyncio.to_thread(check_installation, settings, redis.url)
        await link.start()
        yield _Live(link, LiveChats(Chats(ChatLog(link), Store(engine), Directory(engine)), redis.url))
    finally:
        await link.stop()
        await asyncio.to_thread(redis.leave)
