"""A message leaves nothing behind that only the cyclic garbage collector would free (chatserver/garbage.py)."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import msgpack
import pytest

from chatserver.actions.author import Author
from chatserver.actions.messages import Messages
from chatserver.actions.text import TextCleaner
from chatserver.broker.event import NOBODY, entry_parts, whole_entry
from chatserver.broker.keys import chat_key
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.hub.connection import Connection
from chatserver.hub.feed import Feed, Reader
from chatserver.hub.hub import Hub
from chatserver.model.limits import Meter, Rate
from chatserver.model.person import CUSTOMER_RIGHTS, Participant, Person
from chatserver.web.answers import Answers
from chatserver.web.session import Session
from chatserver.wire.codec import CODECS, Codec
from transcripts.masking import Masker

pytestmark = pytest.mark.anyio

TICKET, EPOCH = 100_009, 7
HEAD, BODY = entry_parts(
    entry_id="0" * 36,
    audience="all",
    ticket=TICKET,
    kind="message",
    role="customer",
    participant="k" * 16,
    optional={"text": "Hello", "n": 1, "device": "d" * 22},
)


class Peer:
    """Takes everything at once."""

    def __init__(self) -> None:
        self.frames = 0

    def send(self, data: bytes, *, binary: bool) -> None:
        self.frames += 1

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError(reason)

    cut = close

    @property
    def slow(self) -> bool:
        return False

    def backlog(self) -> tuple[int, int]:
        return 0, 0


class Redis:
    """The other end of a `Wire`: counts commands, and says nothing by itself."""

    def __init__(self) -> None:
        self.commands = 0

    def set_write_buffer_limits(self, high: int) -> None: ...

    def write(self, data: bytes) -> None:
        self.commands += data.count(b"EVALSHA")


@pytest.fixture
def saved() -> Iterator[list[Any]]:
    """What the collector finds, kept instead of freed."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


class Seat:
    """A session in a chat, with nothing around it but the two connections to Redis, played by the test."""

    def __init__(self, codec: Codec) -> None:
        self.hub = Hub()
        link = Link("redis://localhost", on_push=self.hub.pushed, on_subscribed=self.hub.subscribed)
        only = link.shards[0]
        self.commands, self.pushes = only._commands, only._pushes
        self.redis, self.peer = Redis(), Peer()
        self.commands.connection_made(self.redis)  # type: ignore[arg-type]
        self.commands.up = self.commands.breaker.closed = self.pushes.up = True
        log: Any = ChatLog(link)
        chats: Any = type("Chats", (), {"log": log})()
        messages = Messages(chats, TextCleaner(Masker()))
        services: Any = type("Services", (), {"hub": self.hub, "messages": messages, "answers": Answers()})()
        person = Person("p" * 36, "customer")
        self.session = Session(services, self.peer, codec)
        self.session._hello_timer.cancel()
        connection = Connection(self.peer, codec, person, "d" * 22, on_ready=self.hub.ready, counters=self.hub.counters)
        self.session._connection = connection
        self.session._author = Author(person, connection.device, connection.origin)
        self.session._meter = Meter(Rate(1e6, 1e6))
        feed = Feed(TICKET, chats, self.hub.counters)
        self.hub._feeds[TICKET] = self.hub._channels[chat_key(TICKET)] = feed
        reader = feed.readers[connection] = connection.chats[TICKET] = Reader(connection)
        reader.me = Participant("k" * 16, person.id, "customer", CUSTOMER_RIGHTS)
        reader.release()
        feed.begin(EPOCH, 0)

    def exchange(self, number: int) -> None:
        """A message of theirs with its answer, and one of somebody else."""
        codec = self.session._codec
        command = {"op": "post_message", "id": number, "ticket": TICKET, "n": number, "text": "Hello"}
        self.session.on_frame(msgpack.packb(command) if codec.binary else codec.encode(command).decode())
        self.commands._flush()
        event = whole_entry(HEAD, BODY, epoch=EPOCH, seq=number, prev=number - 1, at=1_790_000_000_000)
        self.commands.data_received(b"$42\r\n%b\r\n" % event[12:54])
        channel, payload = chat_key(TICKET), b"E" + NOBODY + event
        self.pushes.data_received(
            b"*3\r\n$8\r\nsmessage\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(channel), channel, len(payload), payload)
        )
        self.hub._flush()


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
async def test_a_message_leaves_no_cycle(codec: Codec, saved: list[Any]) -> None:
    async def exchange(first: int, last: int) -> Seat:
        for number in range(first, last):
            seat.exchange(number)
        return seat

    seat = Seat(codec)
    await exchange(1, 50)  # imports, caches
    gc.collect()
    saved.clear()
    await exchange(50, 150)
    gc.collect()
    assert [type(one).__name__ for one in saved] == []
    assert (seat.redis.commands, seat.peer.frames) == (149, 149)


async def test_a_cycle_would_be_found(saved: list[Any]) -> None:
    cycle: list[Any] = []
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert [type(one) for one in saved] == [list]
