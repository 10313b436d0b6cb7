"""When which fault strikes: every lane draws its kinds from a bag, so that all come equally often."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.chaos.cluster import Cluster
from tests.chaos.faults import Kind, Lane
from tests.chaos.losses import Losses, Window

SETTLES = 2.0  # seconds after a fault in which an answer from before it may still arrive


@dataclass(frozen=True)
class Struck:
    """A fault that has been."""

    kind: Kind
    begin: float
    end: float
    note: str = ""

    @property
    def measured_from(self) -> float:
        """From when on it is asked how long it takes until all is well."""
        return self.begin if self.kind.from_begin else self.end


class Schedule:
    """Strikes the cluster until a time."""

    def __init__(
        self,
        cluster: Cluster,
        kinds: Sequence[Kind],
        *,
        seed: str,
        tell: Callable[[str], None] = print,
        haste: float = 1.0,
    ) -> None:
        self.struck: list[Struck] = []
        self._cluster, self._kinds, self._seed, self._tell, self._haste = cluster, kinds, seed, tell, haste

    async def run(self, seconds: float, *, once: bool = False) -> None:
        """All lanes, until the time is over; with `once`, until each kind has been there once, if that is earlier."""
        deadline = time.monotonic() + seconds
        lanes = {kind.lane for kind in self._kinds}
        async with asyncio.TaskGroup() as group:
            for lane in sorted(lanes):
                group.create_task(self._run_lane(lane, deadline, once=once))
            if not lanes:
                await asyncio.sleep(seconds)

    async def _run_lane(self, lane: Lane, deadline: float, *, once: bool) -> None:
        rng = random.Random(f"{self._seed} {lane}")
        bag = [kind for kind in self._kinds if kind.lane is lane]
        for drawn, kind in enumerate(self._draw(bag, rng)):
            await asyncio.sleep(rng.uniform(0.2, 1.8) * kind.pause * self._haste)
            if time.monotonic() > deadline or (once and drawn == len(bag)):
                return
            begin = time.monotonic()
            note = await kind.strike(self._cluster, rng)
            self.struck.append(Struck(kind, begin, time.monotonic(), note))
            self._tell(f"{kind.name}{': ' if note else ''}{note}")

    def _draw(self, bag: list[Kind], rng: random.Random) -> Iterator[Kind]:
        while True:
            yield from rng.sample(bag, len(bag))

    def losses(self) -> Losses:
        """When Redis may have lost something, and when the worker could not work."""
        windows = [
            Window(one.begin, self._last_echo(one), one.kind.name)
            for one in self.struck
            if one.kind.loses == "always" or (one.kind.loses and not self._cluster.strict)
        ]
        hindrances = [
            Window(one.begin, one.end + SETTLES, one.kind.name)
            for one in self.struck
            if one.kind.hinders or one.kind.loses
        ]
        return Losses(windows, hindrances)

    def _last_echo(self, loss: Struck) -> float:
        """Until when an answer from before the loss may reach a client: a stopped node, a slow link keep it."""
        end = loss.end + SETTLES
        keepers = [one for one in self.struck if one.kind.lane in (Lane.NETWORK, Lane.NODES, Lane.DEPLOYS)]
        return max([end, *(one.end + SETTLES for one in keepers if one.begin <= end and one.end > loss.begin)])
