"""Legal holds: what is held neither retention nor erasure touches, until the hold is lifted.

A hold is on one chat or on all chats of a customer. Placed and lifted in the caller's transaction, so that the caller's
record of who did it is written or fails with it. Lifted holds stay in the table.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from transcripts import schema
from transcripts.database import is_postgresql
from transcripts.errors import HeldError
from transcripts.upsert import insert_missing

_holds = schema.holds.c
_chats = schema.chats.c
_STANDING = _holds.lifted_at.is_(None)


@dataclass(frozen=True)
class HoldOn:
    """What a hold is on: exactly one of the two."""

    ticket: int | None = None
    customer_id: str | None = None

    def __str__(self) -> str:
        return f"chat #{self.ticket}" if self.ticket is not None else f"customer {self.customer_id}"


@dataclass(frozen=True)
class Hold:
    """A hold that stands."""

    on: HoldOn
    reason: str
    placed_by: str
    placed_at: int


SamePeople = Callable[[AsyncConnection, Collection[str]], Awaitable[Collection[str]]]
"""These customers, and whoever is the same person as one of them: a hold on one protects all."""


async def each_alone(connection: AsyncConnection, customers: Collection[str]) -> Collection[str]:
    """As far as the record knows, each customer is one person. Whoever keeps the customers may know better."""
    return customers


async def held(connection: AsyncConnection, same: SamePeople = each_alone) -> ColumnElement[bool]:
    """Whether a row of `chats` is held, for the WHERE of a question on this connection."""
    chat = select(_holds.id).where(_STANDING, _holds.ticket == _chats.ticket).correlate(schema.chats).exists()
    return or_(chat, await held_customer(connection, _chats.customer_id, same))


async def held_customer(
    connection: AsyncConnection, customer: ColumnElement[str], same: SamePeople = each_alone
) -> ColumnElement[bool]:
    """Whether the customer in this column of the question is held."""
    customers = select(_holds.customer_id).where(_STANDING, _holds.customer_id.is_not(None))
    named = set(await connection.scalars(customers))
    others = set(await same(connection, named)) - named if named else ()
    return or_(customer.in_(customers), customer.in_(others))


async def place(connection: AsyncConnection, on: HoldOn, *, reason: str, by: str, at: int) -> bool:
    """Places a hold; False if one stands already, which is left as it is.

    An erasure that has begun with one of the chats ends first; after that, none of them begins.
    """
    if is_postgresql(connection):  # SQLite: the whole database is ours already
        theirs = _chats.ticket == on.ticket if on.ticket is not None else _chats.customer_id == on.customer_id
        await connection.execute(select(_chats.ticket).where(theirs).order_by(_chats.ticket).with_for_update())
    values = {"ticket": on.ticket, "customer_id": on.customer_id, "reason": reason, "placed_by": by, "placed_at": at}
    done = await connection.execute(insert_missing(connection, schema.holds).values(values))
    return done.rowcount > 0


async def lift(connection: AsyncConnection, on: HoldOn, *, by: str, at: int) -> bool:
    """Lifts the hold; False if none stands."""
    done = await connection.execute(update(schema.holds).where(_STANDING, _is(on)).values(lifted_by=by, lifted_at=at))
    return done.rowcount > 0


async def standing(connection: AsyncConnection, *, on: Collection[HoldOn] | None = None) -> list[Hold]:
    """The holds that stand, the oldest first; with `on` only those on one of these."""
    question = select(schema.holds).where(_STANDING).order_by(_holds.id)
    if on is not None:
        question = question.where(or_(*map(_is, on)))
    rows = await connection.execute(question)
    return [_hold(dict(row)) for row in rows.mappings()]


async def check(
    connection: AsyncConnection,
    tickets: Sequence[int] = (),
    customers: Sequence[str] = (),
    *,
    same: SamePeople = each_alone,
) -> None:
    """Nothing of these may be taken away while a hold stands. Called in the transaction that would do it.

    Raises:
        HeldError: names the first one held.
    """
    question = select(_chats.ticket).where(_chats.ticket.in_(list(tickets)), await held(connection, same))
    ticket = await connection.scalar(question.order_by(_chats.ticket).limit(1))
    if ticket is not None:
        raise HeldError(f"chat #{ticket} is on legal hold")
    for one in customers:
        if await connection.scalar(select(await held_customer(connection, literal(one), same))):
            raise HeldError(f"customer {one} is on legal hold")


def _is(on: HoldOn) -> ColumnElement[bool]:
    return _holds.ticket == on.ticket if on.ticket is not None else _holds.customer_id == on.customer_id


def _hold(row: dict[str, Any]) -> Hold:
    on = HoldOn(ticket=row["ticket"], customer_id=row["customer_id"])
    return Hold(on=on, reason=row["reason"], placed_by=row["placed_by"], placed_at=row["placed_at"])
