"""Tells waiting customers their place in the queue whenever it moves: once a department and moment, not once a
customer and event.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from chatserver.broker.event import transient_event
from chatserver.errors import UnavailableError
from chatserver.hub.feed import Encoded, Feed
from chatserver.hub.topics import TopicListener
from chatserver.stores.queue import Queue

SETTLE_SECONDS = 0.2  # a burst of arrivals is one message to each customer


class QueuePlaces(TopicListener):
    """The waiting chats of one department that have a customer here."""

    def __init__(self, department: str, queue: Queue, feed_of: Callable[[int], Feed | None]) -> None:
        self.department = department
        self._queue, self._feed_of = queue, feed_of
        self._told: dict[int, tuple[int, int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._again = False

    def add(self, ticket: int, place: int, waiting: int) -> None:
        """A customer has been told this place."""
        self._told[ticket] = place, waiting

    def drop(self, ticket: int) -> None:
        """Nobody here waits for it any more."""
        self._told.pop(ticket, None)

    def changed(self, event: dict[str, Any] | None) -> None:
        """The waiting list has moved. A chat that comes to it while its customer is here was released."""
        if event and event["type"] == "queued":
            ticket = event["item"]["ticket"]
            feed = self._feed_of(ticket)
            if feed and any(not reader.staff for reader in feed.readers.values()):
                self._told.setdefault(ticket, (0, 0))
        if not self._told:
            return
        self._again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell(), name=f"places {self.department}")

    async def _tell(self) -> None:
        while self._again:
            self._again = False
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                places, waiting = await self._queue.places(self.department, list(self._told))
            except UnavailableError:
                continue
            for ticket in list(self._told):
                if ticket not in places:
                    self.drop(ticket)
                elif self._told[ticket] != (places[ticket], waiting):
                    self._told[ticket] = places[ticket], waiting
                    self._tell_one(ticket, places[ticket], waiting)

    def _tell_one(self, ticket: int, place: int, waiting: int) -> None:
        feed = self._feed_of(ticket)
        if feed is None:
            self.drop(ticket)
            return
        encoded = Encoded(transient_event(ticket=ticket, type="queue", place=place, waiting=waiting))
        for reader in feed.readers.values():
            if not reader.staff:
                reader.connection.offer(encoded.under(reader.connection.codec), passing=True)
