"""Completes what a crash left between two steps, and takes the chats of agents who are lost.

Every step is safe to do twice, by two workers too: scripts decide, and the newer `gen` wins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable

import structlog

from chatserver.actions.assigning import Assigning
from chatserver.actions.releasing import Releasing
from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import ticket_work_list
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.errors import NotFoundError, UnavailableError
from chatserver.stores.presence import Presence
from chatserver.stores.queue import Queue, Step
from chatserver.worker.leases import Leases
from transcripts.errors import TranscriptError

EVERY_SECONDS = 1.0
PATIENCE_MS = 2_000  # who opened the chat does the next step within a few ms
LOOK = 50  # of a partition, in one round
AT_ONCE = 16

log = structlog.get_logger()


class Sweeper:
    """Walks the partitions' `todo` lists and the routing slot's: what is pending, which nodes are dead, who is lost."""

    def __init__(
        self,
        link: Link,
        queue: Queue,
        presence: Presence,
        leases: Leases,
        *,
        waiting: Waiting,
        assigning: Assigning,
        releasing: Releasing,
    ) -> None:
        self._link, self._queue, self._presence, self._leases = link, queue, presence, leases
        self._waiting, self._assigning, self._releasing = waiting, assigning, releasing
        self._log = ChatLog(link)

    async def run_once(self) -> None:
        """One round.

        Raises:
            UnavailableError, transcripts.errors.StoreUnavailableError: Redis does not answer, or the database for a
                chat that needs it; the others were done.
        """
        held = self._leases.held()
        if not held and not self._leases.leads:
            return
        seconds, micros = await self._link.call(b"TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        parts = [self._agree_all(held, now)]
        if self._leases.leads:
            parts += [self._complete_all(now), self._release_lost()]
        await _all(parts)

    async def _agree_all(self, held: list[int], now: int) -> None:
        # Those that somebody should have done by now. A time that has not come yet is one from before the clock jumped
        # back.
        tickets = await self._log.work(b"todo", held, until=now - PATIENCE_MS, limit=LOOK)
        tickets += await self._log.work(b"todo", held, since=now + PATIENCE_MS, limit=LOOK)
        await _all(map(self._agree, tickets))
        if tickets:
            log.info("sweeper.agreed", chats=len(tickets))

    async def _complete_all(self, now: int) -> None:
        await _all(map(self._complete, await self._queue.overdue(now)))

    async def _agree(self, ticket: int) -> None:
        try:
            await self._waiting.agree(ticket)
        except NotFoundError:
            await self._link.call(b"ZREM", ticket_work_list(b"todo", ticket), ticket)

    async def _complete(self, step: Step) -> None:
        try:
            if step.agent_id:
                await self._assigning.confirm(step)
            else:
                await self._releasing.complete(step)
        except NotFoundError:
            await self._queue.forget(step.ticket)
            return
        log.warning("sweeper.completed", ticket=step.ticket, gen=step.gen, step="take" if step.agent_id else "release")

    async def _release_lost(self) -> None:
        dead, lost = await self._presence.sweep()
        if dead:
            log.warning("node.lost", nodes=dead)
        for agent_id in lost:
            released = await self._releasing.release(agent_id)
            if released:
                log.warning("agent.lost", agent=agent_id, chats=released)


async def _all(steps: Iterable[Awaitable[None]]) -> None:
    """A few at a time; one that cannot be done does not hold up the others.

    Raises:
        Exception: of one of them, once all were tried; one that nobody expects before one that passes.
    """
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(step: Awaitable[None]) -> None:
        async with gate:
            await step

    results = await asyncio.gather(*map(one, steps), return_exceptions=True)
    errors = [error for error in results if error]
    errors.sort(key=lambda error: isinstance(error, (UnavailableError, TranscriptError)))
    if errors:
        raise errors[0]
