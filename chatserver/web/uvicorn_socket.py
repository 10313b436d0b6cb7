"""What uvicorn's WebSocket needs beyond ASGI: short buffers, so that a peer that does not read is noticed, and an end
for it.

Without this the kernel takes 4 MB for a peer that has stopped reading (measured), and closing waits for it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SEND_BUFFER_BYTES = 64 * 1024  # of the kernel, which doubles it
WRITE_BUFFER_BYTES = 32 * 1024
STALL_SECONDS = 10.0
MAX_FRAMES_WAITING = 4096  # one read of the socket may bring very many very small ones

EXTENSION = "chatserver.wire"  # in the scope: this object


class SocketProtocol(WebSocketsSansIOProtocol):
    """Hands itself to the application as `scope["extensions"][EXTENSION]`: a `web.asgi_socket.Wire`."""

    on_stalled: Callable[[], None] | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def handle_connect(self, event: Any) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:  # the application begins in the next loop turn
            cast(dict[str, Any], self.scope["extensions"])[EXTENSION] = self

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        super().connection_lost(exc)

    # -- bounds

    def send_receive_event_to_app(self) -> None:
        if self.queue.qsize() >= MAX_FRAMES_WAITING:
            self.transport.abort()
            return
        super().send_receive_event_to_app()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._left = self.buffered()
        self._stall_timer = self.loop.call_later(STALL_SECONDS, self._look)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _look(self) -> None:
        before, self._left = self._left, self.buffered()
        if self._left < before:  # slow, but alive
            self._stall_timer = self.loop.call_later(STALL_SECONDS, self._look)
        elif self.on_stalled:
            self.on_stalled()
        else:
            self.abort()

    # -- Wire

    def buffered(self) -> int:
        """Bytes that the kernel has not taken."""
        return self.transport.get_write_buffer_size()

    def abort(self) -> None:
        """Ends at once."""
        self.transport.abort()
