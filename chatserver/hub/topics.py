"""Versioned topics (waiting lists, an agent's chats) and who watches them in this process."""

from __future__ import annotations

import asyncio
from typing import Any

from chatserver.broker.event import ENVELOPE, decode_event
from chatserver.errors import UnavailableError
from chatserver.hub.connection import Connection
from chatserver.hub.feed import Encoded
from chatserver.stores.queue import Queue
from chatserver.wire.frames import Snapshot

RETRY_SECONDS = 0.5


class TopicFeed:
    """One topic's channel. A watcher gets a snapshot and then every later version; a renewed subscription gives a new
    snapshot.
    """

    def __init__(self, topic: str, queue: Queue) -> None:
        self.topic = topic
        self.subscribed = asyncio.Event()
        self.watchers: dict[Connection, list[tuple[int, Encoded]] | None] = {}
        self.listeners: list[TopicListener] = []
        self._queue = queue
        self._again: asyncio.Task[None] | None = None
        self._renewals = 0
        self._version: int | None = None  # of the last event, or of the first snapshot

    @property
    def idle(self) -> bool:
        """Whether nobody needs the channel."""
        return not self.watchers and not self.listeners

    @property
    def version(self) -> int | None:
        """Up to where the watchers were told; None while that is not known."""
        return self._version

    def stands(self) -> None:
        """The first subscription. A listener did not wait for it: what it has told may be of before."""
        self.subscribed.set()
        for listener in self.listeners:
            listener.changed(None)

    def push(self, payload: bytes) -> None:
        """An event of the topic. One that does not follow the last (Redis has lost versions, or all of them) makes
        everybody begin again.
        """
        encoded = Encoded(payload)
        event = decode_event(payload[ENVELOPE:])
        version, last = int(event["version"]), self._version
        self._version = version
        for connection, held in self.watchers.items():
            if held is None:
                connection.offer(encoded.under(connection.codec))
            else:
                held.append((version, encoded))
        if last is not None and version != last + 1:
            self.renewed()
        for listener in self.listeners:
            listener.changed(event)

    async def watch(self, connection: Connection, id: int | None) -> None:
        """Sends the snapshot, then what came while it was made. A second watch of the same topic begins it again."""
        held: list[tuple[int, Encoded]] = []
        self.watchers[connection] = held
        state = await self._queue.snapshot(self.topic)
        if self._version is None:
            self._version = state.version
        name = "waiting" if self.topic.startswith("department:") else "chats"
        fields = {name: state.items, "count": state.count}
        connection.offer_frame(Snapshot(id=id, topic=self.topic, version=state.version, state=fields))
        if self.watchers.get(connection) is not held:
            return  # watched again meanwhile, or no longer: that one goes on
        self.watchers[connection] = None
        for version, encoded in held:
            if version > state.version:
                connection.offer(encoded.under(connection.codec))

    def renewed(self) -> None:
        """The subscription was lost for a while: whoever watches begins again."""
        self._renewals += 1
        self._version = None
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._watch_again(), name=f"snapshot {self.topic}")

    async def _watch_again(self) -> None:
        done = 0
        while done != self._renewals:
            done = self._renewals
            for connection in list(self.watchers):
                await self._watch_one_again(connection)
        for listener in self.listeners:
            listener.changed(None)

    async def _watch_one_again(self, connection: Connection) -> None:
        while connection in self.watchers:
            try:
                return await self.watch(connection, None)
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)


class TopicListener:
    """Somebody in this process who wants to know that a topic has moved."""

    def changed(self, event: dict[str, Any] | None) -> None:
        """It has, by this event, or in a way that nobody saw."""
        raise NotImplementedError
