"""One run from the first sign-in to the report."""

from __future__ import annotations

import os
from collections.abc import Callable

from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd
from chatserver.bench.meter import cpu_seconds
from chatserver.bench.report import Connecting, Loop, Plan, Report
from chatserver.bench.seats import CHATS_PER_AGENT, Pair, Venue, close_chats, seat_chats
from chatserver.open_files import raise_limit

SPARE_FILES = 200

Advance = Callable[[str, float, float], None]  # what is done, how much of it, of how much


async def bench_own(plan: Plan, advance: Advance) -> Report:
    """Measures a private installation, which is there for the time of the run.

    Raises:
        ClusterError: it does not start.
        CredentialsError, RefusedError, ConnectionError, TimeoutError: it did not let somebody in.
    """
    agents = -(-plan.chats // CHATS_PER_AGENT)
    async with Cluster(nodes=plan.nodes, agents=agents) as cluster:
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
    advance("Connecting", 0, 1)
    connecting = await _connect(crowd, cluster)
    try:
        loops = await _loops(plan, crowd, advance)
    finally:
        await crowd.leave()
    if cluster is None:
        advance("Closing chats", 0, 1)
        await close_chats(venue, pairs, [talker.posted for talker in crowd.agents])
    return Report.now(plan, start_seconds=start_seconds, connecting=connecting, loops=loops)


async def _connect(crowd: Crowd, cluster: Cluster | None) -> Connecting:
    cpu, rss = (cluster.cpu(), cluster.rss()) if cluster else ({}, {})
    seconds, count = await crowd.sit(), len(crowd.talkers)
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
        advance(name, 0, 1)
        tally = await crowd.closed(window=plan.window, warm_up=plan.warm_up, seconds=plan.seconds)
        loops.append(Loop.of(name, tally))
    rate = plan.rate if plan.rate is not None else loops[0].delivered_per_second / 2 if loops else 0
    if rate:
        name = f"open, {rate:,.0f}/s"
        advance(name, 0, 1)
        tally = await crowd.open(rate=rate, warm_up=plan.warm_up, seconds=plan.seconds)
        loops.append(Loop.of(name, tally, wanted=rate))
    return loops


def allow_files(connections: int) -> bool:
    """Raises the limit of open files for so many connections here; whether that was possible."""
    wanted = connections + SPARE_FILES
    return raise_limit(wanted) >= wanted
