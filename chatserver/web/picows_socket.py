"""The WebSocket front over picows: frames straight into the session, writes straight to the socket.

picows reads and writes frames (lengths, masks, opcodes, forms of control frames); what it leaves to its user is here:
messages of several frames, UTF-8, reserved bits, the close handshake. No task, queue or future belongs to a frame.
Nothing here relies on paused reading, which may still deliver what was read already.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import structlog
from picows import WSFrame, WSListener, WSMsgType, WSTransport

from chatserver.web.door import Door
from chatserver.web.session import Session
from chatserver.web.tcp import Tcp
from chatserver.wire.close_codes import cut_reason
from chatserver.wire.codec import MAX_FRAME_BYTES, Codec

STALL_SECONDS = 10.0  # without a byte taken
CUT_SECONDS = 2.0
CLOSE_SECONDS = 15.0

PROTOCOL_ERROR, NOT_UTF8, TOO_BIG, RESTART = 1002, 1007, 1009, 1012

# picows hands a larger one to asyncio in two parts, of which the header is a view of a buffer that its next frame
# overwrites: harmless until the socket is slow.
COPIED_BYTES = 8 * 1024
HEADER_ROOM = 14

BINARY, TEXT, CONTINUATION = WSMsgType.BINARY, WSMsgType.TEXT, WSMsgType.CONTINUATION
PING, PONG, CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE

log = structlog.get_logger()


class PicowsSocket(WSListener):
    """One WebSocket; towards the hub it is a `hub.connection.Transport`.

    While the socket is slow, frames wait here; how many may is the hub's business (`backlog`).
    """

    __slots__ = (
        "_abort_timer",
        "_bytes",
        "_close_with",
        "_codec",
        "_door",
        "_kind",
        "_left",
        "_over",
        "_parts",
        "_ping",
        "_session",
        "_stall_timer",
        "_tcp",
        "_waiting",
        "_writes",
        "_ws",
        "closing",
        "slow",
    )

    def __init__(self, door: Door, codec: Codec) -> None:
        self._door, self._codec = door, codec
        self.closing = False  # our close frame is sent, or about to be
        self._over = False
        self._parts: bytearray | None = None  # of a message whose last frame has not come
        self._kind = BINARY  # of that message
        self._writes = BINARY if codec.binary else TEXT
        self.slow = False
        self._waiting: deque[bytes] | None = None  # made for the first socket that is slow
        self._bytes = 0  # waiting
        self._close_with: tuple[int, str] | None = None  # behind what waits
        self._ping: bytes | None = None  # the newest that a slow socket could not answer
        self._left = 0
        self._stall_timer: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None

    # -- from picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws: WSTransport = transport
        self._tcp: Tcp = transport.underlying_transport  # type: ignore[assignment]  # ours, given to picows
        self._session: Session = self._door.open(self, self._codec)
        self._tcp.before_end(self._end)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        if kind is CLOSE:
            self._on_close(frame)
        elif self.closing or transport.is_close_frame_sent:  # picows sends one, too
            pass
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._fail(PROTOCOL_ERROR, "reserved bits")
        elif kind is BINARY and frame.fin and self._parts is None:  # nearly all
            self._session.on_frame(frame.get_payload_as_bytes())
        elif kind is PING:
            self._on_ping(frame.get_payload_as_bytes())
        elif kind is not PONG:
            self._on_data(kind, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._end()

    def pause_writing(self) -> None:
        self.slow = True
        if self._over:
            return
        self._left = self._tcp.get_write_buffer_size()
        self._stall_timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._look)

    def resume_writing(self) -> None:
        self.slow = False
        if self._stall_timer:
            self._stall_timer.cancel()
        while self._waiting and not self.slow:
            data = self._waiting.popleft()
            self._bytes -= len(data)
            self._write(data)
        if self._close_with and not self._waiting:
            self._send_close(*self._close_with)
        elif self._ping is not None and not self.closing and not self.slow:
            self._ws.send_pong(self._ping)
            self._ping = None

    # -- Transport

    def send(self, data: bytes, *, binary: bool) -> None:
        if self.closing:
            return
        if self.slow:
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append(data)
            self._bytes += len(data)
        elif len(data) <= COPIED_BYTES:  # nearly all
            self._ws.send(self._writes, data)
        else:
            self._write(data)

    def close(self, code: int, reason: str = "") -> None:
        if not self.closing:
            self.closing = True
            if self._waiting:
                self._close_with = code, reason
            else:
                self._send_close(code, reason)
            self._abort_after(CLOSE_SECONDS)

    def cut(self, code: int, reason: str = "") -> None:
        self._drop()
        self.closing = True
        self._send_close(code, reason)
        self._abort_after(CUT_SECONDS)

    def backlog(self) -> tuple[int, int]:
        return len(self._waiting) if self._waiting else 0, self._bytes + self._tcp.get_write_buffer_size()

    def shut_down(self) -> None:
        """The process ends: at once, and without a handshake for who has not had theirs by now."""
        if self.closing:
            self._tcp.abort()
        else:
            self._fail(RESTART, "shutting down")

    # -- messages

    def _on_data(self, kind: WSMsgType, frame: WSFrame) -> None:
        try:
            data: bytes | str
            if frame.fin and self._parts is None and kind is TEXT:
                data = frame.get_payload_as_utf8_text()
            elif self._add(kind, frame):
                data = bytes(self._parts or b"") if self._kind is BINARY else (self._parts or b"").decode()
                self._parts = None
            else:
                return
        except UnicodeDecodeError:
            self._fail(NOT_UTF8, "not UTF-8")
        else:
            self._session.on_frame(data)

    def _add(self, kind: WSMsgType, frame: WSFrame) -> bool:
        """Adds a frame to its message; whether that is all of it."""
        if (kind is CONTINUATION) != (self._parts is not None):
            self._fail(PROTOCOL_ERROR, "continuation without beginning, or the reverse")
            return False
        if self._parts is None:
            self._kind, self._parts = kind, bytearray()
        if len(self._parts) + frame.payload_size > MAX_FRAME_BYTES:
            self._fail(TOO_BIG, "message too big")
            return False
        self._parts += frame.get_payload_as_memoryview()
        return bool(frame.fin)

    def _on_ping(self, payload: bytes) -> None:
        if self.slow:
            self._ping = payload  # only the newest has to be answered
        else:
            self._ws.send_pong(payload)

    def _write(self, data: bytes) -> None:
        if len(data) <= COPIED_BYTES:
            self._ws.send(self._writes, data)
        else:
            self._ws.send_reuse_external_bytearray(self._writes, bytearray(HEADER_ROOM) + data, HEADER_ROOM)

    # -- the end

    def _on_close(self, frame: WSFrame) -> None:
        """The peer's close frame: it answers ours, or is answered. One byte of body, or a reason that is not UTF-8,
        picows has refused already.
        """
        body = frame.get_payload_as_bytes()
        code = int.from_bytes(body[:2], "big")
        if frame.rsv1 or frame.rsv2 or frame.rsv3 or (body and not _may_be_sent(code)):
            self._fail(PROTOCOL_ERROR, "no such close frame")
            return
        self._drop()
        if not self._ws.is_close_frame_sent:
            self.closing = True
            if body:
                self._send_close(code, "")
            else:
                self._ws.send(CLOSE, b"")  # `send_close` knows no close frame without a code
        self._tcp.close()

    def _fail(self, code: int, reason: str) -> None:
        """Ends the connection because of what the peer did; it is not heard any more."""
        self.closing = True
        self._send_close(code, reason)
        self._tcp.close()

    def _send_close(self, code: int, reason: str) -> None:
        self._close_with = None
        self._ws.send_close(code, cut_reason(reason))  # type: ignore[arg-type]  # codes of our own are not in its enum

    def _drop(self) -> None:
        self._waiting, self._bytes, self._ping, self._close_with = None, 0, None, None

    def _look(self) -> None:
        before, self._left = self._left, self._tcp.get_write_buffer_size()
        if self._left < before:  # slow, but alive
            self._stall_timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self._look)
        else:
            self._session.on_stalled()

    def _abort_after(self, seconds: float) -> None:
        """To close is to wait until the peer has taken what lies before the close frame: perhaps for ever."""
        if self._abort_timer:
            self._abort_timer.cancel()
        self._abort_timer = asyncio.get_running_loop().call_later(seconds, self._tcp.abort)

    def _end(self) -> None:
        """The peer is gone, or what it says does not count any more."""
        if not self._over:
            self._over = self.closing = True
            self._drop()
            for timer in (self._stall_timer, self._abort_timer):
                if timer:
                    timer.cancel()
            self._session.on_closed()
            del self._session  # which knows us: freed now, and not when the garbage collector comes


def _may_be_sent(code: int) -> bool:
    """Whether a close frame may have this code (RFC 6455, section 7.4, and the codes registered since)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


class QuietLog:
    """What picows takes for a logger: of a real one it would make a child for each connection. What it tells of peers
    goes nowhere; what it tells of us, an exception, goes into our log.
    """

    def isEnabledFor(self, level: int) -> bool:
        return False

    def debug(self, message: str, *args: Any) -> None:
        """Nothing."""

    info = warning = error = log = debug

    def exception(self, message: str, *args: Any) -> None:
        """One of our callbacks failed; picows closes with 1011."""
        log.exception("socket.failed", what=message % args if args else message)
