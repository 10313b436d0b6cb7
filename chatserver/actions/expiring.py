"""Applying the rules of retention: what they no longer keep is erased, all of it in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.stores.chatless import MOST_PEOPLE, chatless
from chatserver.stores.same_person import kept_with
from transcripts.database import read
from transcripts.erasure import Eraser, Swept
from transcripts.retention import expired

MOST_CHATS = 10_000
"""In one run, whose certificate names each of them and whose end writes the whole database anew."""


@dataclass(frozen=True)
class Applied(Swept):
    """What a run has done; `more` are due."""

    more: bool


async def apply_retention(
    engine: AsyncEngine,
    eraser: Eraser,
    now: int,
    *,
    most: int = MOST_CHATS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Applied:
    """Erases the chats whose time is over at `now` (ms UTC), and the customers who have none left; cleans up after an
    erasure that was interrupted.

    What is held stays, also when the hold comes while this is going on. Safe to repeat, and in two processes at once.

    Raises:
        ErasureError, StoreUnavailableError, UnavailableError: as `Eraser.sweep`; the next run goes on where this ended.
    """
    async with read(engine) as connection:
        tickets = await expired(connection, now, limit=most, same=kept_with)
    swept = await eraser.sweep(tickets, left_people=chatless, on_progress=on_progress)
    gone = len(swept.certificate.customers) if swept.certificate else 0
    return Applied(swept.certificate, swept.left, more=len(tickets) == most or gone == MOST_PEOPLE)
