"""uvicorn's `ws=` class: takes a connection over from HTTP and gives it to picows.

uvicorn makes one, tells it `connection_made` and the upgrade request, and sets it as the transport's protocol; from
then on picows reads the socket by itself.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

from picows import WSAutoPingStrategy
from picows.common import WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # not in its stub
from uvicorn import Config
from uvicorn.server import ServerState

from chatserver.web.door import Door, Refused
from chatserver.web.picows_socket import PicowsSocket, QuietLog
from chatserver.web.tcp import Tcp
from chatserver.web.upgrade import Upgrade
from chatserver.wire.codec import MAX_FRAME_BYTES, Codec

READ_BUFFER_BYTES = 2048  # the least that picows takes; it grows for larger frames

_LOG = QuietLog()


class SocketProtocol(WSProtocol):  # type: ignore[misc]  # see above
    """One connection from its upgrade on. Give uvicorn a `partial` with the door."""

    def __init__(self, door: Door, *, config: Config, server_state: ServerState, app_state: dict[str, Any]) -> None:
        self._door, self._server_state = door, server_state
        self._codec: Codec
        self._address: str | None = None  # since it was admitted
        super().__init__(
            None,  # host, of a client
            None,  # path, of a client
            False,  # is a client
            self._answer,
            _LOG,
            True,  # an exception in a callback closes
            None,  # no timeout: the upgrade request is there
            False,  # no pings: the hub's heartbeat
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # no pongs either: a slow peer could have any number written
            MAX_FRAME_BYTES,
            None,
            READ_BUFFER_BYTES,
        )

    @property
    def closing(self) -> bool:
        """Whether a close frame is on its way."""
        return self.listener is not None and self.listener.closing

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server_state.connections.add(self)
        self._tcp = Tcp(cast(asyncio.Transport, transport), self)
        super().connection_made(self._tcp)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server_state.connections.discard(self)
        if self._address is not None:
            self._door.left(self._address)
            self._address = None
        super().connection_lost(exc)
        self._tcp.forget()

    def data_received(self, data: bytes) -> None:
        """The upgrade request, once."""
        try:
            upgrade = Upgrade.read(data)
            peer = self._tcp.get_extra_info("peername")
            self._codec, self._address = self._door.admit(upgrade.path, upgrade.headers, peer[0] if peer else "")
        except Refused as refused:
            self._refuse(refused)
        else:
            request = upgrade.short()
            self.get_buffer(-1)[: len(request)] = request
            self.buffer_updated(len(request))

    def shutdown(self) -> None:
        """From uvicorn: the process ends."""
        if self.listener:
            self.listener.shut_down()
        else:
            self._tcp.abort()

    def _answer(self, request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": self._codec.subprotocol})
        return WSUpgradeResponseWithListener(response, PicowsSocket(self._door, self._codec))

    def _refuse(self, refused: Refused) -> None:
        body = refused.why.encode() + b"\n"
        headers = [
            *self._server_state.default_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *refused.headers,
        ]
        phrase = HTTPStatus(refused.status).phrase.encode()
        head = b"".join(b"%b: %b\r\n" % header for header in headers)
        self._tcp.write(b"HTTP/1.1 %d %b\r\n%b\r\n%b" % (refused.status, phrase, head, body))
        self._tcp.close()
