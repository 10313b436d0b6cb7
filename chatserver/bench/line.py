"""One WebSocket of the load generator: MessagePack on picows, without a task or a future per message.

The server's full client (`chatserver.client`) resumes and repeats; this one says what it is told, so that the
generator costs less than what it measures.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgpack
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

HANDSHAKE_SECONDS = 60.0  # thousands come at once
REPLY_SECONDS = 60.0
READ_BUFFER_BYTES = 2048  # picows' own 16 KiB would be 300 MB for 20,000 sockets

Value = dict[str, Any]

_pack = msgpack.Packer().pack
_unpacker = msgpack.Unpacker()  # one for all: a frame holds whole values


class RefusedError(Exception):
    """The server answered a command with an error."""

    def __init__(self, frame: Value) -> None:
        super().__init__(f"{frame['code']}: {frame['message']}")
        self.code: str = frame["code"]


class Line(WSListener):
    """An open connection. Replies that somebody waits for go to them, everything else to `on_value`."""

    def __init__(self, on_value: Callable[[Value], None] | None = None) -> None:
        self.on_value = on_value or _drop
        self.on_closed: Callable[[], None] = _nothing
        self.closed = False
        self._transport: WSTransport | None = None
        self._waiting: dict[int, asyncio.Future[Value]] = {}
        self._ids = 0

    @classmethod
    async def open(cls, address: str, origin: str, on_value: Callable[[Value], None] | None = None) -> Line:
        """Connects to `ws://HOST:PORT/ws` and shakes hands; says nothing yet.

        Raises:
            OSError, TimeoutError, WSError: it does not open.
        """
        line = cls(on_value)
        await ws_connect(
            lambda: line,
            address,
            extra_headers={"Origin": origin, "Sec-WebSocket-Protocol": "chat.v1.msgpack"},
            websocket_handshake_timeout=HANDSHAKE_SECONDS,
            read_buffer_init_size=READ_BUFFER_BYTES,
        )
        return line

    # -- picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The handshake is done."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One or more values."""
        if frame.msg_type != WSMsgType.BINARY:
            if frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()
            return
        _unpacker.feed(frame.get_payload_as_bytes())
        for value in _unpacker:
            waiting = self._waiting.pop(value.get("id"), None) if self._waiting else None
            if waiting is not None:
                waiting.set_result(value)
            elif value["op"] == "ping":
                self.say({"op": "pong"})
            else:
                self.on_value(value)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone."""
        self.closed = True
        for waiting in self._waiting.values():
            waiting.set_exception(ConnectionError("the server closed the connection"))
        self._waiting.clear()
        self.on_closed()

    # -- commands

    def next_id(self) -> int:
        """Numbers a command."""
        self._ids += 1
        return self._ids

    def say(self, command: Value) -> None:
        """Sends a command and expects nothing."""
        assert self._transport
        self._transport.send(WSMsgType.BINARY, _pack(command))

    async def call(self, op: str, **fields: Any) -> Value:
        """Sends a command and returns its reply.

        Raises:
            RefusedError: the server answered with an error.
            ConnectionError, TimeoutError: it did not answer.
        """
        id_ = self.next_id()
        waiting = self._waiting[id_] = asyncio.get_running_loop().create_future()
        self.say({"op": op, "id": id_, **fields})
        async with asyncio.timeout(REPLY_SECONDS):
            value: Value = await waiting
        if value["op"] == "error":
            raise RefusedError(value)
        return value

    async def close(self) -> None:
        """Says goodbye."""
        if self._transport and not self.closed:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()
            await self._transport.wait_disconnected()


def base_of(address: str) -> str:
    """`http://HOST:PORT` of `ws://HOST:PORT/ws`."""
    parts = urlsplit(address)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"


def _drop(value: Value) -> None:
    pass


def _nothing() -> None:
    pass
