"""The WebSocket front over plain ASGI: runs under any server; what it gives the hub is the `Transport` interface.

One reader (the ASGI call) and one writer task per connection; the hub only ever hands frames over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import structlog

from chatserver.web.services import Services
from chatserver.web.session import Session
from chatserver.web.uvicorn_socket import EXTENSION
from chatserver.wire.codec import choose

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CUT_SECONDS = 2.0
CLOSE_SECONDS = 15.0  # uvicorn waits 10 s for the answer to a close frame

log = structlog.get_logger()


class Wire(Protocol):
    """What lies below ASGI, where the server gives it to us (`web.uvicorn_socket`)."""

    on_stalled: Callable[[], None] | None

    def buffered(self) -> int:
        """Bytes that the kernel has not taken."""

    def abort(self) -> None:
        """Ends at once."""


class AsgiTransport:
    """Frames out, in order, by a writer task of its own; see `hub.connection.Transport`."""

    def __init__(self, send: Send, wire: Wire | None) -> None:
        self._send, self._wire = send, wire
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._close_with: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._reader = asyncio.current_task()
        self.writer = asyncio.create_task(self._write(), name="socket writer")

    def send(self, data: bytes, *, binary: bool) -> None:
        self._frames.append((data, binary))
        self._bytes += len(data)
        self._wake.set()

    def close(self, code: int, reason: str = "") -> None:
        self._end(code, reason, CLOSE_SECONDS)

    def cut(self, code: int, reason: str = "") -> None:
        self._frames.clear()
        self._bytes = 0
        self._end(code, reason, CUT_SECONDS)

    def backlog(self) -> tuple[int, int]:
        return len(self._frames), self._bytes + (self._wire.buffered() if self._wire else 0)

    def _end(self, code: int, reason: str, seconds: float) -> None:
        if self._close_with is None:
            self._close_with = code, reason
            self._wake.set()
            # To close is to wait until the peer has taken what lies before the close frame: perhaps for ever.
            asyncio.get_running_loop().call_later(seconds, self._abort)

    def _abort(self) -> None:
        if self._wire:
            self._wire.abort()
            return
        # ASGI knows no abort: the writer may hang on a peer that does not read. Both tasks end, and the server drops
        # the connection.
        self._frames.clear()
        self.writer.cancel()
        if self._reader:
            self._reader.cancel()

    async def _write(self) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the peer is gone; the reader hears of it too
            while True:
                while self._frames:
                    data, binary = self._frames.popleft()
                    self._bytes -= len(data)
                    await self._send(
                        {"type": "websocket.send", "bytes": data}
                        if binary
                        else {"type": "websocket.send", "text": data.decode()}
                    )
                if self._close_with:
                    code, reason = self._close_with
                    await self._send({"type": "websocket.close", "code": code, "reason": reason[:120]})
                    return
                self._wake.clear()
                await self._wake.wait()


class SocketApp:
    """The ASGI application behind `/ws`."""

    def __init__(self, services: Callable[[], Services], origins: frozenset[str]) -> None:
        self._services, self._origins = services, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        codec = choose(scope.get("subprotocols", ()))
        await receive()  # websocket.connect
        if self._services().hub.drain.begun:
            await _deny(send, 503, "This node is going; another one takes you.", (b"retry-after", b"1"))
        elif scope["path"] != "/ws":
            await _deny(send, 404, "The socket is at /ws.")
        elif headers.get(b"origin", "").lower() not in self._origins:
            log.warning("socket.origin_refused", origin=headers.get(b"origin", "")[:200], allowed=sorted(self._origins))
            await _deny(send, 403, "This origin may not open a socket here.")
        elif codec is None:
            await _deny(send, 400, "Offer the subprotocol chat.v1.msgpack or chat.v1.json.")
        else:
            await send({"type": "websocket.accept", "subprotocol": codec.subprotocol})
            wire = scope.get("extensions", {}).get(EXTENSION)
            transport = AsgiTransport(send, wire)
            session = Session(self._services(), transport, codec)
            if wire:
                wire.on_stalled = session.on_stalled
            try:
                while (message := await receive())["type"] != "websocket.disconnect":
                    text = message.get("text")
                    session.on_frame(text if text is not None else message.get("bytes") or b"")
            finally:
                session.on_closed()
                transport.writer.cancel()


async def _deny(send: Send, status: int, why: str, *headers: tuple[bytes, bytes]) -> None:
    await send(
        {
            "type": "websocket.http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8"), *headers],
        }
    )
    await send({"type": "websocket.http.response.body", "body": why.encode() + b"\n"})
