"""The request with which HTTP becomes WebSocket, as uvicorn hands it over (RFC 6455, section 4.2.1).

uvicorn has parsed it before and has seen `Upgrade: websocket`; the rest is checked here. picows would do it too, but
does not take `Connection: keep-alive, Upgrade`, which is what Firefox sends, and keeps all headers as long as the
connection lives.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from chatserver.web.door import Refused

# All that picows has to know of it.
_REQUEST = (
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %b\r\n\r\n"
)


@dataclass(frozen=True)
class Upgrade:
    """A request whose WebSocket part is right; names of `headers` are in lower case."""

    path: str
    headers: list[tuple[bytes, bytes]]
    key: bytes

    @classmethod
    def read(cls, data: bytes) -> Upgrade:
        """From the bytes of the whole request.

        Raises:
            Refused: it is not a WebSocket's, or of another version.
        """
        line, *lines = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
        method, target, _ = line.split(b" ", 2)
        if method != b"GET":
            raise Refused(405, "A WebSocket begins with GET.", (b"allow", b"GET"))
        headers = []
        for one in lines:
            name, _, value = one.partition(b":")
            headers.append((name.lower(), value.strip()))
        if _values(headers, b"sec-websocket-version") != [b"13"]:
            raise Refused(426, "Version 13 of WebSocket is spoken here.", (b"sec-websocket-version", b"13"))
        return cls(target.partition(b"?")[0].decode("latin-1"), headers, _key(headers))

    def short(self) -> bytes:
        """The same without what nobody looks at any more."""
        return _REQUEST % self.key


def _values(headers: list[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _key(headers: list[tuple[bytes, bytes]]) -> bytes:
    keys = _values(headers, b"sec-websocket-key")
    try:
        if len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == 16:
            return keys[0]
    except binascii.Error:
        pass
    raise Refused(400, "Sec-WebSocket-Key has to be 16 bytes in Base64, once.")
