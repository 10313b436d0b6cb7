"""The load: people in their seats who write to each other, in a closed or in an open loop.

Closed: `window` messages of each chat are on their way, and whoever gets one answers at once; that shows what the
server can carry. Open: messages are due at a fixed rate, whatever the server does, and each latency counts from the
moment the message was due, so a server that stalls cannot hide what it has kept waiting ("coordinated omission").
"""

from __future__ import annotations

import asyncio
import random
import string
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from math import inf

from chatserver.bench.histogram import Histogram
from chatserver.bench.line import Line, Value
from chatserver.bench.seats import Pair, Seat, Venue

AHEAD = 16  # commands without an ack: the protocol's limit for a device and chat
TICK_SECONDS = 0.001
SETTLE_SECONDS = 15.0

now = time.perf_counter


class Tally:
    """What was measured. A time counts when it began between `begin` and `end`, however late it ended: what was kept
    waiting at the end is not forgotten.
    """

    def __init__(self, probe: Callable[[], dict[str, float]] = dict) -> None:
        """`probe`: CPU seconds so far, by whose they are."""
        self.delivery = Histogram()  # from due to received by the other side
        self.acks = Histogram()  # from due to acknowledged
        self.durable = Histogram()  # from acknowledged to durable
        self.errors: Counter[str] = Counter()
        self.measuring = False
        self.delivered = 0  # meanwhile
        self.undelivered = 0  # after all patience
        self.cpu: dict[str, float] = {}  # seconds that the servers took meanwhile
        self._probe = probe
        self._begun = self._ended = inf

    def begin(self) -> None:
        """Counts from here."""
        self.cpu = self._probe()
        self.measuring, self._begun = True, now()

    def end(self) -> None:
        """Counts no more."""
        self.measuring, self._ended = False, now()
        self.cpu = {name: seconds - self.cpu[name] for name, seconds in self._probe().items()}

    @property
    def seconds(self) -> float:
        """How long was measured."""
        return self._ended - self._begun

    def took(self, histogram: Histogram, since: float) -> None:
        """Something that began then has just ended."""
        if self._begun <= since < self._ended:
            histogram.add(now() - since)


class Talker:
    """One person in a seat, connected."""

    def __init__(self, seat: Seat, tally: Tally, text: str) -> None:
        self.seat, self.tally, self.posted = seat, tally, 0
        self.other: Talker | None = None
        self.answers = False  # closed loop
        self._text = text
        self._line: Line | None = None
        self._due: dict[int, float] = {}  # by n: when it was due, until the other side has it
        self._unacked: dict[int, float] = {}
        self._undurable: deque[tuple[int, float]] = deque()  # (seq, when acknowledged)
        self._late: deque[float] = deque()  # due, and not sent: too many are on their way

    @property
    def line(self) -> Line:
        """The connection; there is one between `sit` and `leave`."""
        assert self._line
        return self._line

    @property
    def outstanding(self) -> int:
        """Messages that the other side does not have."""
        return len(self._due) + len(self._late)

    @property
    def settled(self) -> bool:
        """Whether everything is delivered and durable."""
        return not (self.outstanding or self._unacked or self._undurable)

    async def sit(self, address: str, origin: str) -> None:
        """Connects and resumes."""
        self._line = await self.seat.sit(address, origin, self._heard)
        self._line.on_closed = self._lost

    async def leave(self) -> None:
        """Goes."""
        if self._line:
            self._line.on_closed = _nothing
            await self._line.close()

    def post(self, due: float) -> None:
        """Says something that was due at this moment; later, if the server has not answered what came before."""
        if len(self._unacked) >= AHEAD:
            self._late.append(due)
        else:
            self._post(due)

    def _post(self, due: float) -> None:
        self.posted += 1
        n = self.seat.n + self.posted
        self._due[n] = self._unacked[n] = due
        command: Value = {"op": "post_message", "id": n, "ticket": self.seat.ticket, "n": n, "text": self._text}
        if self.seat.gen is not None:
            command["gen"] = self.seat.gen
        self.line.say(command)

    def _heard(self, value: Value) -> None:
        op = value["op"]
        if op == "entry":
            if value["kind"] == "message" and self.other:
                self.other._delivered(value["n"])
                if self.answers:
                    self.post(now())
        elif op == "ack":
            self._acked(value)
        elif op == "durable":
            self._made_durable(value["seq"])
        elif op == "error":
            self.tally.errors[value["code"]] += 1

    def _delivered(self, n: int) -> None:
        due = self._due.pop(n, None)
        if due is not None:
            self.tally.delivered += self.tally.measuring
            self.tally.took(self.tally.delivery, due)

    def _acked(self, value: Value) -> None:
        due = self._unacked.pop(value["n"], None)
        if due is None:
            return
        self.tally.took(self.tally.acks, due)
        self._undurable.append((value["seq"], now()))
        if self._late and len(self._unacked) < AHEAD:
            self._post(self._late.popleft())

    def _made_durable(self, seq: int) -> None:
        while self._undurable and self._undurable[0][0] <= seq:
            self.tally.took(self.tally.durable, self._undurable.popleft()[1])

    def _lost(self) -> None:
        self.tally.errors["connection lost"] += 1


