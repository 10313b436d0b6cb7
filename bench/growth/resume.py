"""Everybody comes back at once, as after a cut of the network: until the last one is welcomed, with its chat's page."""

from __future__ import annotations

import time
from typing import Any

from bench.growth.curves import Chart
from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd
from chatserver.bench.run import allow_files
from chatserver.bench.seats import CHATS_PER_AGENT, seat_chats

MISSED = 5  # messages in each chat since they left


async def measure(clients: list[int]) -> list[dict[str, Any]]:
    """A row for each number of clients, half of them customers."""
    return [await _one(count // 2) for count in clients]


async def _one(chats: int) -> dict[str, Any]:
    if not allow_files(2 * chats):
        raise SystemExit(f"{2 * chats} clients need as many open files: raise `ulimit -n`")
    async with Cluster(agents=-(-chats // CHATS_PER_AGENT)) as cluster:
        pairs = await seat_chats(cluster.venue, chats)
        crowd = Crowd(cluster.venue, pairs, size=128, probe=cluster.cpu)
        await crowd.sit()
        for _ in range(MISSED):
            now = time.perf_counter()
            for customer in crowd.customers:
                customer.post(now)
            await crowd.settle()
        await crowd.leave()
        crowd = Crowd(cluster.venue, pairs, size=128, probe=cluster.cpu)
        before = cluster.cpu()
        seconds = await crowd.sit(at_once=2 * chats)
        cpu = {who: after - before[who] for who, after in cluster.cpu().items()}
        await crowd.leave()
    row = {
        "clients": 2 * chats,
        "seconds": round(seconds, 2),
        "per_s": round(2 * chats / seconds),
        "cpu_ms": {who: round(taken * 1000 / 2 / chats, 3) for who, taken in cpu.items()},
    }
    print(row, flush=True)
    return row


def charts(rows: list[dict[str, Any]]) -> list[Chart]:
    """The pictures."""
    lines = {f"{who}, CPU ms each": [(row["clients"], row["cpu_ms"][who]) for row in rows] for who in ("web", "redis")}
    lines["seconds, all"] = [(row["clients"], row["seconds"]) for row in rows]
    return [Chart("resume", f"Everybody comes back at once, having missed {MISSED} messages", "clients", lines)]
