"""What is done to the cluster: every kind of fault, with what it may cost.

A fault is a coroutine that begins, lasts, and leaves everything as it was; faults of different lanes overlap.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from redis.exceptions import RedisError

from tests.chaos.cluster import Cluster, Node
from tests.chaos.process import until
from tests.chaos.proxy import Fault, Proxy

LEASES_END = 6.5  # seconds: longer than the shortened lease of a node, and than that of a worker


class Lane(StrEnum):
    """What goes on at the same time as the others: one fault a lane."""

    NODES = "process"
    DEPLOYS = "deploy"
    RECORD = "SQL and worker"
    REDIS = "Redis"
    NETWORK = "network"


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: for the table.
        lane: whom it strikes.
        strike: does it, and undoes it.
        loses: Redis may lose what it had acknowledged ('everysec': not in the strict world).
        hinders: the worker cannot write meanwhile.
        from_begin: the time to recover counts from its beginning (a kill), not from its end (a disk that was full).
        pause: seconds of rest after it, on average.
    """

    name: str
    lane: Lane
    strike: Callable[[Cluster, random.Random], Awaitable[str]]
    loses: str = ""
    hinders: bool = False
    from_begin: bool = False
    pause: float = 1.0


# -- nodes


async def kill_node(cluster: Cluster, rng: random.Random) -> str:
    """kill -9; sometimes of the child alone, which its parent starts again."""
    async with _one_node(cluster, rng) as node:
        return await _kill(cluster, node, rng)


async def _kill(cluster: Cluster, node: Node, rng: random.Random) -> str:
    children = node.process.children()
    if children and rng.random() < 0.4:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children), signal.SIGKILL)
        await asyncio.sleep(1.5)
        await until(lambda: node.healthy, f"{node.process.name} is back")
        return f"{node.process.name}, child"
    await node.process.kill()
    await asyncio.sleep(rng.uniform(0, 1.5))
    await cluster.start_node(node)
    return node.process.name


async def rolling_restart(cluster: Cluster, rng: random.Random) -> str:
    """SIGTERM for one node after the other, as a deploy does."""
    for node in cluster.nodes:
        async with node.struck:
            code = await node.process.stop()
            assert code in (0, -signal.SIGTERM), (
                f"{node.process.name} ended with {code}"
            )  # the latter: while it started
            node.healthy = False
            await cluster.start_node(node)
    return ""


async def _pause_node(cluster: Cluster, rng: random.Random, seconds: float) -> str:
    async with _one_node(cluster, rng) as node:
        node.process.pause()
        try:
            await asyncio.sleep(seconds)
        finally:
            node.process.resume()
        return f"{node.process.name} {seconds:.1f} s"


@contextlib.asynccontextmanager
async def _one_node(cluster: Cluster, rng: random.Random) -> AsyncIterator[Node]:
    """A node that no other fault has, now or soon."""
    free = [node for node in cluster.nodes if not node.struck.locked()]
    node = rng.choice(free or cluster.nodes)
    async with node.struck:
        yield node


