"""Tells waiting customers their place in the queue whenever it moves: once a department and moment, not once a
customer and event, and who is far back only when it has moved noticeably. However many wait, an arrival costs little.

Invariant: what a customer was told last is, as near as `_noticeable` wants it, the place that Redis had after the last
event of the topic, or a look at it is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from chatserver.broker.event import NOBODY, TRANSIENT, transient_event
from chatserver.errors import UnavailableError
from chatserver.hub.feed import Encoded, Feed
from chatserver.hub.topics import TopicListener
from chatserver.stores.queue import Queue

SETTLE_SECONDS = 0.2  # a burst of arrivals is one message to each customer
SECONDS_EACH = 0.0005  # and the more customers are looked after, the longer a moment: a look takes some µs for each
EXACT = 10  # as far as people count
UNTOLD = (0, 0)

_ENVELOPE = bytes((TRANSIENT,)) + NOBODY


class QueuePlaces(TopicListener):
    """The waiting chats of one department that have a customer here."""

    def __init__(self, department: str, queue: Queue, feed_of: Callable[[int], Feed | None]) -> None:
        self.department = department
        self._queue, self._feed_of = queue, feed_of
        self._told: dict[int, tuple[int, int]] = {}  # place and how many wait; of several readers, what the first knows
        self._task: asyncio.Task[None] | None = None
        self._moved = False

    def expect(self, ticket: int) -> None:
        """A customer is about to be told a place: it is asked for from now on."""
        self._told.setdefault(ticket, UNTOLD)

    def told(self, ticket: int, place: int, waiting: int) -> None:
        """One of the chat's readers was. Others, who were told before, may know an older one only."""
        if self._told.get(ticket, UNTOLD) == UNTOLD:
            self._told[ticket] = place, waiting

    def tell(self, ticket: int) -> None:
        """The chat's customers do not know their place any more."""
        self._told[ticket] = UNTOLD
        self.changed(None)

    def drop(self, ticket: int) -> None:
        """Nobody here waits for it any more."""
        self._told.pop(ticket, None)

    def stop(self) -> None:
        """Ends."""
        if self._task:
            self._task.cancel()

    def changed(self, event: dict[str, Any] | None) -> None:
        """The waiting list has moved. A chat that comes to it while its customer is here was released, or Redis had
        lost it.
        """
        if event and event["type"] == "queued":
            ticket = event["item"]["ticket"]
            feed = self._feed_of(ticket)
            if feed and any(not reader.staff for reader in feed.readers.values()):
                self.expect(ticket)
        if not self._told:
            return
        self._moved = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._tell(), name=f"places {self.department}")

    async def _tell(self) -> None:
        while self._moved and self._told:
            await asyncio.sleep(max(SETTLE_SECONDS, SECONDS_EACH * len(self._told)))
            self._moved = False
            try:
                places, waiting = await self._queue.places(self.department, list(self._told))
            except UnavailableError:
                self._moved = True
                continue
            for ticket, told in list(self._told.items()):
                if ticket in places:
                    self._tell_one(ticket, told, (places[ticket], waiting))
                elif not self._moved:  # otherwise it may have come, or come back, since we asked
                    self.drop(ticket)

    def _tell_one(self, ticket: int, told: tuple[int, int], now: tuple[int, int]) -> None:
        feed = self._feed_of(ticket)
        if feed is None:
            self.drop(ticket)
        elif any(map(_noticeable, told, now)):
            self._told[ticket] = now
            place, waiting = now
            encoded = Encoded(_ENVELOPE + transient_event(ticket=ticket, type="queue", place=place, waiting=waiting))
            for reader in feed.readers.values():
                if not reader.staff:
                    reader.give(encoded)


def _noticeable(before: int, now: int) -> bool:
    """Whether a number has changed so that somebody cares: any small one, another by a tenth."""
    return before != now and (min(before, now) <= EXACT or abs(now - before) * 10 >= before)
