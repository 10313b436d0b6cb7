"""Ticket numbers: leased from SQL in blocks, so that a Redis that forgets cannot hand one out twice.

Gaps are allowed (a process that ends loses the rest of its blocks), duplicates are not.
"""

from __future__ import annotations

import asyncio
from collections import deque

import structlog
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.errors import UnavailableError
from chatserver.stores.schema import counters
from transcripts.database import write
from transcripts.errors import StoreUnavailableError
from transcripts.ticket import ticket_of

BLOCK = 100

log = structlog.get_logger()


async def lease(engine: AsyncEngine, count: int) -> range:
    """Counters that nobody else gets.

    Raises:
        transcripts.errors.StoreUnavailableError: the database does not answer.
    """
    statement = (
        update(counters)
        .where(counters.c.name == "ticket")
        .values(value=counters.c.value + count)
        .returning(counters.c.value)
    )
    async with write(engine) as db:
        end: int = (await db.execute(statement)).scalar_one()
    return range(end - count, end)


class TicketNumbers:
    """A process' stock: two blocks, the next one is fetched when half of them is gone."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._stock: deque[int] = deque()
        self._fetching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Fetches the first two blocks."""
        self._stock.extend(await lease(self._engine, 2 * BLOCK))

    async def next(self) -> int:
        """A ticket number that nobody has.

        Raises:
            UnavailableError: none left and the database does not answer.
        """
        if len(self._stock) <= BLOCK and self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        if not self._stock and self._fetching:
            await asyncio.shield(self._fetching)
        if not self._stock:
            raise UnavailableError("No ticket number can be had just now.", retry_after_ms=2_000)
        return ticket_of(self._stock.popleft())

    @property
    def left(self) -> int:
        """Numbers in stock."""
        return len(self._stock)

    def give_back(self, ticket: int) -> None:
        """A number that was not needed after all."""
        self._stock.appendleft(ticket // 10)

    async def _fetch(self) -> None:
        try:
            self._stock.extend(await lease(self._engine, BLOCK))
        except StoreUnavailableError as exc:
            log.warning("tickets.unavailable", left=len(self._stock), error=str(exc))
        finally:
            self._fetching = None
