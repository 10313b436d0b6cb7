"""A WebSocket by hand: every bit of a handshake and of a frame is the test's."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import httpx

from tests.support.client import JSON, PATIENCE, new_address, new_device
from tests.support.server import RunningServer

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

SIGN_OF_LIFE = b'{"op":"ping"}'


@dataclass(frozen=True)
class Frame:
    """One frame from the server, or, as bytes, one from the client."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    masked: bool = True
    key: bytes = b"\x12\x34\x56\x78"
    length: int | None = None  # as said in the header, where that is not the truth
    wide: int = 0  # bytes of the length, where not the fewest

    def __bytes__(self) -> bytes:
        length = len(self.payload) if self.length is None else self.length
        wide = self.wide or (0 if length < 126 else 2 if length < 65536 else 8)
        flag, extended = {
            0: (length, b""),
            2: (126, struct.pack("!H", length & 0xFFFF)),
            8: (127, struct.pack("!Q", length)),
        }[wide]
        head = bytes([self.fin << 7 | self.rsv << 4 | self.opcode, self.masked << 7 | flag]) + extended
        if not self.masked:
            return head + self.payload
        return head + self.key + bytes(byte ^ self.key[at % 4] for at, byte in enumerate(self.payload))


def fragments(opcode: int, *pieces: bytes) -> list[Frame]:
    """One message in several frames."""
    frames = [Frame(opcode if not at else CONTINUATION, piece, fin=False) for at, piece in enumerate(pieces)]
    return [*frames[:-1], replace(frames[-1], fin=True)]


@dataclass(frozen=True)
class Answer:
    """What a handshake got."""

    status: int
    headers: dict[str, str]
    body: str


class RawSocket:
    """One TCP connection to the server."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.tcp = socket.socket()
        self.tcp.settimeout(PATIENCE)
        self.tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # who does not read is slow soon
        self._buffer = b""
        try:
            self.tcp.connect(("127.0.0.1", server.port))
        except OSError:
            self.tcp.close()
            raise

    def __enter__(self) -> RawSocket:
        return self

    def __exit__(self, *args: object) -> None:
        self.tcp.close()

    def upgrade(
        self,
        *,
        line: str = "GET /ws HTTP/1.1",
        without: Iterable[str] = (),
        more: Iterable[tuple[str, str]] = (),
        **changed: str,
    ) -> Answer:
        """Asks for a WebSocket, as a browser does but for these headers (`_` for `-`)."""
        headers = {
            "host": f"127.0.0.1:{self.server.port}",
            "upgrade": "websocket",
            "connection": "Upgrade",
            "origin": self.server.base,
            "sec-websocket-version": "13",
            "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
            "sec-websocket-protocol": JSON,
        } | {name.replace("_", "-"): value for name, value in changed.items()}
        lines = [f"{name}: {value}" for name, value in (*headers.items(), *more) if name not in without]
        self.tcp.sendall("\r\n".join([line, *lines, "", ""]).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._read()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        found = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while len(self._buffer) < int(found.get("content-length", 0)):
            self._read()
        return Answer(int(status.split()[1]), found, self._buffer.decode() if "content-length" in found else "")

    def send(self, *frames: Frame, piece: int = 0) -> None:
        """All in one write, or in writes of so many bytes."""
        data = b"".join(map(bytes, frames))
        for at in range(0, len(data), piece or len(data)):
            self.tcp.sendall(data[at : at + (piece or len(data))])

    def say(self, **value: Any) -> None:
        """A JSON value in one text frame."""
        self.send(Frame(TEXT, json.dumps(value).encode()))

    def receive(self) -> Frame:
        """The next frame, without the server's pings: the second in which they come has nothing to do with the test."""
        while True:
            frame = self._frame()
            if frame.opcode != TEXT:
                return frame
            values = [value for value in frame.payload.split(b"\n") if value != SIGN_OF_LIFE]
            if values:
                return replace(frame, payload=b"\n".join(values))

    def _frame(self) -> Frame:
        first, second = self._take(2)
        assert not second & 0x80, "a server does not mask"
        length = second & 0x7F
        if length > 125:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        return Frame(first & 15, self._take(length), bool(first & 0x80), first >> 4 & 7, masked=False)

    def hear(self) -> dict[str, Any]:
        """The next frame, which has one JSON value."""
        frame = self.receive()
        assert (frame.opcode, frame.fin, frame.rsv) == (TEXT, True, 0), frame
        value: dict[str, Any] = json.loads(frame.payload)
        return value

    def round_trip(self) -> None:
        """The next thing the server says answers this, so it had nothing else to say."""
        self.say(op="ping")
        assert self.hear() == {"op": "pong"}

    def end(self) -> int:
        """The code of the close frame, which is the next frame, and is answered; 1005 if it has none. Then comes the
        end.
        """
        frame = self.receive()
        assert frame.opcode == CLOSE, frame
        with contextlib.suppress(OSError):  # who ends because of us does not wait for it
            self.send(Frame(CLOSE, frame.payload[:2]))
        assert self.rest() == b""
        assert not frame.payload[2:] or frame.payload[2:].decode()
        return int.from_bytes(frame.payload[:2], "big") if frame.payload else 1005

    def rest(self) -> bytes:
        """What comes until the end of the connection, orderly or by a reset."""
        with contextlib.suppress(ConnectionResetError):
            while self._read():
                pass
        return self._buffer

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            assert self._read(), "the connection has ended"
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _read(self) -> bool:
        data = self.tcp.recv(65536)
        self._buffer += data
        return bool(data)


class Caller:
    """A customer who opens one raw socket after another: each ends the one before it."""

    def __init__(self, server: RunningServer) -> None:
        self.server, self.device = server, new_device()
        transport = httpx.HTTPTransport(local_address=new_address(), verify=False)
        with httpx.Client(base_url=server.base, headers={"Origin": server.base}, transport=transport) as http:
            session = http.post("/api/v1/customer-sessions", json={"site_key": "default"}).raise_for_status().json()
        self._secret = {"pass": session["pass"]}

    def open(self) -> RawSocket:
        """A connection that has said hello, in JSON."""
        with contextlib.ExitStack() as otherwise:
            raw = otherwise.enter_context(RawSocket(self.server))
            assert raw.upgrade().status == 101
            raw.say(op="hello", id=1, device=self.device, **self._secret)
            self._secret = {"resume_token": raw.hear()["resume_token"]}
            otherwise.pop_all()
        return raw
