"""A long chat: what a message costs when so many are there already, and what it takes to come to such a chat."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from bench.growth.curves import Chart
from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd, Tally
from chatserver.bench.seats import seat_chats

CHATS = 10  # of the same length: one alone is lost in what a second costs anyway
RATE = 1000.0
COMINGS = 20


async def measure(lengths: list[int]) -> list[dict[str, Any]]:
    """A row for each length; the chats grow from one to the next."""
    rows = []
    async with Cluster(agents=1) as cluster:
        pairs = await seat_chats(cluster.venue, CHATS)
        crowd = Crowd(cluster.venue, pairs, size=128, probe=cluster.cpu)
        await crowd.sit()
        for length in lengths:
            while (posted := sum(talker.posted for talker in crowd.talkers) // CHATS) < length:
                await crowd.open(rate=RATE, warm_up=0, seconds=(length - posted) * CHATS / RATE + 0.05)
            tally = await crowd.open(rate=RATE, warm_up=0.5, seconds=4.0)
            row = {"entries": length, **_costs(tally), "come_ms": round(await _come(crowd) * 1000, 2)}
            print(row, flush=True)
            rows.append(row)
        await crowd.leave()
    return rows


def _costs(tally: Tally) -> dict[str, Any]:
    return {
        "cpu_us": {who: round(taken * 1e6 / tally.delivered, 1) for who, taken in tally.cpu.items()},
        "p99_ms": round((tally.delivery.percentile(0.99) or 0) * 1000, 2),
        "durable_p99_ms": round((tally.durable.percentile(0.99) or 0) * 1000),
    }


async def _come(crowd: Crowd) -> float:
    """Seconds until a colleague's fresh connection has the first page of such a chat."""
    seat = crowd.customers[0].seat
    line = crowd.customers[0].line
    begun = time.perf_counter()
    for _ in range(COMINGS):
        await line.call("pull", ticket=seat.ticket)
        await asyncio.sleep(0)
    return (time.perf_counter() - begun) / COMINGS


def charts(rows: list[dict[str, Any]]) -> list[Chart]:
    """The pictures."""
    costs = {who: [(row["entries"], row["cpu_us"][who]) for row in rows] for who in rows[0]["cpu_us"]}
    times = {name: [(row["entries"], row[name]) for row in rows] for name in ("p99_ms", "durable_p99_ms", "come_ms")}
    across = f"entries in each of {CHATS} chats"
    return [
        Chart("entries-cpu", f"CPU µs a message, at {RATE:.0f} a second", across, costs),
        Chart("entries-latency", "Delivered and durable, p99; first page, ms", across, times),
    ]
