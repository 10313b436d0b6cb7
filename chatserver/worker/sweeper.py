"""Completes what a crash left between two steps: a chat that is not in its queue yet, a hand-over that nobody
confirmed.
"""

from __future__ import annotations

import asyncio

import structlog

from chatserver.actions.assigning import Assigning
from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import ticket_work_list
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.errors import ChatError, NotFoundError, UnavailableError
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue
from chatserver.worker.leases import Leases

EVERY_SECONDS = 1.0
PATIENCE_MS = 2_000  # who opened the chat does the next step within a few ms

log = structlog.get_logger()


class Sweeper:
    """Walks the partitions' `todo` lists and the routing slot's `pend` list."""

    def __init__(
        self, link: Link, chats: Chats, queue: Queue, waiting: Waiting, assigning: Assigning, leases: Leases
    ) -> None:
        self._link, self._chats, self._queue, self._leases = link, chats, queue, leases
        self._waiting, self._assigning = waiting, assigning
        self._log = ChatLog(link)

    async def run_once(self) -> int:
        """One round; how many steps were completed.

        Raises:
            UnavailableError: Redis does not answer.
        """
        held = self._leases.held()
        if not held:
            return 0
        seconds, micros = await self._link.call(b"TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        lists = await asyncio.gather(
            *(self._log.work(b"todo", number, until=now - PATIENCE_MS, limit=50) for number in held)
        )
        done = 0
        for ticket in [ticket for found in lists for ticket in found]:
            done += await self._enqueue(ticket)
        if 0 in held:  # the routing slot has no partition: whoever has the first does it
            for ticket, agent_id, gen in await self._queue.overdue(now):
                done += await self._confirm(ticket, agent_id, gen)
        return done

    async def _enqueue(self, ticket: int) -> bool:
        try:
            chat = await self._chats.head(ticket)
        except NotFoundError:
            await self._link.call(b"ZREM", ticket_work_list(b"todo", ticket), ticket)
            return False
        if chat.state == "queued":
            log.warning("sweeper.enqueued", ticket=ticket)
            await self._waiting.enqueue(ticket, chat.info, chat.opened_at, None)
            return True
        await self._log.queued(ticket)
        return False

    async def _confirm(self, ticket: int, agent_id: str, gen: int) -> bool:
        try:
            await self._assigning.confirm(ticket, agent_id, gen)
        except UnavailableError:
            raise
        except ChatError as error:
            log.warning("sweeper.dropped", ticket=ticket, why=error.code)
            await self._back_to_the_queue(ticket)
            return False
        log.warning("sweeper.confirmed", ticket=ticket, gen=gen)
        return True

    async def _back_to_the_queue(self, ticket: int) -> None:
        """The agent is no longer there, or another one owns the chat: the hand-over ends here."""
        try:
            chat = await self._chats.head(ticket)
        except NotFoundError:
            await self._queue.confirm(ticket)
            return
        if chat.state == "queued":
            await self._queue.remove(ticket, department=chat.info.department)
            await self._waiting.enqueue(ticket, chat.info, chat.opened_at, None)
        await self._queue.confirm(ticket)
