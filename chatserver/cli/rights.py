"""`chatserver transcripts hold | retention | export-customer`: what must stay, what goes after a time, what a customer
takes along.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chatserver.actions.expiring import apply_retention
from chatserver.actions.holding import lift_hold, place_hold
from chatserver.actions.taking_along import write_archive
from chatserver.cli.common import OPERATOR, chat_of, data_option, database, json_option, settings_of
from chatserver.cli.erase import open_eraser, show_certificate, tell_of
from chatserver.cli.progress import progress
from chatserver.clock import now_ms
from chatserver.errors import ConfigError, NotFoundError
from chatserver.logs import configure
from chatserver.stores import audit
from chatserver.stores.chatless import count_chatless
from chatserver.stores.migrate import DEFAULT_SITE
from chatserver.stores.same_person import kept_with, perhaps, taken_with
from chatserver.stores.schema import customers
from transcripts import retention as keeping
from transcripts.database import read, write
from transcripts.holds import HoldOn, standing
from transcripts.store import Store

ticket_option = click.option("--ticket", metavar="N", help="One chat.")
customer_option = click.option("--customer", metavar="ID", help="All chats of a customer: our id, or external:ID.")


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


async def _held_by(engine: AsyncEngine, ticket: str | None, customer: str | None) -> HoldOn:
    if customer is not None:
        return HoldOn(customer_id=await customer_of(engine, customer))
    return HoldOn(ticket=(await chat_of(Store(engine), ticket or "")).ticket)


# -- legal hold


@click.group("hold")
def hold() -> None:
    """Legal hold: what is held is neither erased nor ends with retention."""


@hold.command("set")
@ticket_option
@customer_option
@click.option("--reason", required=True, help="Such as the number of the case.")
@data_option
def hold_set(ticket: str | None, customer: str | None, reason: str, data: Path | None) -> None:
    """Hold a chat, or all chats of a customer, also later ones."""
    _one_of(ticket, customer)

    async def run(engine: AsyncEngine) -> None:
        on = await _held_by(engine, ticket, customer)
        done = await place_hold(engine, on, reason=reason, actor=OPERATOR)
        async with read(engine) as connection:
            people = [] if on.customer_id is None else sorted(await kept_with(connection, [on.customer_id]))
            others = await perhaps(connection, people)
        held = "is held" if done else "was held already"
        click.echo(f"{_first_upper(on)} {held}{_along(on, people)}.")
        tell_of(others, command=f"hold set --customer {{}} --reason {shlex.quote(reason)}")

    _run(run, data)


@hold.command("lift")
@ticket_option
@customer_option
@data_option
def hold_lift(ticket: str | None, customer: str | None, data: Path | None) -> None:
    """Lift a hold."""
    _one_of(ticket, customer)

    async def run(engine: AsyncEngine) -> None:
        on = await _held_by(engine, ticket, customer)
        if not await lift_hold(engine, on, actor=OPERATOR):
            raise NotFoundError(f"There is no hold on {on}.")
        click.echo(f"{_first_upper(on)} is no longer held.")

    _run(run, data)


@hold.command("list")
@json_option
@data_option
def hold_list(as_json_lines: bool, data: Path | None) -> None:
    """The holds that stand."""

    async def run(engine: AsyncEngine) -> None:
        async with read(engine) as connection:
            found = [
                (one, sorted(await kept_with(connection, [one.on.customer_id] if one.on.customer_id else [])))
                for one in await standing(connection)
            ]
        for one, people in found:
            if as_json_lines:
                _json(
                    {
                        "ticket": one.on.ticket,
                        "customer": one.on.customer_id,
                        "along": [id_ for id_ in people if id_ != one.on.customer_id],
                        "reason": one.reason,
                        "placed_by": one.placed_by,
                        "placed_at": one.placed_at,
                    }
                )
            else:
                click.echo(f"{one.on}{_along(one.on, people)}  since {_day(one.placed_at)}  {one.reason}")

    _run(run, data)


# -- retention


@click.group("retention", invoke_without_command=True)
@click.pass_context
def retention(ctx: click.Context) -> None:
    """How long transcripts are kept; without a command, the rules and what they would erase today."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(preview)


department_option = click.option("--department", metavar="D", help="Only chats of this department.")
topic_option = click.option("--topic", metavar="T", help="Only chats with this topic.")


@retention.command("set")
@department_option
@topic_option
@click.option("--days", type=click.IntRange(1, keeping.MOST_DAYS), help="Days after the end of the chat.")
@click.option("--for-ever", is_flag=True, help="Never erase these.")
@data_option
def retention_set(
    department: str | None, topic: str | None, days: int | None, for_ever: bool, data: Path | None
) -> None:
    """Set how long chats are kept; the rule that says most about a chat counts."""
    if (days is None) != for_ever:
        raise click.UsageError("Give either --days N or --for-ever.")
    rule = keeping.Rule(department or None, topic or None, days)

    async def change(connection: AsyncConnection) -> None:
        await keeping.set_rule(connection, rule)
        await audit.record(
            connection, actor=OPERATOR, action="retention_set", subject=_about(rule.department, rule.topic), days=days
        )

    _run(_in_transaction(change), data)
    click.echo(_told(rule))


@retention.command("remove")
@department_option
@topic_option
@data_option
def retention_remove(department: str | None, topic: str | None, data: Path | None) -> None:
    """Remove a rule."""
    about = _about(department or None, topic or None)

    async def change(connection: AsyncConnection) -> None:
        if not await keeping.remove_rule(connection, department, topic):
            raise NotFoundError(f"There is no rule for {about}.")
        await audit.record(connection, actor=OPERATOR, action="retention_removed", subject=about)

    _run(_in_transaction(change), data)
    click.echo(f"There is no rule for {about} any more.")


