"""The TCP connection below a WebSocket, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

SEND_BUFFER_BYTES = 64 * 1024  # of the kernel, which doubles it; left alone it takes 4 MB for a peer that does not read
WRITE_BUFFER_BYTES = 32 * 1024  # beyond it the socket counts as slow
END_SECONDS = 2.0


class Tcp:
    """What picows takes for asyncio's transport. `close` ends it in order; all else is the transport's own.

    The methods are the transport's, bound, so that nothing stands between picows and the loop.
    """

    __slots__ = (
        "_ending",
        "_on_end",
        "_protocol",
        "_transport",
        "abort",
        "get_extra_info",
        "get_write_buffer_size",
        "write",
        "writelines",
    )

    def __init__(self, transport: asyncio.Transport, protocol: asyncio.BaseProtocol) -> None:
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._transport = transport
        self._protocol: asyncio.BaseProtocol | None = protocol
        self._on_end: Callable[[], None] | None = None
        self._ending = False
        self.abort, self.get_extra_info = transport.abort, transport.get_extra_info
        self.write, self.writelines = transport.write, transport.writelines
        self.get_write_buffer_size = transport.get_write_buffer_size

    def before_end(self, call: Callable[[], None]) -> None:
        """Has this called as soon as `close` is, also when picows does it."""
        self._on_end = call

    def forget(self) -> None:
        """The connection is gone: nobody is held any more."""
        self._protocol = self._on_end = None

    def close(self) -> None:
        """Sends what is there, then FIN; ends when the peer does the same, at the latest after END_SECONDS.

        Until then all that the peer sends is thrown away. It has to be read: to what is unread the kernel answers
        with a reset, and a reset may overtake our close frame, which says whether to come back.
        """
        if self._ending:
            return
        self._ending = True
        loop = asyncio.get_running_loop()
        loop.call_soon(self._drop_input)  # not now: whoever calls may be about to set a protocol
        loop.call_later(END_SECONDS, self.abort)
        if self._on_end:
            self._on_end()
            self._on_end = None

    def _drop_input(self) -> None:
        if self._protocol and not self._transport.is_closing():
            self._transport.set_protocol(_Dropping(self._protocol))
            self._transport.write_eof()


class _Dropping(asyncio.Protocol):
    """Throws away what comes. Not `pause_reading`: what lies in the socket then makes the reset."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)
