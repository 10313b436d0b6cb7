"""Which records of customers are one person. How sure we have to be depends on what follows from it:

- `seen_by`: whose chats a customer sees and takes along with their own token. Only who was signed by the same site.
- `taken_with`: what the operator exports and erases. Those, and whom staff have merged into one of them.
- `kept_with`: whom a hold protects. Merged in either direction, or with the same verified address: rather too many.
- `perhaps`: who is none of them and may be the same person all the same. An operator is told, and decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chatserver.stores.schema import customers
from transcripts import schema as record

_AT_ONCE = 500  # ids in one question: engines count them

_customers = customers.c
_chats = record.chats.c


@dataclass(frozen=True)
class Perhaps:
    """Somebody who may be the same person, why, and how many chats they have."""

    customer_id: str
    why: str
    chats: int


async def seen_by(connection: AsyncConnection, customer_id: str) -> frozenset[str]:
    """The ids whose chats this customer may see.

    Who was merged is one person to our staff. To themselves only where the site has signed both: an unverified
    customer may claim to be anybody, so their token opens what was written with it, and no more. The same address is no
    proof either: families share one, and providers give it to somebody else. Whom we have erased, nobody is.
    """
    own = (await connection.execute(select(customers).where(_customers.id == customer_id))).mappings().first()
    if own is None or not own["verified"]:
        return frozenset((customer_id,))
    signed = (_customers.verified, _customers.site == own["site"], _customers.erased_at.is_(None))
    known, edge = {customer_id}, {customer_id}
    while edge:
        edge = await _merged(connection, edge, *signed) - known
        known |= edge
    return frozenset(known)


async def taken_with(connection: AsyncConnection, customer_id: str) -> list[str]:
    """The ids whose data are this customer's, for the operator; theirs first."""
    found = [customer_id, *sorted(await seen_by(connection, customer_id) - {customer_id})]
    for one in found:
        merged = select(_customers.id).where(_customers.merged_into == one).order_by(_customers.id)
        found += [id_ for id_ in await connection.scalars(merged) if id_ not in found]
    return found


async def kept_with(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """These, and whoever else a hold on one of them protects, also those who will be erased or merged later."""
    known, edge = set(ids), set(ids)
    while edge:
        edge = (await _merged(connection, edge) | await _same_verified_address(connection, edge)) - known
        known |= edge
    return known


async def perhaps(connection: AsyncConnection, ids: Collection[str]) -> list[Perhaps]:
    """Customers who are none of these, but are linked to one, or gave the same address, if only in a chat."""
    ids = set(ids)
    addresses = await _of(connection, select(func.lower(_customers.email)), _customers.id, ids)
    addresses |= await _of(connection, select(func.lower(_chats.customer_email)), _chats.customer_id, ids)
    named = await _of(connection, select(_customers.id), func.lower(_customers.email), addresses)
    named |= await _of(connection, select(_chats.customer_id), func.lower(_chats.customer_email), addresses)
    chats = select(func.count()).where(_chats.customer_id == _customers.id).scalar_subquery()
    known = select(_customers.id, _customers.email_verified_at, chats).where(_customers.erased_at.is_(None))
    known = known.order_by(_customers.id)
    found = []
    for some in _batches((named | await kept_with(connection, ids)) - ids):
        for id_, verified_at, count in await connection.execute(known.where(_customers.id.in_(some))):
            address = "the same address, not verified" if verified_at is None else "the same address, verified"
            found.append(Perhaps(id_, address if id_ in named else "merged", count))
    return found


async def _merged(connection: AsyncConnection, ids: Collection[str], *only: ColumnElement[bool]) -> set[str]:
    """Into whom these were merged, and who was into these."""
    into = await _of(connection, select(_customers.merged_into), _customers.id, ids)
    return await _of(connection, select(_customers.id).where(*only), _customers.id, into) | await _of(
        connection, select(_customers.id).where(*only), _customers.merged_into, ids
    )


async def _same_verified_address(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    verified = _customers.email_verified_at.is_not(None)
    emails = await _of(connection, select(_customers.email).where(verified), _customers.id, ids)
    return await _of(connection, select(_customers.id).where(verified), _customers.email, emails)


async def _of(connection: AsyncConnection, question: Any, column: Any, values: Collection[str]) -> set[str]:
    """What stands in the rows whose column has one of these values."""
    found: set[str] = set()
    for some in _batches(values):
        found.update(one for one in await connection.scalars(question.where(column.in_(some))) if one is not None)
    return found


def _batches(values: Collection[str]) -> Iterator[Sequence[str]]:
    ordered = sorted(values)
    for at in range(0, len(ordered), _AT_ONCE):
        yield ordered[at : at + _AT_ONCE]
