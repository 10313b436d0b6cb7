"""`chatserver transcripts retention`: what goes after a time."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chatserver.actions.expiring import apply_retention
from chatserver.cli.common import OPERATOR, data_option, json_option, run_on_database, settings_of
from chatserver.cli.erase import open_eraser, show_certificate
from chatserver.cli.progress import progress
from chatserver.cli.terminal import day, how_many, show_json
from chatserver.clock import now_ms
from chatserver.errors import NotFoundError
from chatserver.logs import configure
from chatserver.stores import audit
from chatserver.stores.chatless import count_chatless
from chatserver.stores.same_person import kept_with
from transcripts import retention as keeping
from transcripts.database import read, write


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

    run_on_database(_in_transaction(change), data)
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

    run_on_database(_in_transaction(change), data)
    click.echo(f"There is no rule for {about} any more.")


@retention.command("preview")
@click.option("--list", "listed", is_flag=True, help="Each chat.")
@click.option("--on", "on", type=click.DateTime(["%Y-%m-%d"]), help="As on this day (UTC) instead of now.")
@json_option
@data_option
def preview(
    listed: bool = False, on: datetime | None = None, as_json_lines: bool = False, data: Path | None = None
) -> None:
    """The rules, and what they would erase; nothing is changed."""
    now = now_ms() if on is None else int(on.replace(tzinfo=UTC).timestamp() * 1000)

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
                show_json({"rule": {"department": rule.department, "topic": rule.topic, "days": rule.days}})
            for department, topic, go, stay in counts:
                show_json({"due": {"department": department, "topic": topic, "chats": go, "held": stay}})
            if people:
                show_json({"due": {"customers": people}})
            return
        for rule in rules:
            click.echo(_told(rule))
        if not rules:
            click.echo("There are no rules: everything is kept for ever.")
        for line in _told_due(counts, people):
            click.echo(line)

    run_on_database(run, data)


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

    run_on_database(run, data)


def _ask(counts: Sequence[tuple[str | None, str | None, int, int]], people: int) -> None:
    """Shows what is due; goes on only with what was answered."""
    for line in _told_due(counts, people):
        click.echo(line, err=True)
    chats = sum(go for _, _, go, _ in counts)
    if not chats and not people:
        click.echo("Nothing is due.", err=True)
    elif not click.confirm(f"Erase {how_many(chats)} for good, and who has none left?", err=True):
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
        show_json(
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
        click.echo(f"#{one.ticket}  closed {day(one.closed_at)}  {_about(one.department, one.topic)}{held}")


def _in_transaction(change: Callable[[AsyncConnection], Awaitable[None]]) -> Callable[[AsyncEngine], Awaitable[None]]:
    async def run(engine: AsyncEngine) -> None:
        async with write(engine) as connection:
            await change(connection)

    return run


def _about(department: str | None, topic: str | None) -> str:
    parts = [f"department {department}" if department else "", f"topic {topic!r}" if topic else ""]
    return ", ".join(part for part in parts if part) or "all chats"


def _told(rule: keeping.Rule) -> str:
    kept = "for ever" if rule.days is None else f"for {rule.days} days"
    return f"{_about(rule.department, rule.topic)}: kept {kept}"
