"""A connection that has ended is freed at once: nobody has to look for garbage, which is seldom done
(chatserver/garbage.py), and a herd that comes and goes leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from chatserver.actions.author import Author
from chatserver.hub.connection import Connection, Transport
from chatserver.hub.feed import Reader
from chatserver.hub.hub import Hub
from chatserver.model.limits import Meter, Rate
from chatserver.model.person import Person
from chatserver.web.asgi_socket import AsgiTransport, SocketApp
from chatserver.web.door import Door
from chatserver.web.http_protocol import HttpProtocol
from chatserver.web.lines import Lines
from chatserver.web.picows_socket import PicowsSocket
from chatserver.web.services import Services
from chatserver.web.session import Session
from chatserver.web.tcp import Tcp
from chatserver.web.uvicorn_socket import SocketProtocol
from chatserver.wire.codec import Codec
from tests.support.client import MSGPACK
from tests.support.front import served
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ORIGIN, TICKET, VISITS = "http://shop.example", 100_009, 3
PING, NOT_A_FRAME = b"\x81\xa2op\xa4ping", b"\xc1"
OURS = (Session, Connection, Lines, Author, Reader, PicowsSocket, SocketProtocol, HttpProtocol, Tcp, AsgiTransport)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}  # as `chatserver serve`


class OpenDoor(Door):
    """Everybody has said hello when they come in, and is in the same chat."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(cast(Services, SimpleNamespace(hub=hub)), frozenset([ORIGIN]))
        self.hub = hub

    def open(self, transport: Transport, codec: Codec) -> Session:
        session = super().open(transport, codec)
        session._hello_timer.cancel()
        person = Person("p" * 36, "customer")
        device = os.urandom(11).hex()
        connection = Connection(transport, codec, person, device, on_ready=self.hub.ready, counters=self.hub.counters)
        session._connection, session._author = connection, Author(person, device, connection.origin)
        session._meter = Meter(Rate(1, 1))
        self.hub.add(connection)
        feed = self.hub._feed(TICKET)
        connection.chats[TICKET] = feed.readers[connection] = Reader(connection)
        return session


class NoRedis:
    """Takes everything and says nothing."""

    def subscribe(self, channel: bytes) -> None: ...

    def unsubscribe(self, channel: bytes) -> None: ...

    def send(self, command: object) -> None: ...


@pytest.fixture
def hub() -> Hub:
    made = Hub()
    made._link = made.roster._link = cast(Any, NoRedis())
    made._chats = cast(Any, None)
    return made


@pytest.fixture(params=["picows", "asgi"])
async def port(request: pytest.FixtureRequest, hub: Hub) -> AsyncIterator[int]:
    door = OpenDoor(hub)
    front: Any = partial(SocketProtocol, door) if request.param == "picows" else "websockets-sansio"
    async with served(SocketApp(door), ws=front) as port:
        yield port


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def leaves(socket: ClientConnection, hub: Hub) -> None:
    await socket.close()


async def is_gone(socket: ClientConnection, hub: Hub) -> None:
    socket.transport.abort()


async def is_sent_away(socket: ClientConnection, hub: Hub) -> None:
    next(iter(hub.roster.connections)).close(4001, "shutting down")


async def talks_nonsense(socket: ClientConnection, hub: Hub) -> None:
    await socket.send(NOT_A_FRAME)


def alive() -> Counter[str]:
    return Counter(type(one).__name__ for one in gc.get_objects() if type(one) in OURS)


@pytest.mark.parametrize("end", [leaves, is_gone, is_sent_away, talks_nonsense])
async def test_nothing_of_an_ended_connection_waits_for_the_collector(
    port: int, hub: Hub, end: Any, no_collector: None
) -> None:
    before = alive()
    for _ in range(VISITS):
        url = f"ws://127.0.0.1:{port}/ws"
        async with connect(url, origin=cast(Any, ORIGIN), subprotocols=[cast(Any, MSGPACK)]) as socket:
            await socket.send(PING)
            await socket.recv()
            assert alive() - before, "the premise"
            await end(socket, hub)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await socket.recv()
    await until(lambda: alive() == before)
    assert not hub.roster.connections
    assert not hub._feeds