async def stop_node_shortly(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP, shorter than its lease."""
    return await _pause_node(cluster, rng, rng.uniform(0.5, 2.5))


async def stop_node_beyond_lease(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP until the others think it dead; then it goes on."""
    return await _pause_node(cluster, rng, rng.uniform(LEASES_END, LEASES_END + 2))


# -- worker and SQL


async def kill_worker(cluster: Cluster, rng: random.Random) -> str:
    """kill -9 of one worker, or of all."""
    victims = cluster.workers if rng.random() < 0.4 else [rng.choice(cluster.workers)]
    await asyncio.gather(*(worker.kill() for worker in victims))
    await asyncio.sleep(rng.uniform(0, 1.5))
    for worker in victims:
        worker.start()
    return f"{len(victims)} of {len(cluster.workers)}"


async def stop_worker_beyond_lease(cluster: Cluster, rng: random.Random) -> str:
    """SIGSTOP until another has its partitions; then it goes on with what it was writing."""
    worker = rng.choice(cluster.workers)
    worker.pause()
    try:
        await asyncio.sleep(rng.uniform(LEASES_END, LEASES_END + 1.5))
    finally:
        worker.resume()
    return worker.name


async def lock_sql(cluster: Cluster, rng: random.Random) -> str:
    """Another process holds SQLite's write lock."""
    seconds = rng.uniform(10, 30) if rng.random() < 0.1 else rng.uniform(2, 6)
    await asyncio.to_thread(_hold_lock, cluster.data / "chat.db", seconds)
    return f"{seconds:.1f} s"


def _hold_lock(path: Path, seconds: float) -> None:
    connection = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        time.sleep(seconds)
        connection.execute("ROLLBACK")
    finally:
        connection.close()


async def fill_disk(cluster: Cluster, rng: random.Random) -> str:
    """No space left for SQLite."""
    seconds = rng.uniform(2, 5)
    ballast = cluster.data / "ballast"
    try:
        await asyncio.to_thread(_fill, ballast)
        await asyncio.sleep(seconds)
    finally:
        await asyncio.to_thread(ballast.unlink, missing_ok=True)
    return f"{seconds:.1f} s"


def _fill(path: Path) -> None:
    """To the last byte."""
    with path.open("wb", buffering=0) as file:
        for piece in (1 << 20, 1 << 10, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(piece)) == piece:
                    pass


# -- Redis


async def kill_valkey(cluster: Cluster, rng: random.Random) -> str:
    """kill -9 of the master; it reads its file again."""
    master = cluster.master
    await master.kill()
    await asyncio.sleep(rng.uniform(0, 1.0))
    await master.run()
    return ""


async def flush(cluster: Cluster, rng: random.Random) -> str:
    """FLUSHALL."""
    with cluster.master.redis() as redis:
        redis.flushall()
    return ""


async def fail_over(cluster: Cluster, rng: random.Random) -> str:
    """The master dies, and its replica lacks the last part of what it had acknowledged."""
    old, new = cluster.master, cluster.replica
    await until(new.in_step, "the replica has caught up")
    new.lead()  # no longer a replica: what comes now is lost
    behind = rng.uniform(0.1, 0.8)
    await asyncio.sleep(behind)
    await old.kill()
    await cluster.fail_over()
    await asyncio.sleep(rng.uniform(0.5, 1.5))
    await old.run()
    old.follow(new.port)
    return f"{behind:.1f} s behind"


async def fill_redis(cluster: Cluster, rng: random.Random) -> str:
    """`maxmemory` is reached: with `noeviction` every write is refused."""
    master = cluster.master
    master.configure(maxmemory=1)
    try:
        await asyncio.sleep(rng.uniform(0.5, 2))
    finally:
        master.configure(maxmemory=0)
    return ""


# -- network


async def kill_pubsub(cluster: Cluster, rng: random.Random) -> str:
    """The connections that bring the entries are cut, and nobody says so."""
    with contextlib.suppress(RedisError), cluster.master.redis() as redis:
        return f"{redis.client_kill_filter(_type='pubsub')} connections"
    return ""


def _client_side(cluster: Cluster, rng: random.Random) -> tuple[Proxy, float]:
    return cluster.balancer, rng.uniform(0.2, 1.0)


def _redis_side(cluster: Cluster, rng: random.Random) -> tuple[Proxy, float]:
    return rng.choice(cluster.redis_proxies), 1.0


Side = Callable[[Cluster, random.Random], tuple[Proxy, float]]


def _cutting(side: Side) -> Callable[[Cluster, random.Random], Awaitable[str]]:
    async def cut(cluster: Cluster, rng: random.Random) -> str:
        proxy, share = side(cluster, rng)
        return f"{proxy.name}: {proxy.cut(share)} links"

    return cut


def _striking(
    side: Side, fault: Fault, shortest: float, longest: float
) -> Callable[[Cluster, random.Random], Awaitable[str]]:
    async def strike(cluster: Cluster, rng: random.Random) -> str:
        proxy, share = side(cluster, rng)
        if fault is Fault.SLOW:
            share = min(share, 0.3)
        links = proxy.strike(fault, share=share, seconds=rng.uniform(0.05, 0.4))
        try:
            await asyncio.sleep(rng.uniform(shortest, longest))
        finally:
            proxy.recover()
        return f"{proxy.name}: {links} links"

    return strike


KINDS = [
    Kind("kill -9 of a node", Lane.NODES, kill_node, from_begin=True, pause=5),
    Kind("node stopped, shortly", Lane.NODES, stop_node_shortly, pause=5),
    Kind("node stopped beyond its lease", Lane.NODES, stop_node_beyond_lease, pause=5),
    Kind("rolling restart", Lane.DEPLOYS, rolling_restart, from_begin=True, pause=6),
    Kind("kill -9 of workers", Lane.RECORD, kill_worker, hinders=True, from_begin=True, pause=2),
    Kind("worker stopped beyond its lease", Lane.RECORD, stop_worker_beyond_lease, hinders=True, pause=2),
    Kind("SQL locked", Lane.RECORD, lock_sql, hinders=True, pause=2),
    Kind("disk of SQL full", Lane.RECORD, fill_disk, hinders=True, pause=2),
    Kind("kill -9 of Valkey", Lane.REDIS, kill_valkey, loses="everysec", hinders=True, pause=7),
    Kind("FLUSHALL", Lane.REDIS, flush, loses="always", pause=7),
    Kind("failover that lost the tail", Lane.REDIS, fail_over, loses="always", hinders=True, pause=7),
    Kind("Redis full", Lane.REDIS, fill_redis, hinders=True, pause=7),
    Kind("pub/sub connections killed", Lane.NETWORK, kill_pubsub, from_begin=True),
    Kind("client side cut", Lane.NETWORK, _cutting(_client_side), from_begin=True),
    Kind("client side cut before the reply", Lane.NETWORK, _striking(_client_side, Fault.MUTE, 0.2, 1)),
    Kind("client side delayed", Lane.NETWORK, _striking(_client_side, Fault.DELAY, 1, 3)),
    Kind("client side half-open", Lane.NETWORK, _striking(_client_side, Fault.HALF_OPEN, 1, 5)),
    Kind("slow readers", Lane.NETWORK, _striking(_client_side, Fault.SLOW, 4, 9)),
    Kind("Redis side cut", Lane.NETWORK, _cutting(_redis_side), from_begin=True),
    Kind("Redis side cut before the reply", Lane.NETWORK, _striking(_redis_side, Fault.MUTE, 0.2, 1), hinders=True),
    Kind("Redis side delayed", Lane.NETWORK, _striking(_redis_side, Fault.DELAY, 1, 3), hinders=True),
    Kind("Redis side half-open", Lane.NETWORK, _striking(_redis_side, Fault.HALF_OPEN, 1, 5), hinders=True),
]
