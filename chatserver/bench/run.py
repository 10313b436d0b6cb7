"""One run from the first sign-in to the report."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable

from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd
from chatserver.bench.meter import cpu_seconds
from chatserver.bench.report import Connecting, Loop, Plan, Report
from chatserver.bench.seats import CHATS_PER_AGENT, Pair, Venue, close_chats, seat_chats
from chatserver.open_files import raise_limit

SPARE_FILES = 200
TELL_SECONDS = 0.5

Advance = Callable[[str, float, float], None]  # what is done, how much of it, of how much


async def bench_own(plan: Plan, advance: Advance, *, database_url: str | None = None) -> Report:
    """Measures a private installation, which is there for the time of the run; its record is in SQLite, or in an empty
    database elsewhere.

    Raises:
        ClusterError: it does not start.
        CredentialsError, RefusedError, ConnectionError, TimeoutError: it did not let somebody in.
    """
    agents = -(-plan.chats // CHATS_PER_AGENT)
    installation = Cluster(nodes=plan.nodes, workers=plan.workers, agents=agents, database_url=database_url)
    async with installation as cluster:
        pairs = await _seat(cluster.venue, plan, advance)
        start_seconds = await cluster.restart_nodes()
        return await _measure(plan, cluster.venue, pairs, advance, cluster=cluster, start_seconds=start_seconds)


async def bench_running(plan: Plan, venue: Venue, advance: Advance) -> Report:
    """Measures an installation that runs, from outside; its chats are closed afterwards.

    Raises:
        CredentialsError, RefusedError, ConnectionError, TimeoutError: it did not let somebody in.
    """
    pairs = await _seat(venue, plan, advance)
    return await _measure(plan, venue, pairs, advance)


async def _seat(venue: Venue, plan: Plan, advance: Advance) -> list[Pair]:
    return await seat_chats(venue, plan.chats, advance=lambda done: advance("Opening chats", done, plan.chats))


async def _measure(
    plan: Plan,
    venue: Venue,
    pairs: list[Pair],
    advance: Advance,
    *,
    cluster: Cluster | None = None,
    start_seconds: float | None = None,
) -> Report:
    def probe() -> dict[str, float]:
        # Ours too: near a whole core it was the generator that was measured.
        return {**(cluster.cpu() if cluster else {}), "generator": cpu_seconds([os.getpid()])}

    crowd = Crowd(venue, pairs, size=plan.size, probe=probe)
    connecting = await _connect(crowd, cluster, advance)
    try:
        loops = await _loops(plan, crowd, advance)
    finally:
        await crowd.leave()
    if cluster is None:
        posted = [talker.posted for talker in crowd.agents]
        await close_chats(venue, pairs, posted, advance=lambda done: advance("Closing chats", done, plan.chats))
    return Report.now(plan, start_seconds=start_seconds, connecting=connecting, loops=loops)


async def _connect(crowd: Crowd, cluster: Cluster | None, advance: Advance) -> Connecting:
    cpu, rss = (cluster.cpu(), cluster.rss()) if cluster else ({}, {})
    count = len(crowd.talkers)
    seconds = await crowd.sit(advance=lambda done: advance("Connecting", done, count))
    cpu_after, rss_after = (cluster.cpu(), cluster.rss()) if cluster else ({}, {})
    return Connecting(
        connections=count,
        per_second=round(count / seconds, 1),
        cpu_ms={who: round((cpu_after[who] - before) * 1000 / count, 3) for who, before in cpu.items()},
        rss_kib={who: round((rss_after[who] - before) / count, 2) for who, before in rss.items()},
    )


async def _loops(plan: Plan, crowd: Crowd, advance: Advance) -> list[Loop]:
    loops: list[Loop] = []
    if plan.window:
        name = f"closed, {plan.window} in flight"
        async with _advancing(advance, name, plan.warm_up + plan.seconds):
            tally = await crowd.closed(window=plan.window, warm_up=plan.warm_up, seconds=plan.seconds)
        loops.append(Loop.of(name, tally))
    rate = plan.rate if plan.rate is not None else loops[0].delivered_per_second / 2 if loops else 0
    if rate:
        name = f"open, {rate:,.0f}/s"
        async with _advancing(advance, name, plan.warm_up + plan.seconds):
            tally = await crowd.open(rate=rate, warm_up=plan.warm_up, seconds=plan.seconds)
        loops.append(Loop.of(name, tally, wanted=rate))
    return loops


@contextlib.asynccontextmanager
async def _advancing(advance: Advance, what: str, seconds: float) -> AsyncIterator[None]:
    """Tells how much of the time is over: seldom, for the process that draws is the one that makes the load."""

    async def tell() -> None:
        begun = time.monotonic()
        while True:
            advance(what, min(time.monotonic() - begun, seconds), seconds)
            await asyncio.sleep(TELL_SECONDS)

    telling = asyncio.create_task(tell())
    try:
        yield
    finally:
        telling.cancel()


def allow_files(connections: int) -> bool:
    """Raises the limit of open files for so many connections here; whether that was possible."""
    return room(connections) >= connections


def room(wanted: int) -> int:
    """How many connections this process may have, of so many, after raising the limit of open files."""
    return min(wanted, raise_limit(wanted + SPARE_FILES) - SPARE_FILES)
