"""Many chats: what a message and a connection cost, at the same rate of messages."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.growth.curves import Chart
from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd
from chatserver.bench.run import room
from chatserver.bench.seats import CHATS_PER_AGENT, seat_chats

RATE, SECONDS, IDLE_SECONDS = 500.0, 8.0, 4.0


async def measure(counts: list[int]) -> list[dict[str, Any]]:
    """A row for each number of chats."""
    return [await _one(count) for count in counts]


async def _one(count: int) -> dict[str, Any]:
    if (most := room(2 * count) // 2) < count:  # a round number is worth less than a row
        print(f"{most} chats instead of {count}: more open files this process may not have (`ulimit -Hn`)", flush=True)
        count = most
    async with Cluster(agents=-(-count // CHATS_PER_AGENT)) as cluster:
        pairs = await seat_chats(cluster.venue, count)
        row: dict[str, Any] = {"chats": count, "nodes_ready_s": round(await cluster.restart_nodes(), 2)}
        crowd = Crowd(cluster.venue, pairs, size=128, probe=cluster.cpu)
        cpu, rss = cluster.cpu()["web"], cluster.rss()["web"]
        seconds = await crowd.sit()
        row["connects_per_s"] = round(2 * count / seconds)
        row["connect_cpu_ms"] = round((cluster.cpu()["web"] - cpu) * 1000 / 2 / count, 3)
        row["kib_per_connection"] = round((cluster.rss()["web"] - rss) / 2 / count, 1)
        before = cluster.cpu()
        await asyncio.sleep(IDLE_SECONDS)
        idle = {who: (after - before[who]) / IDLE_SECONDS for who, after in cluster.cpu().items()}
        row["idle_cpu_percent"] = {who: round(100 * share, 2) for who, share in idle.items()}
        tally = await crowd.open(rate=RATE, warm_up=2.0, seconds=SECONDS)
        row["cpu_us"] = {who: round(taken * 1e6 / tally.delivered, 1) for who, taken in tally.cpu.items()}
        for share, name in ((0.5, "p50_ms"), (0.99, "p99_ms")):
            row[name] = round((tally.delivery.percentile(share) or 0) * 1000, 2)
        row["durable_p99_ms"] = round((tally.durable.percentile(0.99) or 0) * 1000)
        row["errors"] = dict(tally.errors)
        await crowd.leave()
    print(row, flush=True)
    return row


def charts(rows: list[dict[str, Any]]) -> list[Chart]:
    """The pictures."""
    across = "chats"

    def line(name: str) -> list[tuple[float, float]]:
        return [(row["chats"], row[name]) for row in rows]

    def lines(name: str) -> dict[str, list[tuple[float, float]]]:
        return {who: [(row["chats"], row[name][who]) for row in rows] for who in rows[0][name]}

    costs, idle = lines("cpu_us"), lines("idle_cpu_percent")
    return [
        Chart("chats-cpu", f"CPU µs a message, at {RATE:.0f} a second", across, costs),
        Chart("chats-latency", "Delivered, ms", across, {"p50": line("p50_ms"), "p99": line("p99_ms")}),
        Chart(
            "chats-connection",
            "A connection that comes back",
            across,
            {"KiB": line("kib_per_connection"), "CPU ms": line("connect_cpu_ms")},
        ),
        Chart("chats-idle", f"Two connections a chat, all idle: CPU %, over {IDLE_SECONDS:.0f} s", across, idle),
        Chart("chats-start", "Fresh nodes are ready, s", across, {"both": line("nodes_ready_s")}),
    ]
