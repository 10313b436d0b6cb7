"""Keeps this process' lease as a node: renewed every third of its length, and at once when an agent comes or goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

import structlog

from chatserver.errors import UnavailableError
from chatserver.stores.presence import Presence

RETRY_SECONDS = 0.5

log = structlog.get_logger()


class NodeLease:
    """Reports to `presence` who is connected here, one report at a time.

    `agents` names them when asked. `on_forgotten` is called when Redis no longer knew a node that had reported
    before: it has lost data, and what it published may be lost too.
    """

    def __init__(
        self, presence: Presence, *, agents: Callable[[], Collection[str]], on_forgotten: Callable[[], None]
    ) -> None:
        self._presence, self._agents, self._on_forgotten = presence, agents, on_forgotten
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """The first report; from then on this node counts."""
        with contextlib.suppress(UnavailableError):
            await self._presence.report(self._agents())
        self._task = asyncio.create_task(self._keep(), name="node lease")

    async def stop(self) -> None:
        """Gives the lease up; the grace of the agents who were here begins."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(UnavailableError):
            await self._presence.leave()

    def moved(self) -> None:
        """An agent's first connection here has come, or their last one has gone."""
        self._moved.set()

    async def _keep(self) -> None:
        known = True
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._presence.lease_seconds / 3):
                    await self._moved.wait()
            self._moved.clear()
            try:
                known = await self._presence.report(self._agents())
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
                self._moved.set()  # until Redis has heard it
                continue
            if not known:
                log.warning("node.forgotten", node=self._presence.node)
                self._on_forgotten()
