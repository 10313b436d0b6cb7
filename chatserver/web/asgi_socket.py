"""The WebSocket front over plain ASGI, for any other server than ours: `chatserver serve` uses `web.uvicorn_socket`.

One reader (the ASGI call) and one writer task per connection; the hub only ever hands frames over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from chatserver.web.door import Door, Refused
from chatserver.wire.close_codes import cut_reason
from chatserver.wire.codec import Codec

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CUT_SECONDS = 2.0
CLOSE_SECONDS = 15.0  # uvicorn waits 10 s for the answer to a close frame
STALL_SECONDS = 10.0  # without a frame taken


class AsgiTransport:
    """Frames out, in order, by a writer task of its own; see `hub.connection.Transport`. It sees what the server has
    not taken; what lies between server and peer it does not.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.on_stalled: Callable[[], None] | None = None
        self._frames: deque[tuple[bytes, bool]] = deque()
        self._bytes = 0
        self._taken = 0  # frames, ever
        self._stall_timer: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None
        self._close_with: tuple[int, str] | None = None
        self._wake = asyncio.Event()
        self._reader = asyncio.current_task()
        self._writer: asyncio.Task[None] | None = asyncio.create_task(self._write(), name="socket writer")

    def send(self, data: bytes, *, binary: bool) -> None:
        if self._close_with:
            return
        if self._frames and not self._stall_timer:
            self._watch()
        self._frames.append((data, binary))
        self._bytes += len(data)
        self._wake.set()

    def close(self, code: int, reason: str = "") -> None:
        self._end(code, reason, CLOSE_SECONDS)

    def cut(self, code: int, reason: str = "") -> None:
        self._frames.clear()
        self._bytes = 0
        self._end(code, reason, CUT_SECONDS)

    @property
    def slow(self) -> bool:
        return bool(self._frames)

    def backlog(self) -> tuple[int, int]:
        return len(self._frames), self._bytes

    def stop(self) -> None:
        """The connection is gone."""
        if self._writer:
            self._writer.cancel()
        self.on_stalled = self._reader = self._writer = None  # they know us: freed now, not by the garbage collector
        for timer in (self._stall_timer, self._abort_timer):
            if timer:
                timer.cancel()

    def _end(self, code: int, reason: str, seconds: float) -> None:
        if self._close_with is None:
            self._close_with = code, reason
            self._wake.set()
            # To close is to wait until the peer has taken what lies before the close frame: perhaps for ever.
            self._abort_timer = asyncio.get_running_loop().call_later(seconds, self._abort)

    def _abort(self) -> None:
        # ASGI knows no abort: the writer may hang on a peer that does not read. Both tasks end, and the server drops
        # the connection.
        self._frames.clear()
        if self._writer:
            self._writer.cancel()
        if self._reader:
            self._reader.cancel()

    def _watch(self) -> None:
        self._stall_timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._look, self._taken)

    def _look(self, taken: int) -> None:
        self._stall_timer = None
        if self._frames and self._taken > taken:  # slow, but alive
            self._watch()
        elif self._frames and self.on_stalled:
            self.on_stalled()

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
                    self._taken += 1
                if self._close_with:
                    code, reason = self._close_with
                    await self._send({"type": "websocket.close", "code": code, "reason": cut_reason(reason).decode()})
                    return
                self._wake.clear()
                await self._wake.wait()


class SocketApp:
    """The ASGI application of the WebSocket."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        try:
            headers = [(name.lower(), value) for name, value in scope["headers"]]
            peer = scope.get("client")
            codec, address = self._door.admit(scope["path"], headers, peer[0] if peer else "")
        except Refused as refused:
            await _refuse(send, refused)
            return
        try:
            await self._serve(codec, receive, send)
        finally:
            self._door.left(address)

    async def _serve(self, codec: Codec, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "subprotocol": codec.subprotocol})
        transport = AsgiTransport(send)
        session = self._door.open(transport, codec)
        transport.on_stalled = session.on_stalled
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                text = message.get("text")
                session.on_frame(text if text is not None else message.get("bytes") or b"")
        finally:
            session.on_closed()
            transport.stop()


async def _refuse(send: Send, refused: Refused) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *refused.headers]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": refused.why.encode() + b"\n"})
