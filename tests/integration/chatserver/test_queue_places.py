"""Waiting customers know their place, whatever happens while it is being asked for: a hub on a real Valkey, whose reads
of the waiting list are held up in between.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from chatserver.actions.waiting import Waiting
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.errors import UnavailableError
from chatserver.hub.connection import Connection
from chatserver.hub.hub import Hub
from chatserver.model.person import Person
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue, department_topic
from chatserver.wire.codec import CODECS
from chatserver.wire.commands import Position, Pull
from tests.support.backstage import Backstage, Writer
from tests.support.client import JSON, PATIENCE, decode, fits, new_device

pytestmark = pytest.mark.anyio

TOPIC = department_topic("support")


class Peer:
    """The other end of a connection: takes everything at once."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self._more = asyncio.Event()
        self._listed: Counter[int] = Counter()

    def send(self, data: bytes, *, binary: bool) -> None:
        self.got += decode(data.decode())
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
        """Waits until it has heard once more that the chat waits."""
        self._listed[ticket] += 1
        async with asyncio.timeout(PATIENCE):
            while self._came(ticket) < self._listed[ticket]:
                self._more.clear()
                await self._more.wait()

    def _came(self, ticket: int) -> int:
        events = [one for one in self.got if fits(one, "event", {"topic": TOPIC, "type": "queued"})]
        return sum(one["item"]["ticket"] == ticket for one in events)

    async def told(self, place: int, waiting: int) -> None:
        """Waits until it is told this place, and nothing else of the queue after it."""
        await self.until("event", topic="chat", type="queue", place=place, waiting=waiting)
        last = [one for one in self.got if fits(one, "event", {"topic": "chat", "type": "queue"})][-1]
        assert (last["place"], last["waiting"]) == (place, waiting)


class HeldUpQueue(Queue):
    """A queue whose next answer about places takes so long that `meanwhile` happens first; it knows whose was asked."""

    meanwhile: Callable[[], Awaitable[object]] | None = None
    asked: tuple[int, ...] = ()

    async def places(self, department: str, tickets: list[int]) -> tuple[dict[int, int], int]:
        self.asked = tuple(tickets)
        found = await super().places(department, tickets)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            await meanwhile()
        return found


class Desk:
    """A hub with a supervisor who watches the waiting list, and what happens elsewhere."""

    def __init__(self, stage: Backstage) -> None:
        self.stage, self.hub = stage, Hub()
        self.link = Link(stage.valkey.url, on_push=self.hub.pushed, on_subscribed=self.hub.subscribed)
        chats = Chats(ChatLog(self.link), stage.store, stage.chats.directory)
        self.queue = HeldUpQueue(self.link, grace_seconds=45)
        self.chats, self.waiting = chats, Waiting(stage.chats, Queue(stage.link, grace_seconds=45))
        self.screen = Peer()

    async def __aenter__(self) -> Desk:
        await self.link.start()
        self.hub.start(self.link, self.chats, self.queue)
        supervisor = self._connect(self.screen, Person("sue", "supervisor", "Sue"))
        await self.hub.watch(supervisor, TOPIC, id=1)
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

    def _connect(self, peer: Peer, person: Person) -> Connection:
        connection = Connection(
            peer, CODECS[JSON], person, new_device(), on_ready=self.hub.ready, counters=self.hub.counters
        )
        self.hub.add(connection)
        return connection


@pytest.fixture
async def desk(stage: Backstage) -> AsyncIterator[Desk]:
    async with Desk(stage) as made:
        yield made


async def test_chat_that_is_listed_again_while_places_are_asked_for(desk: Desk) -> None:
    """After a FLUSHALL: the first newcomer makes us ask, and the old chat comes back just behind the question."""
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    assert await desk.attach(connection, first) == {"place": 1, "waiting": 1}
    await desk.stage.persist()
    with desk.stage.valkey.redis() as redis:
        redis.flushall()
    desk.queue.meanwhile = lambda: desk.listed(first)
    await desk.arrives()
    await peer.told(1, 2)


async def test_somebody_comes_while_the_page_is_made(desk: Desk) -> None:
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    desk.queue.meanwhile = desk.arrives
    assert await desk.attach(connection, first) == {"place": 1, "waiting": 1}
    await peer.told(1, 2)
    assert [one["op"] for one in peer.got] == ["page", "event"]


async def test_who_begins_again_misses_nothing_that_was_told_while_the_page_was_made(desk: Desk) -> None:
    """The answer to a `pull` comes between what is pushed: with an older one a client would forget what is newer."""
    ticket, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    await desk.attach(connection, ticket)
    pull = Pull(id=1, ticket=ticket, epoch=1, seq=1, entry_id="of another history")

    async def somebody_writes() -> None:
        await desk.stage.send(customer, ticket, 2, "Still there?")
        await peer.until("entry", text="Still there?")

    desk.queue.meanwhile = somebody_writes
    with pytest.raises(UnavailableError):
        await desk.hub.pull(connection, pull)
    page = await desk.hub.pull(connection, pull)
    assert page.reset
    assert page.top == desk.hub.read_to(connection, ticket)


async def test_page_comes_before_what_is_newer(desk: Desk) -> None:
    """Also if it is made so slowly that the others have long been told."""
    first, customer = await desk.arrives()
    slow, peer = desk.customer(customer)
    quick, other = desk.customer(customer)
    await desk.attach(quick, first)

    async def others_are_told() -> None:
        await desk.arrives()
        await other.told(1, 2)

    desk.queue.meanwhile = others_are_told
    assert await desk.attach(slow, first) == {"place": 1, "waiting": 1}
    await peer.told(1, 2)
    assert [one["op"] for one in peer.got] == ["page", "event"]


async def test_second_device_that_knows_more_does_not_silence_the_first(desk: Desk) -> None:
    first, customer = await desk.arrives()
    early, peer = desk.customer(customer)
    await desk.attach(early, first)
    await desk.arrives()
    late, _ = desk.customer(customer)
    assert await desk.attach(late, first) == {"place": 1, "waiting": 2}
    await peer.told(1, 2)


async def test_places_are_asked_for_again_after_redis_did_not_answer(desk: Desk) -> None:
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    await desk.attach(connection, first)
    asked = 0

    async def no_answer() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            desk.queue.meanwhile = no_answer
        raise UnavailableError

    desk.queue.meanwhile = no_answer
    await desk.arrives()
    await peer.told(1, 2)
    assert asked == 3


async def test_nobody_asks_for_a_chat_that_was_taken(desk: Desk) -> None:
    """Not with every move of the list: it is told again when it is on it again."""
    taken, customer = await desk.arrives()
    connection, _ = desk.customer(customer)
    await desk.attach(connection, taken)
    waits, other = await desk.arrives()
    connection, told = desk.customer(other)
    await desk.attach(connection, waits)
    gen = await desk.queue.take(taken, department="support", agent_id="ann", agent_name="Ann", gen=0)
    await desk.stage.assign(taken, gen=gen)
    await told.told(1, 1)
    await desk.arrives()
    await told.told(1, 2)
    assert desk.queue.asked == (waits,)
