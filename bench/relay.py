"""The floor: a bare picows process that hands each frame to the other side of its chat, and two people for each.

It decodes nothing and keeps nothing. What it takes for a message is what this machine and this loop take anyway, so
our own cost is told in multiples of it: that ratio stays when the machine is slow.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any, Self

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_connect, ws_create_server

from chatserver.bench.meter import cpu_seconds

READ_BUFFER_BYTES = 2048


class RelayedSide(WSListener):
    """One side of a chat, in the relay."""

    def __init__(self, waiting: dict[bytes, RelayedSide], chat: bytes) -> None:
        self._waiting, self._chat = waiting, chat
        self._transport: WSTransport | None = None
        self._other: RelayedSide | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The second to come finds the first."""
        self._transport = transport
        other = self._waiting.pop(self._chat, None)
        if other is None:
            self._waiting[self._chat] = self
        else:
            self._other, other._other = other, self

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hands it on as it is."""
        if frame.msg_type == WSMsgType.BINARY and self._other and self._other._transport:
            self._other._transport.send(WSMsgType.BINARY, frame.get_payload_as_bytes())


async def serve() -> None:
    """Runs the relay on a free port, which it prints, until its parent ends it."""
    waiting: dict[bytes, RelayedSide] = {}

    def side(request: WSUpgradeRequest) -> RelayedSide:
        return RelayedSide(waiting, request.path)

    server = await ws_create_server(side, "127.0.0.1", 0, read_buffer_init_size=READ_BUFFER_BYTES)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Person(WSListener):
    """One side of a chat, in the load: answers each frame with another."""

    def __init__(self, tally: dict[str, int], payload: bytes) -> None:
        self._tally, self._payload = tally, payload
        self.answers = True
        self._transport: Any = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Ready."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """One delivered."""
        frame.get_payload_as_bytes()
        self._tally["delivered"] += 1
        if self.answers:
            self.post()

    def post(self) -> None:
        """Says something."""
        self._transport.send(WSMsgType.BINARY, self._payload)


class Relay:
    """The relay as a process. Use as an async context manager."""

    def __init__(self, *, chats: int, size: int) -> None:
        self._chats = chats
        self._payload = b"x" * size
        self._tally = {"delivered": 0}
        self._people: list[Person] = []

    async def __aenter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE)  # noqa: ASYNC220  # a moment
        assert self._process.stdout
        port = int(await asyncio.to_thread(self._process.stdout.readline))
        for chat in range(self._chats):
            for _ in range(2):
                person = Person(self._tally, self._payload)
                address = f"ws://127.0.0.1:{port}/{chat}"
                await ws_connect(lambda person=person: person, address, read_buffer_init_size=READ_BUFFER_BYTES)
                self._people.append(person)
        return self

    async def __aexit__(self, *args: object) -> None:
        self._process.terminate()
        self._process.wait()

    async def closed(self, *, window: int, warm_up: float, seconds: float) -> tuple[float, float]:
        """Keeps `window` messages of each chat in flight: (CPU seconds a message, messages a second)."""
        for person in self._people:
            person.answers = True
        for person in self._people[::2]:
            for _ in range(window):
                person.post()
        await asyncio.sleep(warm_up)
        cpu, delivered, begun = self._cpu(), self._tally["delivered"], time.monotonic()
        await asyncio.sleep(seconds)
        took, count = self._cpu() - cpu, self._tally["delivered"] - delivered
        for person in self._people:
            person.answers = False
        rate = count / (time.monotonic() - begun)
        await asyncio.sleep(0.2)  # what was in flight lands
        return took / count, rate

    def _cpu(self) -> float:
        return cpu_seconds([self._process.pid])


if __name__ == "__main__":
    uvloop.run(serve())
