"""Versioned topics (waiting lists, an agent's chats) and who watches them in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from chatserver.broker.event import ENVELOPE, decode_event
from chatserver.errors import UnavailableError
from chatserver.hub.connection import Connection
from chatserver.hub.feed import Encoded
from chatserver.stores.queue import Queue, TopicState
from chatserver.wire.frames import Snapshot

if TYPE_CHECKING:
    from chatserver.wire.codec import Codec

RETRY_SECONDS = 0.5


class Watcher:
    """A connection that watches. Until its snapshot is on the way, what arrives is held back."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._version = 0  # up to where it was told
        self._held: list[tuple[int, Encoded]] | None = []

    def give(self, version: int, encoded: Encoded) -> None:
        """Hands on an event, unless its snapshot is of later."""
        if self._held is not None:
            self._held.append((version, encoded))
        elif version > self._version:
            self._version = version
            self.connection.offer(encoded.under(self.connection.codec))

    def release(self, version: int) -> None:
        """The snapshot of this version has been offered: now everything after it."""
        held, self._held, self._version = self._held or [], None, version
        for event in held:
            self.give(*event)


class TopicFeed:
    """One topic's channel. A watcher gets a snapshot and then every later version; a renewed subscription gives a new
    snapshot, one for all.
    """

    def __init__(self, topic: str, queue: Queue) -> None:
        self.topic = topic
        self.subscribed = asyncio.Event()
        self.watchers: dict[Connection, Watcher] = {}
        self.listeners: list[TopicListener] = []
        self._queue = queue
        self._renewing: list[Watcher] | None = None  # who waits for the next snapshot that is for all
        self._renewal: asyncio.Task[None] | None = None
        self._version: int | None = None  # of the last event, or of the first snapshot
        self._heard = False  # it is of an event

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
        everybody begin again; but a snapshot comes on another connection, and may overtake the events it knows of.
        """
        encoded = Encoded(payload)
        event = decode_event(payload[ENVELOPE:])
        version, last = int(event["version"]), self._version
        for watcher in self.watchers.values():
            watcher.give(version, encoded)
        if last is None or version > last or self._heard:
            self._version, self._heard = version, True
            if last is not None and version != last + 1:
                self.renewed()
        for listener in self.listeners:
            listener.changed(event)

    async def watch(self, connection: Connection, id: int) -> None:
        """Sends the snapshot, then what came while it was made. A second watch of the same topic begins it again."""
        watcher = self._begin(connection)
        state = await self._queue.snapshot(self.topic)
        connection.offer_frame(self._shown(state, id))
        self._release(watcher, state)

    def renewed(self) -> None:
        """The subscription was lost for a while: whoever watches begins again."""
        self._version = None
        self._renewing = [self._begin(connection) for connection in self.watchers]
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(), name=f"snapshot {self.topic}")

    async def _renew(self) -> None:
        while (watchers := self._renewing) is not None:
            try:
                state = await self._queue.snapshot(self.topic) if watchers else None
            except UnavailableError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if watchers is self._renewing:  # otherwise it was renewed again meanwhile
                self._renewing = None
                if state:
                    self._give_all(watchers, state)
        for listener in self.listeners:
            listener.changed(None)

    def _give_all(self, watchers: list[Watcher], state: TopicState) -> None:
        frame = self._shown(state, None)
        frames: dict[Codec, bytes] = {}
        for watcher in watchers:
            connection = watcher.connection
            if self.watchers.get(connection) is watcher:
                if connection.codec not in frames:
                    frames[connection.codec] = connection.codec.encode(frame)
                connection.offer(frames[connection.codec])
                self._release(watcher, state)

    def _begin(self, connection: Connection) -> Watcher:
        watcher = self.watchers[connection] = Watcher(connection)
        return watcher

    def _release(self, watcher: Watcher, state: TopicState) -> None:
        if self.watchers.get(watcher.connection) is watcher:  # not begun again meanwhile, and not gone
            watcher.release(state.version)
            if self._version is None:
                self._version, self._heard = state.version, False

    def _shown(self, state: TopicState, id: int | None) -> Snapshot:
        name = "waiting" if self.topic.startswith("department:") else "chats"
        return Snapshot(id=id, topic=self.topic, version=state.version, state={name: state.items, "count": state.count})


class TopicListener:
    """Somebody in this process who wants to know that a topic has moved."""

    def changed(self, event: dict[str, Any] | None) -> None:
        """It has, by this event, or in a way that nobody saw."""
        raise NotImplementedError
