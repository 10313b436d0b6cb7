"""`chatserver transcripts hold`: what must stay, whoever asks for its erasure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.actions.holding import lift_hold, place_hold
from chatserver.cli.common import OPERATOR, chat_of, customer_of, data_option, json_option, run_on_database, settings_of
from chatserver.cli.erase import tell_of
from chatserver.cli.terminal import day, show_json
from chatserver.errors import NotFoundError
from chatserver.stores.same_person import kept_with, perhaps
from transcripts.database import read
from transcripts.holds import HoldOn, standing
from transcripts.store import Store

ticket_option = click.option("--ticket", metavar="N", help="One chat.")
customer_option = click.option("--customer", metavar="ID", help="All chats of a customer: our id, or external:ID.")


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
        done = await place_hold(engine, on, reason=reason, actor=OPERATOR, masker=settings_of(data=data).masker)
        async with read(engine) as connection:
            people = [] if on.customer_id is None else sorted(await kept_with(connection, [on.customer_id]))
            others = await perhaps(connection, people)
        held = "is held" if done else "was held already"
        click.echo(f"{_first_upper(on)} {held}{_along(on, people)}.")
        tell_of(others, command=f"hold set --customer {{}} --reason {shlex.quote(reason)}")

    run_on_database(run, data)


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

    run_on_database(run, data)


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
                show_json(
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
                click.echo(f"{one.on}{_along(one.on, people)}  since {day(one.placed_at)}  {one.reason}")

    run_on_database(run, data)


async def _held_by(engine: AsyncEngine, ticket: str | None, customer: str | None) -> HoldOn:
    if customer is not None:
        return HoldOn(customer_id=await customer_of(engine, customer))
    return HoldOn(ticket=(await chat_of(Store(engine), ticket or "")).ticket)


def _one_of(ticket: str | None, customer: str | None) -> None:
    if (ticket is None) == (customer is None):
        raise click.UsageError("Give either --ticket or --customer.")


def _along(on: HoldOn, people: Sequence[str]) -> str:
    others = [one for one in people if one != on.customer_id]
    return f", and with them {', '.join(others)}" if others else ""


def _first_upper(on: HoldOn) -> str:
    return str(on)[:1].upper() + str(on)[1:]