@retention.command("preview")
@click.option("--list", "listed", is_flag=True, help="Each chat.")
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="As on this day (UTC) instead of now.")
@json_option
@data_option
def preview(
    listed: bool = False, day: datetime | None = None, as_json_lines: bool = False, data: Path | None = None
) -> None:
    """The rules, and what they would erase; nothing is changed."""
    now = now_ms() if day is None else int(day.replace(tzinfo=UTC).timestamp() * 1000)

    async def run(engine: AsyncEngine) -> None:
        async with read(engine) as connection:
            if listed:
                after = 0
                while page := await keeping.due(connection, now, after=after, same=kept_with):
                    for one in page:
                        _show_due(one, as_json_lines)
                    after = page[-1].ticket
                return
            rules, counts = await keeping.rules(connection), await keeping.count_due(connection, now, same=kept_with)
            people = await count_chatless(connection)
        if as_json_lines:
            for rule in rules:
                _json({"rule": {"department": rule.department, "topic": rule.topic, "days": rule.days}})
            for department, topic, go, stay in counts:
                _json({"due": {"department": department, "topic": topic, "chats": go, "held": stay}})
            if people:
                _json({"due": {"customers": people}})
            return
        for rule in rules:
            click.echo(_told(rule))
        if not rules:
            click.echo("There are no rules: everything is kept for ever.")
        for line in _told_due(counts, people):
            click.echo(line)

    _run(run, data)


@retention.command("apply")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def retention_apply(yes: bool, data: Path | None) -> None:
    """Erase for good what the rules no longer keep, and print a signed certificate; asks before it does.

    What is held stays. Run it again after it was interrupted: it goes on, and cleans up what was begun.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("There is nobody to ask: give --yes.")
    settings = settings_of(data=data)
    configure(as_json=settings.log_json)  # to stderr: standard output is the certificate's

    async def run(engine: AsyncEngine) -> None:
        now = now_ms()
        async with read(engine) as connection:
            counts = await keeping.count_due(connection, now, same=kept_with)
            people = await count_chatless(connection)
        if not yes:
            _ask(counts, people)
        async with open_eraser(engine, settings, action="retention_applied") as eraser:
            with progress("Erasing") as advance:
                applied = await apply_retention(engine, eraser, now, on_progress=advance)
        for ticket, why in applied.left.items():
            click.echo(f"#{ticket} is left: {why}", err=True)
        if applied.certificate:
            show_certificate(applied.certificate)
        if applied.more:
            click.echo("More are due: run it again.", err=True)

    _run(run, data)


def _ask(counts: Sequence[tuple[str | None, str | None, int, int]], people: int) -> None:
    """Shows what is due; goes on only with what was answered."""
    for line in _told_due(counts, people):
        click.echo(line, err=True)
    chats = sum(go for _, _, go, _ in counts)
    if not chats and not people:
        click.echo("Nothing is due.", err=True)
    elif not click.confirm(f"Erase {_chats(chats)} for good, and who has none left?", err=True):
        click.echo("Nothing was changed.", err=True)
        raise click.exceptions.Exit(1)


def _told_due(counts: Sequence[tuple[str | None, str | None, int, int]], people: int) -> Iterator[str]:
    for department, topic, go, stay in counts:
        held = f", {stay} more are held" if stay else ""
        yield f"  due: {go} of {_about(department, topic)}{held}"
    if people:
        yield f"  due: {people} customer{'' if people == 1 else 's'} of whom no chat is left"


def _show_due(one: keeping.Due, as_json_line: bool) -> None:
    if as_json_line:
        _json(
            {
                "ticket": one.ticket,
                "department": one.department,
                "topic": one.topic,
                "closed_at": one.closed_at,
                "days": one.days,
                "held": one.held,
            }
        )
    else:
        held = "  held" if one.held else ""
        click.echo(f"#{one.ticket}  closed {_day(one.closed_at)}  {_about(one.department, one.topic)}{held}")


# -- all data of a customer


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
            raise ConfigError(f"{output} cannot be written: {exc.strerror}") from exc
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
        click.echo(f"{output}: {_chats(len(tickets))}")
        tell_of(others, command="export-customer {} -o FILE")

    _run(run, data)


# -- small things


def _one_of(ticket: str | None, customer: str | None) -> None:
    if (ticket is None) == (customer is None):
        raise click.UsageError("Give either --ticket or --customer.")


def _run(work: Callable[[AsyncEngine], Awaitable[None]], data: Path | None) -> None:
    async def run() -> None:
        async with database(settings_of(data=data)) as engine:
            await work(engine)

    asyncio.run(run())


def _in_transaction(change: Callable[[AsyncConnection], Awaitable[None]]) -> Callable[[AsyncEngine], Awaitable[None]]:
    async def run(engine: AsyncEngine) -> None:
        async with write(engine) as connection:
            await change(connection)

    return run


def _chats(count: int) -> str:
    return f"{count} chat{'' if count == 1 else 's'}"


def _about(department: str | None, topic: str | None) -> str:
    parts = [f"department {department}" if department else "", f"topic {topic!r}" if topic else ""]
    return ", ".join(part for part in parts if part) or "all chats"


def _told(rule: keeping.Rule) -> str:
    kept = "for ever" if rule.days is None else f"for {rule.days} days"
    return f"{_about(rule.department, rule.topic)}: kept {kept}"


def _along(on: HoldOn, people: Sequence[str]) -> str:
    others = [one for one in people if one != on.customer_id]
    return f", and with them {', '.join(others)}" if others else ""


def _first_upper(on: HoldOn) -> str:
    return str(on)[:1].upper() + str(on)[1:]


def _json(fields: dict[str, Any]) -> None:
    click.echo(msgspec.json.encode(fields).decode())


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
