"""Agents who watch the queue: what a chat that comes and goes costs, and when the last of them knows."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any

from bench.growth.curves import Chart
from chatserver.bench.cluster import Cluster
from chatserver.bench.line import Line, Value, base_of
from chatserver.bench.seats import seat_chats
from chatserver.client.credentials import AgentSignIn, CustomerSession

CHATS = 40
PAUSE_SECONDS = 0.02


async def measure(counts: list[int]) -> list[dict[str, Any]]:
    """A row for each number of agents."""
    rows = []
    async with Cluster(agents=max(counts)) as cluster:
        await seat_chats(cluster.venue, 1)  # everything has been done once
        board, lines = Board(), list[Line]()
        staff = [AgentSignIn(email, password) for email, password in cluster.venue.agents]
        for count in counts:
            while len(lines) < count:
                lines.append(await _watch(cluster, staff[len(lines)], board, len(lines)))
            before = cluster.cpu()
            await _come_and_go(cluster, board, count)
            cpu = {who: after - before[who] for who, after in cluster.cpu().items()}
            known = sorted(board.known)
            row = {
                "watchers": count,
                "cpu_ms": {who: round(taken * 1000 / CHATS, 2) for who, taken in cpu.items()},
                "last_knows_p50_ms": round(known[len(known) // 2] * 1000, 2),
                "last_knows_max_ms": round(known[-1] * 1000, 2),
            }
            print(row, flush=True)
            rows.append(row)
        for line in lines:
            await line.close()
    return rows


class Board:
    """Who has heard of which chat."""

    def __init__(self) -> None:
        self.known: list[float] = []  # seconds from opening a chat until the last one knew
        self._heard = 0
        self._awaited = 0
        self._all = asyncio.Event()

    def expect(self, watchers: int) -> None:
        """A chat is about to be opened."""
        self._heard, self._awaited = 0, watchers
        self._all.clear()

    def heard(self, value: Value) -> None:
        """An event has come to one of them."""
        if value["op"] == "event" and value["type"] == "queued":
            self._heard += 1
            if self._heard == self._awaited:
                self._all.set()

    async def everybody(self, since: float) -> None:
        """Until all have heard."""
        async with asyncio.timeout(30):
            await self._all.wait()
        self.known.append(time.perf_counter() - since)


async def _watch(cluster: Cluster, agent: AgentSignIn, board: Board, number: int) -> Line:
    venue = cluster.venue
    address = venue.addresses[number % len(venue.addresses)]
    line = await Line.open(address, venue.origin, board.heard)
    secret = await agent.secret(base_of(address))
    welcome = await line.call("hello", device="bench-" + secrets.token_hex(8), chats=[], **secret)
    department = welcome["person"]["departments"][0]["id"]
    await line.call("watch", topic=f"department:{department}")
    return line


async def _come_and_go(cluster: Cluster, board: Board, watchers: int) -> None:
    """Chats are opened one by one; whoever opens closes again."""
    board.known.clear()
    customer = await _customer(cluster)
    for _ in range(CHATS):
        board.expect(watchers)
        begun = time.perf_counter()
        ack = await customer.call("open_chat", chat_key=secrets.token_hex(16), text="Where is my parcel?")
        await board.everybody(begun)
        await customer.call("close_chat", ticket=ack["ticket"], n=2)
        await customer.call("detach", ticket=ack["ticket"])
        await asyncio.sleep(PAUSE_SECONDS)
    await customer.close()


async def _customer(cluster: Cluster) -> Line:
    venue = cluster.venue
    secret = await CustomerSession().secret(base_of(venue.addresses[0]))
    line = await Line.open(venue.addresses[0], venue.origin)
    await line.call("hello", device="bench-" + secrets.token_hex(8), chats=[], **secret)
    return line


def charts(rows: list[dict[str, Any]]) -> list[Chart]:
    """The pictures."""
    lines = {f"{who}, CPU ms": [(row["watchers"], row["cpu_ms"][who]) for row in rows] for who in ("web", "redis")}
    lines["last knows, ms"] = [(row["watchers"], row["last_knows_p50_ms"]) for row in rows]
    return [Chart("watchers", "A chat comes to the queue and goes", "agents who watch it", lines)]
