"""What only shows beside the socket itself: frames of one loop turn, frames behind our close frame, a peer that takes
nothing, a head that does not come.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from chatserver.hub.connection import Transport
from chatserver.web import asgi_socket, http_protocol
from chatserver.web.asgi_socket import AsgiTransport
from chatserver.web.door import Door
from chatserver.web.services import Services
from chatserver.web.session import Session
from chatserver.web.uvicorn_socket import SocketProtocol
from chatserver.wire.codec import Codec
from tests.support.client import MSGPACK, PATIENCE
from tests.support.front import served
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

ORIGIN = "http://shop.example"
LARGE = 8 * 1024  # picows copies no more


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}  # as `chatserver serve`


class Listener:
    """In a session's place: does with each frame what the test says."""

    def __init__(self) -> None:
        self.heard: list[bytes | str] = []
        self.answer: Callable[[Transport], None] = lambda transport: None
        self.ended = asyncio.Event()

    def at(self, transport: Transport) -> Session:
        self.transport = transport
        return cast(Session, self)

    def on_frame(self, data: bytes | str) -> None:
        self.heard.append(data)
        self.answer(self.transport)

    def on_closed(self) -> None:
        self.ended.set()


class HisDoor(Door):
    """Behind it is the listener."""

    def __init__(self, listener: Listener) -> None:
        hub = SimpleNamespace(drain=SimpleNamespace(begun=False))
        super().__init__(cast(Services, SimpleNamespace(hub=hub)), frozenset([ORIGIN]))
        self._listener = listener

    def open(self, transport: Transport, codec: Codec) -> Session:
        return self._listener.at(transport)


@pytest.fixture
def listener() -> Listener:
    return Listener()


async def empty_page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


@pytest.fixture
async def port(listener: Listener) -> AsyncIterator[int]:
    async with served(empty_page, ws=partial(SocketProtocol, HisDoor(listener))) as port:
        yield port


@pytest.fixture
async def peer(port: int) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{port}/ws"
    async with connect(url, origin=cast(Any, ORIGIN), subprotocols=[cast(Any, MSGPACK)]) as socket:
        yield socket


async def test_frames_behind_what_the_kernel_has_no_room_for_stay_whole(
    listener: Listener, peer: ClientConnection
) -> None:
    """picows keeps a large frame's header where it writes the next one, and gives it to the loop as it is."""
    sent: list[bytes] = []

    def say(transport: Transport) -> None:
        def one(frame: bytes) -> None:
            sent.append(frame)
            transport.send(frame, binary=True)

        while not transport.backlog()[1]:
            one(b"x" * (LARGE + 1))
        for frame in (b"y" * (LARGE + 2), b"small", b"z" * (LARGE + 3), b"small"):
            one(frame)

    listener.answer = say
    await peer.send(b"?")
    async with asyncio.timeout(PATIENCE):
        assert await peer.recv() == b"x" * (LARGE + 1)
        assert [len(await peer.recv()) for _ in sent[1:]] == [len(frame) for frame in sent[1:]]


async def test_large_frame_is_whole_in_front_of_the_close_frame(listener: Listener, peer: ClientConnection) -> None:
    def say(transport: Transport) -> None:
        transport.send(b"x" * 3 * LARGE, binary=True)
        transport.close(4001, "shutting down")

    listener.answer = say
    await peer.send(b"?")
    async with asyncio.timeout(PATIENCE):
        assert await peer.recv() == b"x" * 3 * LARGE
        with pytest.raises(ConnectionClosed):
            await peer.recv()
    assert peer.close_code == 4001


async def test_nothing_is_heard_behind_our_close_frame(listener: Listener, peer: ClientConnection) -> None:
    """Frames that were on their way, or came in the same piece."""
    listener.answer = lambda transport: transport.close(4001, "shutting down")
    frames = [Frame(Opcode.BINARY, said) for said in (b"first", b"second", b"third")]
    peer.transport.write(b"".join(frame.serialize(mask=True) for frame in frames))
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ConnectionClosed):
            await peer.recv()
        await listener.ended.wait()
    assert listener.heard == [b"first"]


async def test_asgi_peer_that_takes_nothing_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi_socket, "STALL_SECONDS", 0.02)
    taken = asyncio.Semaphore(0)
    stalled = asyncio.Event()

    async def send(message: MutableMapping[str, Any]) -> None:
        await taken.acquire()

    transport = AsgiTransport(cast(Callable[[MutableMapping[str, Any]], Awaitable[None]], send))
    transport.on_stalled = stalled.set
    for _ in range(3):
        transport.send(b"x", binary=True)
    async with asyncio.timeout(PATIENCE):
        await stalled.wait()
    transport.stop()


async def test_asgi_peer_that_is_slow_is_not_stalled() -> None:
    """Looked at by hand: no timer comes in between."""
    taken = asyncio.Semaphore(0)
    stalled: list[bool] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        await taken.acquire()

    transport = AsgiTransport(cast(Callable[[MutableMapping[str, Any]], Awaitable[None]], send))
    transport.on_stalled = lambda: stalled.append(True)
    for _ in range(9):
        transport.send(b"x", binary=True)
    for frames in range(4):
        seen = transport._taken
        taken.release()
        await until(lambda seen=seen: transport._taken > seen)  # type: ignore[misc]  # the loop's own
        transport._look(seen)
        assert not stalled, frames
    transport._look(transport._taken)
    assert stalled == [True]
    transport.stop()


@pytest.mark.parametrize("said", [b"\r\n", b"GET / HT", b"GET / HTTP/1.1\r\nHost: shop.example\r\nCookie: a=b"])
async def test_head_that_does_not_come_is_not_waited_for(
    port: int, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_connection_without_a_word_ends_without_one(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("said", [b"GET / HT", b"\r\n"])
async def test_head_of_a_second_request_is_not_waited_for(
    port: int, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.05)
        writer.write(said)
        while b"HTTP/1.1 408 " not in (piece := await reader.read(4096)):
            assert piece, "it was closed without a word"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_connection_whose_head_is_there_may_stay(
    listener: Listener, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_SECONDS", 0.3)
    url = f"ws://127.0.0.1:{port}/ws"
    async with connect(url, origin=cast(Any, ORIGIN), subprotocols=[cast(Any, MSGPACK)]) as socket:
        await asyncio.sleep(0.5)
        listener.answer = lambda transport: transport.send(b"here", binary=True)
        await socket.send(b"?")
        assert await socket.recv() == b"here"
        with contextlib.suppress(ConnectionClosed):
            await socket.close()


async def test_reason_has_no_more_bytes_than_a_close_frame() -> None:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    transport = AsgiTransport(send)
    transport.close(4400, "ä" * 100)
    await until(lambda: sent)
    assert sent == [{"type": "websocket.close", "code": 4400, "reason": "ä" * 61}]
    transport.stop()
