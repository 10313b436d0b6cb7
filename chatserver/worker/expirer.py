"""Applies the rules of retention once a day, at the hour that the operator has chosen (docs/keeping.md).

One worker does it, the one that leads. The day is written down when its runs have ended: killed
before, whoever leads next begins again, and cleans up what was erased until then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.actions.expiring import MOST_CHATS, apply_retention
from chatserver.clock import now_ms
from chatserver.errors import UnavailableError
from chatserver.stores.schema import counters
from chatserver.worker.leases import Leases
from transcripts.database import read, write
from transcripts.erasure import Eraser
from transcripts.errors import TranscriptError
from transcripts.retention import DAY_MS
from transcripts.upsert import upsert

EVERY_SECONDS = 30.0
AGAIN_SECONDS = 3_600.0  # after a failure: each try may write the whole database anew
MINUTE_MS = 60_000
COUNTER = "retention_day"

log = structlog.get_logger()


class Interrupted(Exception):
    """The worker ends, or another one has taken over."""


class Expirer:
    """The worker's part of retention. `at` is a minute of the day, UTC; None: nothing goes by itself."""

    def __init__(
        self,
        engine: AsyncEngine,
        eraser: Eraser,
        leases: Leases,
        *,
        at: int | None,
        now: Callable[[], int] = now_ms,
        most: int = MOST_CHATS,
    ) -> None:
        self._engine, self._eraser, self._leases = engine, eraser, leases
        self._at, self._now, self._most = at, now, most
        self._done_day = -1
        self._not_before = 0.0

    async def run_once(self, stop: asyncio.Event) -> None:
        """What is due today, if it is time and was not done.

        Raises:
            transcripts.errors.StoreUnavailableError: the next round looks again.
        """
        if self._at is None or not self._leases.leads or time.monotonic() < self._not_before:
            return
        now = self._now()
        day = (now - self._at * MINUTE_MS) // DAY_MS
        if self._done_day == day or await self._is_done(day):
            self._done_day = day
            return
        try:
            await self._apply(now, stop)
        except Interrupted:
            return
        except (TranscriptError, UnavailableError) as exc:
            log.error("retention.failed", error=str(exc))
            self._not_before = time.monotonic() + AGAIN_SECONDS
            return
        await self._write_down(day)
        self._done_day = day

    async def _apply(self, now: int, stop: asyncio.Event) -> None:
        def go_on(done: int, total: int) -> None:
            if stop.is_set() or not self._leases.leads:
                raise Interrupted

        more = True
        while more:
            go_on(0, 0)
            applied = await apply_retention(self._engine, self._eraser, now, most=self._most, on_progress=go_on)
            more = applied.more and applied.certificate is not None
            for ticket, why in applied.left.items():
                log.warning("retention.left", ticket=ticket, why=why)
            if applied.certificate:
                said = applied.certificate
                log.info("retention.applied", chats=len(said.chats), customers=len(said.customers), certificate=said.id)

    async def _is_done(self, day: int) -> bool:
        """Also when nobody has ever looked: then the first time is the next one, and not the middle of a day."""
        async with read(self._engine) as connection:
            done = await connection.scalar(select(counters.c.value).where(counters.c.name == COUNTER))
        if done is None:
            await self._write_down(day)
        return done is None or done >= day

    async def _write_down(self, day: int) -> None:
        async with write(self._engine) as connection:
            counter = upsert(connection, counters, key=["name"], kept=())
            await connection.execute(counter, {"name": COUNTER, "value": day})
