"""A hub on a real Valkey, with connections that end in the test, whose reads and deliveries can be held up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import topic_channel
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.hub.connection import Connection
from chatserver.hub.hub import Hub
from chatserver.model.person import Person
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue, TopicState, department_topic
from chatserver.wire.codec import CODECS
from chatserver.wire.commands import Position
from tests.support.backstage import Backstage, Writer
from tests.support.client import JSON, PATIENCE, decode, fits, new_device

TOPIC = department_topic("support")


class Peer:
    """The other end of a connection: takes everything at once."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self._more = asyncio.Event()
        self._heard: Counter[int] = Counter()  # of what it has got, where it heard that a chat waits

    def send(self, data: bytes, *, binary: bool) -> None:
        self.got += decode(data if binary else data.decode())
        self._more.set()

    def close(self, code: int, reason: str = "") -> None:
        pass

    def cut(self, code: int, reason: str = "") -> None:
        raise AssertionError(f"{code} {reason}")

    @property
    def slow(self) -> bool:
        return False

    def backlog(self) -> tuple[int, int]:
        return 0, 0

    async def until(self, op: str, **fields: Any) -> None:
        """Waits until it has got this."""
        async with asyncio.timeout(PATIENCE):
            while not any(fits(one, op, fields) for one in self.got):
                self._more.clear()
                await self._more.wait()

    async def queued(self, ticket: int) -> None:
        """Waits until it has heard once more that the chat waits, by an event or a snapshot."""
        async with asyncio.timeout(PATIENCE):
            while not (heard := self._listed(ticket)):
                self._more.clear()
                await self._more.wait()
        self._heard[ticket] = heard

    def _listed(self, ticket: int) -> int:
        for at, one in enumerate(self.got[self._heard[ticket] :], self._heard[ticket] + 1):
            if fits(one, "event", {"topic": TOPIC, "type": "queued"}):
                items = [one["item"]]
            else:
                items = one["state"]["waiting"] if fits(one, "snapshot", {"topic": TOPIC}) else []
            if any(item["ticket"] == ticket for item in items):
                return at
        return 0

    async def told(self, place: int, waiting: int) -> None:
        """Waits until it is told this place, and nothing else of the queue after it."""
        await self.until("event", topic="chat", type="queue", place=place, waiting=waiting)
        last = [one for one in self.got if fits(one, "event", {"topic": "chat", "type": "queue"})][-1]
        assert (last["place"], last["waiting"]) == (place, waiting)


class HeldUpQueue(Queue):
    """A queue whose next answer about places takes so long that `meanwhile` happens first; it knows whose was asked.
    The same for its next snapshot, before and after it is made.
    """

    meanwhile: Callable[[], Awaitable[object]] | None = None
    asked: tuple[int, ...] = ()
    before_snapshot: Callable[[], Awaitable[object]] | None = None
    after_snapshot: Callable[[], Awaitable[object]] | None = None
    snapshots = 0  # ever made

    async def places(self, department: str, tickets: list[int]) -> tuple[dict[int, int], int]:
        self.asked = tuple(tickets)
        found = await super().places(department, tickets)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()
        return found

    async def snapshot(self, topic: str) -> TopicState:
        before, self.before_snapshot = self.before_snapshot, None
        if before:
            await before()
        self.snapshots += 1
        state = await super().snapshot(topic)
        after, self.after_snapshot = self.after_snapshot, None
        if after:
            await after()
        return state


class Desk:
    """A hub with a supervisor who watches the waiting list, and what happens elsewhere."""

    def __init__(self, stage: Backstage) -> None:
        self.stage, self.hub = stage, Hub()
        self.link = Link(stage.valkey.url, on_push=self._pushed, on_subscribed=self.hub.subscribed)
        chats = Chats(ChatLog(self.link), stage.store, stage.chats.directory)
        self.queue = HeldUpQueue(self.link, grace_seconds=45)
        self.chats, self.waiting = chats, Waiting(stage.chats, Queue(stage.link, grace_seconds=45))
        self.screen = Peer()
        self.withheld: list[tuple[bytes, bytes]] | None = None  # of the topic, instead of handing it on

    async def __aenter__(self) -> Desk:
        await self.link.start()
        self.hub.start(self.link, self.chats, self.queue)
        self.supervisor = self.staff(self.screen)
        await self.hub.watch(self.supervisor, TOPIC, id=1)
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.hub.stop()
        await self.link.stop()

    def customer(self, writer: Writer) -> tuple[Connection, Peer]:
        """A device of theirs connects."""
        peer = Peer()
        return self._connect(peer, writer.author.person), peer

    async def attach(self, connection: Connection, ticket: int) -> dict[str, Any]:
        """Its page of the chat; what it says of the queue."""
        page, reader = await self.hub.attach(connection, Position(ticket))
        connection.offer_frame(page)
        reader.release()
        queue: dict[str, Any] = page.state["queue"]
        return queue

    async def arrives(self, text: str = "Hello") -> tuple[int, Writer]:
        """A chat is opened and listed; this hub has heard of it."""
        ticket, customer = await self.stage.open(text)
        await self.listed(ticket)
        return ticket, customer

    async def listed(self, ticket: int) -> None:
        """As the action or the sweeper does it."""
        await self.waiting.agree(ticket)
        await self.screen.queued(ticket)

    def staff(self, peer: Peer, subprotocol: str = JSON) -> Connection:
        """A screen of a supervisor."""
        return self._connect(peer, Person("sue", "supervisor", "Sue"), subprotocol)

    def hand_on(self) -> None:
        """What was withheld comes now."""
        withheld, self.withheld = self.withheld or [], None
        for message in withheld:
            self.hub.pushed(*message)

    def _pushed(self, channel: bytes, payload: bytes) -> None:
        if self.withheld is None or channel != topic_channel(TOPIC):
            self.hub.pushed(channel, payload)
        else:
            self.withheld.append((channel, payload))

    def _connect(self, peer: Peer, person: Person, subprotocol: str = JSON) -> Connection:
        connection = Connection(
            peer, CODECS[subprotocol], person, new_device(), on_ready=self.hub.ready, counters=self.hub.counters
        )
        self.hub.add(connection)
        return connection
