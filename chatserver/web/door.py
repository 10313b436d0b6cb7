"""Who may open a WebSocket, and the session they get: the same whichever adapter carries the connection.

Middleware does not see this path, so everything that a handshake has to pass is here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import structlog

from chatserver.hub.connection import Transport
from chatserver.model.limits import ADDRESS_CONNECTIONS, ADDRESS_RATE
from chatserver.web.arrivals import Arrivals, Proxies, TooManyError
from chatserver.web.services import Services
from chatserver.web.session import Session
from chatserver.wire.codec import Codec, choose

PATH = "/ws"
MAX_HEADERS = 100
MAX_HEADERS_BYTES = 16 * 1024  # names and values; cookies of a whole domain come along

Headers = Iterable[tuple[bytes, bytes]]

log = structlog.get_logger()


class Refused(Exception):
    """The handshake ends with this HTTP status. `why` is for people, `headers` for programs."""

    def __init__(self, status: int, why: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(why)
        self.status, self.why, self.headers = status, why, headers


class Admitted(NamedTuple):
    """A handshake that passes. The address goes back to `Door.left` when the connection ends."""

    codec: Codec
    address: str


class Door:
    """Checks handshakes, and makes sessions of those that pass."""

    def __init__(
        self,
        services: Services,
        origins: frozenset[str],
        *,
        arrivals: Arrivals | None = None,
        proxies: Iterable[str] = (),
    ) -> None:
        self._services, self._origins = services, origins
        self._arrivals = arrivals or Arrivals(most=ADDRESS_CONNECTIONS, rate=ADDRESS_RATE)
        self._proxies = Proxies(proxies)

    def admit(self, path: str, headers: Headers, peer: str) -> Admitted:
        """A handshake that passes; names of `headers` are in lower case, `peer` is whose socket it is.

        Raises:
            Refused: it does not pass.
        """
        found = _by_name(headers)
        if self._services.hub.drain.begun:
            raise Refused(503, "This node is going; another one takes you.", (b"retry-after", b"1"))
        address = self._proxies.client(peer, found.get(b"x-forwarded-for", ()))
        try:
            self._arrivals.come(address)
        except TooManyError as error:
            raise Refused(429, error.why, (b"retry-after", b"%d" % error.retry_after)) from error
        try:
            return Admitted(self._check(path, found), address)
        except Refused:
            self.left(address)
            raise

    def left(self, address: str) -> None:
        """The connection of one who was admitted has ended."""
        self._arrivals.leave(address)

    def _check(self, path: str, found: dict[bytes, list[str]]) -> Codec:
        if path != PATH:
            raise Refused(404, f"The socket is at {PATH}.")
        if len(found.get(b"host", ())) != 1:  # its value says nothing behind a proxy: the Origin is what counts
            raise Refused(400, "Send one Host.")
        self._check_origin(found.get(b"origin", []))
        codec = choose(name.strip() for line in found.get(b"sec-websocket-protocol", ()) for name in line.split(","))
        if codec is None:
            raise Refused(400, "Offer the subprotocol chat.v1.msgpack or chat.v1.json.")
        return codec

    def open(self, transport: Transport, codec: Codec) -> Session:
        """The session of a connection that stands."""
        return Session(self._services, transport, codec)

    def _check_origin(self, origins: list[str]) -> None:
        if len(origins) != 1 or origins[0].lower() not in self._origins:
            log.warning("socket.origin_refused", origin=", ".join(origins)[:200], allowed=sorted(self._origins))
            raise Refused(403, "This origin may not open a socket here.")


def _by_name(headers: Headers) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    count = size = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        found.setdefault(name, []).append(value.decode("latin-1"))
    if count > MAX_HEADERS or size > MAX_HEADERS_BYTES:
        raise Refused(431, "Too many headers, or too long ones.")
    return found
