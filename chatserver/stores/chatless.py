"""Customers of whom nothing is left but who they are: retention takes them with their last chat.

Only those whom an import brought. Nobody has ever had a token of theirs, so none of them can be opening a chat at this
moment. Of a customer whom a browser made we know no more than an id; one whom the site has signed may be signed in, and
stays until the operator erases them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chatserver.stores.same_person import kept_with
from chatserver.stores.schema import customers
from transcripts import retention, schema
from transcripts.holds import held_customer

MOST_PEOPLE = 10_000
"""In one run, whose certificate names each of them."""

_customers = customers.c
_chats = schema.chats.c


async def chatless(
    connection: AsyncConnection, among: Sequence[str] | None = None, *, limit: int = MOST_PEOPLE
) -> list[str]:
    """Their ids, of these or of all. Who is held is none of them, nor who was merged: they may have others' chats.

    Where retention has no rule, everybody is kept.
    """
    question = select(_customers.id).where(await _nothing_left(connection)).order_by(_customers.id).limit(limit)
    if among is not None:
        question = question.where(_customers.id.in_(among))
    return list(await connection.scalars(question)) if await retention.rules(connection) else []


async def count_chatless(connection: AsyncConnection) -> int:
    """How many they are."""
    question = select(func.count()).select_from(customers).where(await _nothing_left(connection))
    return await connection.scalar(question) or 0 if await retention.rules(connection) else 0


async def _nothing_left(connection: AsyncConnection) -> ColumnElement[bool]:
    own = select(_chats.ticket).where(_chats.customer_id == _customers.id).correlate(customers)
    merged = customers.alias()
    return and_(
        _customers.erased_at.is_(None),
        _customers.verified.is_(False),
        or_(_customers.external_id.is_not(None), _customers.name.is_not(None), _customers.email.is_not(None)),
        own.exists(),
        ~own.where(or_(_chats.state != "closed", retention.says_something())).exists(),
        _customers.merged_into.is_(None),
        ~select(merged.c.id).where(merged.c.merged_into == _customers.id).correlate(customers).exists(),
        ~await held_customer(connection, _customers.id, kept_with),
    )
