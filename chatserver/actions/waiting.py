"""Chats on their way into the queue."""

from __future__ import annotations

from chatserver.broker.log import ChatLog
from chatserver.model.chat import ChatInfo, queue_item
from chatserver.stores.queue import Queue


class Waiting:
    """Puts queued chats on their department's waiting list."""

    def __init__(self, log: ChatLog, queue: Queue) -> None:
        self._log, self._queue = log, queue

    async def enqueue(self, ticket: int, info: ChatInfo, since: int, preview: str | None) -> None:
        """Onto the list, and off the sweeper's; doing it again does nothing.

        Raises:
            UnavailableError: Redis does not answer; the sweeper does it later.
        """
        item = queue_item(ticket, since, info, preview)
        await self._queue.add(ticket, department=info.department, since=since, item=item)
        await self._log.queued(ticket)
