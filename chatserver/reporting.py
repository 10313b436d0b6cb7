"""Keeps what the other processes know of this one up to date, and measures how late its event loop is."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

import structlog

from chatserver.errors import UnavailableError
from chatserver.figures import Process, Report, Sample
from chatserver.stores.reports import Reports

EVERY_SECONDS = 5.0
TICK_SECONDS = 0.5
ASK_SECONDS = 1.0  # for Redis, before an answer is given without it

log = structlog.get_logger()


class Reporting:
    """This process' figures, and those of all.

    `samples` are what it has to say beside what every process has. Where nobody may ask, it is not `on` and says
    nothing.
    """

    def __init__(
        self, process: Process, reports: Reports, samples: Callable[[], Awaitable[Iterable[Sample]]], *, on: bool
    ) -> None:
        self._process, self._reports, self._samples, self._on = process, reports, samples, on

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Reports as long as the block runs."""
        if not self._on:
            yield
            return
        task = asyncio.create_task(self._keep(), name="reporting")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            with contextlib.suppress(UnavailableError, TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._reports.withdraw(self._process.node, self._process.name)

    async def own(self) -> Report:
        """As it is now."""
        return self._process.report(await self._samples())

    async def others(self) -> list[Report] | None:
        """What the other processes said last, some seconds ago; None when Redis does not answer."""
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await self._reports.others(self._process.node, self._process.name)
        except (UnavailableError, TimeoutError):
            return None

    async def _keep(self) -> None:
        while True:
            try:
                await self._reports.put(await self.own())
            except UnavailableError:
                pass  # the next one tells as much
            except Exception:
                log.exception("reporting.failed")
            for _ in range(round(EVERY_SECONDS / TICK_SECONDS)):
                due = time.monotonic() + TICK_SECONDS
                await asyncio.sleep(TICK_SECONDS)
                self._process.lag.take(max(0.0, time.monotonic() - due))
