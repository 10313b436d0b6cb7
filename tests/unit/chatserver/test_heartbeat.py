"""Who has died is found out, and nobody is blamed for a process that stood still itself (SIGSTOP, a paused machine)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest

from chatserver.hub import heartbeat
from chatserver.hub.connection import Connection
from chatserver.hub.heartbeat import Heartbeat
from chatserver.model.person import Person
from chatserver.wire import close_codes
from chatserver.wire.codec import CODECS
from tests.support.client import JSON, PATIENCE

pytestmark = pytest.mark.anyio

TICK, INTERVAL = 0.02, 3


class Peer:
    """The other end of a connection; `answer` is what it does when it is pinged, with the number of the ping."""

    def __init__(self, beating: Heartbeat, answer: Callable[[Peer, int], None]) -> None:
        self.pings, self.code = 0, 0
        self._answer, self._moved = answer, asyncio.Event()
        person, loop = Person("p" * 36, "customer"), asyncio.get_running_loop()
        self.connection = Connection(
            self,
            CODECS[JSON],
            person,
            "d" * 16,
            on_ready=lambda ready: loop.call_soon(ready.flush) and None,
            counters=Counter(),
        )
        beating.add(self.connection)

    def speak(self) -> None:
        """What it has sent is read."""
        self.connection.heard_at = time.monotonic()

    def send(self, data: bytes, *, binary: bool) -> None:
        self.pings += 1
        self._answer(self, self.pings)
        self._moved.set()

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError(f"{code} {reason}")

    def cut(self, code: int, reason: str = "") -> None:
        self.code = code
        self._moved.set()

    @property
    def slow(self) -> bool:
        return False

    def backlog(self) -> tuple[int, int]:
        return 0, 0

    async def until(self, pings: int) -> None:
        """It is pinged so often, or cut off before that."""
        async with asyncio.timeout(PATIENCE):
            while not self.code and self.pings < pings:
                self._moved.clear()
                await self._moved.wait()


@pytest.fixture
async def beating(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heartbeat]:
    monkeypatch.setattr(heartbeat, "TICK_SECONDS", TICK)
    made = Heartbeat(INTERVAL)
    made.start()
    yield made
    made.stop()


def stand_still() -> None:
    """We, for longer than anybody may be silent."""
    time.sleep(2.5 * INTERVAL * TICK)


async def test_who_says_nothing_any_more_is_cut_off(beating: Heartbeat) -> None:
    dead = Peer(beating, lambda peer, number: None)
    lives = Peer(beating, lambda peer, number: peer.speak())
    await dead.until(pings=1_000)
    assert dead.code == close_codes.NO_PONG
    assert dead.pings >= 1
    await lives.until(pings=dead.pings)
    assert not lives.code


async def test_who_was_not_asked_is_not_cut_off(beating: Heartbeat) -> None:
    """Its answer was read, and then we stood still for longer than anybody may be silent."""

    def answer(peer: Peer, number: int) -> None:
        peer.speak()
        if number in (2, 4):
            stand_still()

    peer = Peer(beating, answer)
    await peer.until(pings=6)
    assert not peer.code


async def test_who_was_not_read_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer came while we stood still, and is read some loop turns after we are back: behind the next tick."""
    monkeypatch.setattr(heartbeat, "TICK_SECONDS", TICK)
    loop, beating = asyncio.get_running_loop(), Heartbeat(1)

    def later(turns: int, then: Callable[[], None]) -> None:
        loop.call_soon(later, turns - 1, then) if turns else then()

    def answer(peer: Peer, number: int) -> None:
        if number == 2:
            stand_still()
        later(9, peer.speak)

    beating.start()
    peer = Peer(beating, answer)
    await peer.until(pings=5)
    beating.stop()
    assert not peer.code
