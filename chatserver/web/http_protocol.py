"""uvicorn's HTTP protocol, with an end to its patience: a request whose head does not come has no right to a socket.

uvicorn limits how long a connection may rest after an answer, and nothing before: who opens connections and says a
letter a minute would have all our files.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0  # a phone that loses its network in the middle has another one by then

_TOO_LATE = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class HttpProtocol(HttpToolsProtocol):
    """Give it to uvicorn as `http=`."""

    _patience: asyncio.TimerHandle | None = None
    _begun = False  # something of a head is here

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Between two requests, whatever comes counts as the head of the next: an empty line ends the time for which
        uvicorn lets a connection rest, and begins nothing.
        """
        if self.cycle is None or self.cycle.response_complete:
            self._begun = True
            self._wait()
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._begun = False
        self._wait_no_longer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_longer()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """The socket is another protocol's from now on. Nobody tells this one when it ends, so parser and protocol,
        which know each other, would wait for the garbage collector.
        """
        super().handle_websocket_upgrade()
        self.parser: Any = None

    def _wait(self) -> None:
        if self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _wait_no_longer(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None

    def _too_late(self) -> None:
        if self.transport.is_closing():
            return
        if self._begun:  # browsers connect ahead of need, and would take our 408 for the answer to what they ask later
            self.transport.write(_TOO_LATE)
        self.transport.close()