class Crowd:
    """Everybody of a run. The two sides of a chat are at different nodes, where there are two."""

    def __init__(
        self, venue: Venue, pairs: Sequence[Pair], *, size: int, probe: Callable[[], dict[str, float]] = dict
    ) -> None:
        text = ("".join(random.Random(1).choices(string.ascii_letters + "    ", k=size)))[:size]
        tally = Tally()
        self.customers = [Talker(pair.customer, tally, text) for pair in pairs]
        self.agents = [Talker(pair.agent, tally, text) for pair in pairs]
        for customer, agent in zip(self.customers, self.agents, strict=True):
            customer.other, agent.other = agent, customer
        self._venue, self._probe = venue, probe

    @property
    def talkers(self) -> list[Talker]:
        """Customers, then agents."""
        return [*self.customers, *self.agents]

    async def sit(self, *, at_once: int = 64, advance: Callable[[int], None] = lambda done: None) -> float:
        """Everybody connects, so many at the same time; the seconds it took. `advance` hears how many sit."""
        begun, door, addresses = now(), asyncio.Semaphore(at_once), self._venue.addresses
        done = 0

        async def one(talker: Talker, number: int) -> None:
            nonlocal done
            async with door:
                await talker.sit(addresses[number % len(addresses)], self._venue.origin)
            done += 1
            advance(done)

        async with asyncio.TaskGroup() as group:
            for number, (customer, agent) in enumerate(zip(self.customers, self.agents, strict=True)):
                group.create_task(one(customer, number))
                group.create_task(one(agent, number + 1))
        return now() - begun

    async def leave(self) -> None:
        """Everybody goes."""
        await asyncio.gather(*(talker.leave() for talker in self.talkers))

    async def closed(self, *, window: int, warm_up: float, seconds: float) -> Tally:
        """Keeps `window` messages of each chat on their way."""
        tally = self._begin()
        for talker in self.talkers:
            talker.answers = True
        for _ in range(window):
            for customer in self.customers:
                customer.post(now())
        await _measure(tally, warm_up, seconds)
        for talker in self.talkers:
            talker.answers = False
        return await self._settle(tally)

    async def open(self, *, rate: float, warm_up: float, seconds: float) -> Tally:
        """Posts so many messages a second, everybody in turn."""
        tally = self._begin()
        posting = asyncio.create_task(self._post_at(rate))
        try:
            await _measure(tally, warm_up, seconds)
        finally:
            posting.cancel()
        return await self._settle(tally)

    async def _post_at(self, rate: float) -> None:
        talkers, begun, count = self.talkers, now(), 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            moment = now()
            while (due := begun + count / rate) <= moment:
                talkers[count % len(talkers)].post(due)
                count += 1

    def _begin(self) -> Tally:
        tally = Tally(self._probe)
        for talker in self.talkers:
            talker.tally = tally
        return tally

    async def _settle(self, tally: Tally) -> Tally:
        await self.settle()
        tally.undelivered = sum(talker.outstanding for talker in self.talkers)
        return tally

    async def settle(self) -> None:
        """Until everything is delivered and durable, or for so long as one can ask."""
        deadline = now() + SETTLE_SECONDS
        while now() < deadline and not all(talker.settled for talker in self.talkers):  # noqa: ASYNC110  # nothing to set
            await asyncio.sleep(0.05)


async def _measure(tally: Tally, warm_up: float, seconds: float) -> None:
    await asyncio.sleep(warm_up)
    tally.begin()
    await asyncio.sleep(seconds)
    tally.end()


def _nothing() -> None:
    pass
