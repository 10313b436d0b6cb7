"""One WebSocket, without a task and without a queue: the rules are those of `websockets`, the bytes asyncio's.

`websockets`' own asyncio client keeps a task, a queue and several futures for each connection and wakes them for each
message; here a read of the socket ends in `on_frames` with all values that it brought, and everything that is said in
one turn of the loop goes out in one write. So one process drives thousands of clients.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, cast

import msgpack
import msgspec
from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

JSON, MSGPACK = "chat.v1.json", "chat.v1.msgpack"
CONNECT_SECONDS = 10.0
MAX_MESSAGE_BYTES = 16 * 2**20  # a page is at most 200 entries of 4,096 characters
LOST = 1006

FrameValue = dict[str, Any]


class Connection(asyncio.Protocol):
    """An open WebSocket. Every frame before `on_lost`, which comes once; nothing after it."""

    def __init__(
        self,
        url: str,
        subprotocol: str,
        *,
        on_frames: Callable[[list[FrameValue]], None],
        on_lost: Callable[[int], None],
        origin: str | None = None,
    ) -> None:
        uri = parse_uri(url)
        self.url, self.subprotocol = url, subprotocol
        self._on_frames, self._on_lost = on_frames, on_lost
        self._protocol = ClientProtocol(
            uri,
            origin=Origin(origin or origin_of(url)),
            subprotocols=[Subprotocol(subprotocol)],
            max_size=MAX_MESSAGE_BYTES,
        )
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._flushing = False  # a write is due
        self._transport: asyncio.Transport | None = None
        self._encode = _MSGPACK.encode if subprotocol == MSGPACK else _JSON.encode
        self._parts: list[bytes] = []
        self._ended = False

    @classmethod
    async def open(cls, url: str, subprotocol: str, **options: Any) -> Connection:
        """Connects and shakes hands.

        Raises:
            HandshakeError: the server did not want it, or was not there.
        """
        connection = cls(url, subprotocol, **options)
        uri = parse_uri(url)
        context = ssl.create_default_context() if uri.secure else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await asyncio.get_running_loop().create_connection(lambda: connection, uri.host, uri.port, ssl=context)
                await connection._opened
        except (OSError, TimeoutError) as exc:
            connection.abort()
            raise HandshakeError(0, str(exc) or "no answer in time") from exc
        except BaseException:
            connection.abort()
            raise
        return connection

    def send(self, frame: FrameValue) -> None:
        """Puts a frame into the next write, which comes at the end of this turn of the loop.

        When the connection is going, it goes nowhere: `on_lost` follows.
        """
        if self._ended or self._protocol.state is not State.OPEN:
            return  # when the server has ended it, `on_lost` follows
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)
        data = self._encode(frame)
        if self.subprotocol == MSGPACK:
            self._protocol.send_binary(data)
        else:
            self._protocol.send_text(data)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport and not self._ended:
            data = self._protocol.data_to_send()
            if data:
                self._transport.write(b"".join(data))

    def close(self, code: int = 1000) -> None:
        """Says goodbye and ends it, without waiting for the other side. `on_lost` is not called."""
        if not self._ended and self._protocol.state is State.OPEN:
            self._protocol.send_close(code)
            self._flush()
        self._ended = True
        if self._transport:
            self._transport.close()

    def abort(self) -> None:
        """Ends it as a lost network does. `on_lost` is not called."""
        self._ended = True
        if self._transport:
            self._transport.abort()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the handshake."""
        self._transport = cast(asyncio.Transport, transport)
        if self._ended:
            self._transport.abort()
            return
        self._protocol.send_request(self._protocol.connect())
        self._flush()

    def data_received(self, data: bytes) -> None:
        """A read of the socket: the handshake, or frames."""
        protocol = self._protocol
        protocol.receive_data(data)
        values: list[FrameValue] = []
        for event in protocol.events_received():
            if isinstance(event, Frame):
                self._take(event, values)
            elif not self._opened.done():
                self._shake_hands(protocol.handshake_exc)
        if values and not self._ended:
            self._flushing = True  # by us, below
            self._on_frames(values)
        self._flush()
        if protocol.close_expected() and self._transport:
            self._transport.close()  # the server waits for us to end the connection

    def eof_received(self) -> None:
        """The other side has ended: `connection_lost` follows."""
        self._protocol.receive_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._protocol.receive_eof()
        if not self._opened.done():
            self._opened.set_exception(HandshakeError(0, "the connection ended in the handshake"))
            self._opened.exception()  # nobody may be waiting for it
        elif not self._ended and not self._opened.exception():
            self._ended = True
            self._on_lost(self._protocol.close_code or LOST)
        self._ended = True

    # -- frames

    def _shake_hands(self, failed: Exception | None) -> None:
        if failed is None:
            self._opened.set_result(None)
            return
        status, retry_after = 0, None
        if isinstance(failed, InvalidStatus):
            status = failed.response.status_code
            said = failed.response.headers.get("Retry-After", "")
            retry_after = float(said) if said.isdigit() else None
        self._opened.set_exception(HandshakeError(status, str(failed), retry_after))
        if self._transport:
            self._transport.close()

    def _take(self, frame: Frame, values: list[FrameValue]) -> None:
        if frame.opcode not in _DATA:
            return  # pings are answered by the rules themselves
        if self._parts or not frame.fin:
            self._parts.append(bytes(frame.data))
            if not frame.fin:
                return
            data, self._parts = b"".join(self._parts), []
        else:
            data = bytes(frame.data)
        if self.subprotocol == MSGPACK:
            unpacker = msgpack.Unpacker(max_buffer_size=MAX_MESSAGE_BYTES)
            unpacker.feed(data)
            values.extend(unpacker)
        else:
            values.extend(map(_JSON_DECODER.decode, data.split(b"\n")))


class HandshakeError(Exception):
    """There is no connection. `status` is the HTTP status (0: nobody answered); `retry_after` in seconds."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after


def http_base(url: str) -> str:
    """`http://HOST:PORT` of a `ws://` address."""
    scheme, _, rest = url.partition("://")
    return f"{'https' if scheme == 'wss' else 'http'}://{rest.partition('/')[0]}"


origin_of = http_base  # what a browser with a page of that server would send

_MSGPACK, _JSON, _JSON_DECODER = msgspec.msgpack.Encoder(), msgspec.json.Encoder(), msgspec.json.Decoder()
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
