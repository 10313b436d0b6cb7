"""When clients are told to go."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from chatserver.hub.connection import Connection
from chatserver.hub.counters import Counters
from chatserver.hub.drain import Drain, spread
from chatserver.model.person import Person
from chatserver.wire.codec import CODECS

pytestmark = pytest.mark.anyio


class Ended:
    """A peer that takes everything, and is gone when it is closed."""

    def __init__(self, connections: set[Connection]) -> None:
        self.frames: list[dict[str, Any]] = []
        self.code = 0
        self._connections = connections
        self.connection = Connection(
            self,
            CODECS["chat.v1.json"],
            Person("p", "customer"),
            "device",
            on_ready=lambda connection: None,
            counters=Counters(),
        )
        self.connection.welcomed = True
        connections.add(self.connection)

    def send(self, data: bytes, *, binary: bool) -> None:
        self.frames += [msgspec.json.decode(line) for line in data.split(b"\n")]

    def close(self, code: int, reason: str = "") -> None:
        self.code = code
        self._connections.discard(self.connection)

    def cut(self, code: int, reason: str = "") -> None:
        self.close(code, reason)

    @property
    def slow(self) -> bool:
        return False

    def backlog(self) -> tuple[int, int]:
        return 0, 0


@pytest.mark.parametrize(
    ("connections", "others", "most", "seconds"),
    [
        (5_000, 0, 20, 0),  # nobody takes over
        (1, 1, 20, 2),
        (1_000, 1, 20, 10),
        (1_000, 4, 20, 2.5),
        (50_000, 1, 20, 20),
        (50_000, 1, 1, 1),  # what the operator says
        (50_000, 1, 0, 0),
    ],
)
def test_the_time_is_what_the_others_need(connections: int, others: int, most: float, seconds: float) -> None:
    assert spread(connections, others=others, rate=100, most=most) == seconds


async def test_no_more_patience_is_the_end_at_once() -> None:
    connections: set[Connection] = set()
    peers = [Ended(connections) for _ in range(3)]
    for peer in peers:
        peer.connection.answered()  # the hello
    drain = Drain(connections)
    running = asyncio.create_task(drain.run(others=1, rate=0.001, most=600))
    await asyncio.sleep(0)
    assert len(connections) == 3
    drain.hurry()
    async with asyncio.timeout(60):
        await running
    assert [peer.code for peer in peers] == [4001] * 3
    assert [[frame["op"] for frame in peer.frames] for peer in peers] == [["bye"]] * 3


async def test_who_leaves_early_shortens_it() -> None:
    connections: set[Connection] = set()
    peers = [Ended(connections) for _ in range(3)]
    running = asyncio.create_task(Drain(connections).run(others=1, rate=0.001, most=600))
    await asyncio.sleep(0)
    for peer in peers:
        peer.close(1000)
    async with asyncio.timeout(60):
        await running


async def test_commands_on_their_way_are_answered_first() -> None:
    connections: set[Connection] = set()
    peer = Ended(connections)
    connection = peer.connection
    connection.answered()
    connection.began()
    connection.began()
    running = asyncio.create_task(Drain(connections).run(others=0, rate=100, most=600))
    await asyncio.sleep(0)
    assert connection.leaving
    connection.offer(b'{"op":"ack","id":1}')
    connection.answered()
    assert connection.open
    connection.offer(b'{"op":"ack","id":2}')
    connection.answered()
    assert not connection.open
    await running
    assert [frame["op"] for frame in peer.frames] == ["bye", "ack", "ack"]
    assert peer.code == 4001
