"""Versioned topics (waiting lists, an agent's chats) and who watches them in this process."""

from __future__ import annotations

import asyncio

from chatserver.broker.event import ENVELOPE, decode_event
from chatserver.errors import UnavailableError
from chatserver.hub.connection import Connection
from chatserver.hub.feed import Encoded
from chatserver.stores.queue import Queue


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

    @property
    def idle(self) -> bool:
        """Whether nobody needs the channel."""
        return not self.watchers and not self.listeners

    def push(self, payload: bytes) -> None:
        """An event of the topic."""
        encoded = Encoded(payload[ENVELOPE:])
        version = int(decode_event(encoded.event)["version"])
        for connection, held in self.watchers.items():
            if held is None:
                connection.offer(encoded.under(connection.codec))
            else:
                held.append((version, encoded))
        for listener in self.listeners:
            listener.changed()

    async def watch(self, connection: Connection, id: int | None) -> None:
        """Sends the snapshot, then what came while it was made."""
        held: list[tuple[int, Encoded]] = []
        self.watchers[connection] = held
        state = await self._queue.snapshot(self.topic)
        if self.watchers.get(connection) is not held:
            return  # unwatched, or watched again, meanwhile
        name = "waiting" if self.topic.startswith("department:") else "chats"
        fields = {name: state.items, "count": state.count}
        connection.offer(connection.codec.encode(_snapshot(id, self.topic, state.version, fields)))
        self.watchers[connection] = None
        for version, encoded in held:
            if version > state.version:
                connection.offer(encoded.under(connection.codec))

    def renewed(self) -> None:
        """The subscription was lost for a while: whoever watches begins again."""
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self._watch_again(), name=f"snapshot {self.topic}")

    async def _watch_again(self) -> None:
        for connection in list(self.watchers):
            try:
                await self.watch(connection, None)
            except UnavailableError:
                self.watchers[connection] = None  # the next confirmation of the subscription tries again
        for listener in self.listeners:
            listener.changed()


class TopicListener:
    """Somebody in this process who wants to know that a topic has moved."""

    def changed(self) -> None:
        """It has."""
        raise NotImplementedError


def _snapshot(id: int | None, topic: str, version: int, state: dict[str, object]) -> dict[str, object]:
    if id is None:
        return {"op": "snapshot", "topic": topic, "version": version, "state": state}
    return {"op": "snapshot", "id": id, "topic": topic, "version": version, "state": state}
