"""The generator does not flatter: a time counts from when a message was due, however the server behaves."""

import asyncio
from typing import Any

import pytest

from chatserver.bench import load
from chatserver.bench.histogram import Histogram
from chatserver.bench.load import AHEAD, Crowd, Talker
from chatserver.bench.plot import histogram
from chatserver.bench.seats import Pair, Seat, Venue

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class FakeServer:
    """Answers and delivers at once; or, while it stalls, not before `go_on`."""

    def __init__(self) -> None:
        self.stalls = False
        self.waiting: list[tuple[Talker, dict[str, Any]]] = []

    def seat(self, talker: Talker) -> None:
        talker._line = FakeLine(self, talker)  # type: ignore[assignment]

    def take(self, talker: Talker, command: dict[str, Any]) -> None:
        self.waiting.append((talker, command))
        if not self.stalls:
            self.go_on()

    def go_on(self) -> None:
        self.stalls = False
        while self.waiting:
            talker, command = self.waiting.pop(0)
            seq = command["n"]
            assert talker.other
            talker._heard({"op": "ack", "n": command["n"], "seq": seq})
            talker.other._heard({"op": "entry", "kind": "message", "n": command["n"]})
            talker._heard({"op": "durable", "seq": seq})


class FakeLine:
    def __init__(self, server: FakeServer, talker: Talker) -> None:
        self._server, self._talker = server, talker

    def say(self, command: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(self._server.take, self._talker, command)


def crowd_of(chats: int) -> tuple[Crowd, FakeServer]:
    def seat(role: str) -> Seat:
        return Seat(role, 100009, "device", "token", 1, 2, "e", n=1, gen=1 if role == "agent" else None)

    crowd = Crowd(Venue([], "", []), [Pair(seat("customer"), seat("agent")) for _ in range(chats)], size=10)
    server = FakeServer()
    for talker in crowd.talkers:
        server.seat(talker)
    return crowd, server


async def test_an_open_loop_counts_what_a_stall_has_kept_waiting():
    crowd, server = crowd_of(1)
    running = asyncio.create_task(crowd.open(rate=500, warm_up=0.05, seconds=0.4))
    await asyncio.sleep(0.1)
    server.stalls = True
    await asyncio.sleep(0.2)
    server.go_on()
    tally = await running
    # 100 messages were due in the 200 ms of the stall, and each waited for the rest of it: more than a third of the 200
    # that were due waited longer than 30 ms. A generator that waits with them would have seen 32 slow ones (2 × 16).
    assert tally.delivery.count == pytest.approx(200, abs=20)
    slow = sum(count for seconds, count in tally.delivery if seconds > 0.03)
    assert slow > 60
    assert tally.delivery.largest > 0.15
    assert tally.undelivered == 0


async def test_what_is_still_waiting_at_the_end_counts():
    crowd, server = crowd_of(1)
    running = asyncio.create_task(crowd.open(rate=200, warm_up=0, seconds=0.2))
    await asyncio.sleep(0.1)
    server.stalls = True
    await asyncio.sleep(0.3)
    server.go_on()
    tally = await running
    assert tally.delivery.largest > 0.15
    assert tally.delivery.count == pytest.approx(40, abs=4)


async def test_what_never_arrives_is_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "SETTLE_SECONDS", 0.1)
    crowd, server = crowd_of(2)
    server.stalls = True
    tally = await crowd.open(rate=100, warm_up=0, seconds=0.2)
    assert tally.delivery.count == 0
    assert tally.undelivered == pytest.approx(20, abs=2)


async def test_nobody_is_further_ahead_than_the_protocol_allows():
    crowd, server = crowd_of(1)
    server.stalls = True
    for _ in range(50):
        crowd.customers[0].post(load.now())
    await asyncio.sleep(0)
    assert len(server.waiting) == AHEAD
    server.go_on()
    while crowd.customers[0].outstanding:
        await asyncio.sleep(0)
        server.go_on()
    assert crowd.customers[0].posted == 50


async def test_a_closed_loop_keeps_as_many_in_flight_and_ends():
    crowd, server = crowd_of(3)
    running = asyncio.create_task(crowd.closed(window=2, warm_up=0, seconds=0.2))
    await asyncio.sleep(0.05)
    server.stalls = True
    await asyncio.sleep(0.02)
    assert len(server.waiting) == 3 * 2
    server.go_on()
    tally = await running
    assert tally.delivered > 100
    assert tally.undelivered == 0
    assert tally.durable.count == tally.acks.count


async def test_cpu_is_what_was_taken_while_it_was_measured():
    crowd, _ = crowd_of(1)
    readings = iter(({"web": 1.0}, {"web": 1.5}))
    crowd._probe = lambda: next(readings)
    tally = await crowd.open(rate=100, warm_up=0, seconds=0.05)
    assert tally.cpu == {"web": 0.5}


def test_a_percentile_is_within_one_percent():
    times = Histogram()
    for ms in range(1, 1001):
        times.add(ms / 1000)
    assert times.percentile(0.5) == pytest.approx(0.5, rel=0.01)
    assert times.percentile(0.99) == pytest.approx(0.99, rel=0.01)
    assert times.percentile(1.0) == 1.0
    assert Histogram().percentile(0.5) is None


def test_times_below_a_microsecond_are_counted():
    times = Histogram()
    times.add(0.0)
    times.add(-0.1)
    assert times.count == 2
    assert times.percentile(1.0) == 0.0


def test_the_histogram_shows_every_time():
    svg = histogram([(0.5, 10), (1.0, 30), (250.0, 1)], "#000")
    assert svg.count("<rect") == 3
    assert "0.1 ms" in svg
    assert "100 ms" in svg
