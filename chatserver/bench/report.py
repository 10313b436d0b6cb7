"""What a run has found: as JSON, and as a table."""

from __future__ import annotations

import os
import platform
import time

import msgspec
from rich.table import Table

from chatserver import __version__
from chatserver.bench.histogram import Histogram
from chatserver.bench.load import Tally

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


class Plan(msgspec.Struct, frozen=True):
    """What to run. Without a window there is no closed loop, without a rate no open one."""

    chats: int
    window: int
    rate: float | None  # messages a second; None: half of what the closed loop reached
    seconds: float
    warm_up: float
    size: int  # characters of a message
    nodes: int
    workers: int = 1  # web processes of each
    database: str | None = "SQLite"  # of the private installation


class Connecting(msgspec.Struct, frozen=True):
    """Everybody comes back: resume token, position, the chat's page."""

    connections: int
    per_second: float
    cpu_ms: dict[str, float]  # each
    rss_kib: dict[str, float]  # each, over the servers just started


class Times(msgspec.Struct, frozen=True):
    """Milliseconds, and how many there were."""

    count: int
    ms: dict[str, float]
    histogram: list[tuple[float, int]]

    @classmethod
    def of(cls, histogram: Histogram) -> Times:
        """Of what was counted."""
        found = {name: histogram.percentile(share) for name, share in SHARES.items()}
        return cls(
            histogram.count,
            {name: round(seconds * 1000, 3) for name, seconds in found.items() if seconds is not None},
            [(round(seconds * 1000, 4), count) for seconds, count in histogram],
        )


class Loop(msgspec.Struct, frozen=True):
    """A closed or an open loop."""

    name: str
    wanted_per_second: float | None
    delivered_per_second: float
    delivery: Times  # from due to received by the other side
    acks: Times  # from due to acknowledged
    durable: Times  # from acknowledged to durable
    cpu_us: dict[str, float]  # a delivered message
    undelivered: int
    errors: dict[str, int]

    @classmethod
    def of(cls, name: str, tally: Tally, *, wanted: float | None = None) -> Loop:
        """What a tally says."""
        return cls(
            name=name,
            wanted_per_second=wanted,
            delivered_per_second=round(tally.delivered / tally.seconds, 1),
            delivery=Times.of(tally.delivery),
            acks=Times.of(tally.acks),
            durable=Times.of(tally.durable),
            cpu_us={who: round(seconds * 1e6 / max(1, tally.delivered), 2) for who, seconds in tally.cpu.items()},
            undelivered=tally.undelivered,
            errors=dict(tally.errors),
        )


class Report(msgspec.Struct, frozen=True):
    """All of a run."""

    at: str
    version: str
    machine: str
    plan: Plan
    start_seconds: float | None
    connecting: Connecting
    loops: list[Loop]

    @classmethod
    def now(cls, plan: Plan, *, start_seconds: float | None, connecting: Connecting, loops: list[Loop]) -> Report:
        """Of the run that has just ended, on this machine."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        machine = f"{os.cpu_count()} CPUs, {platform.system()} {platform.release()}, Python {platform.python_version()}"
        return cls(at, __version__, machine, plan, start_seconds, connecting, loops)


def connecting_table(report: Report) -> Table:
    """What a connection takes."""
    it = report.connecting
    table = Table(title=f"{it.connections:,} connections come back")
    table.add_column("a second", justify="right")
    for who in it.cpu_ms:
        table.add_column(f"{who}\nCPU ms", justify="right")
    for who in it.rss_kib:
        table.add_column(f"{who}\nKiB", justify="right")
    each = [f"{value:.2f}" for value in (*it.cpu_ms.values(), *it.rss_kib.values())]
    table.add_row(f"{it.per_second:,.0f}", *each)
    return table


def loops_table(report: Report) -> Table:
    """A column for each loop."""
    plan, loops = report.plan, report.loops
    title = f"{plan.chats:,} chats, {plan.size} characters a message"
    table = Table(title=f"{title}, {plan.database}" if plan.database else title)
    table.add_column("")
    for loop in loops:
        table.add_column(loop.name, justify="right")
    table.add_row("messages a second", *(f"{loop.delivered_per_second:,.0f}" for loop in loops))
    for who in loops[0].cpu_us if loops else ():
        table.add_row(f"CPU µs a message, {who}", *(f"{loop.cpu_us[who]:.1f}" for loop in loops))
    for share in SHARES:
        table.add_row(f"delivered, {share}", *(_ms(loop.delivery, share) for loop in loops))
    for share in ("p50", "p99"):
        table.add_row(f"acknowledged, {share}", *(_ms(loop.acks, share) for loop in loops))
    for share in ("p50", "p99"):
        table.add_row(f"durable after that, {share}", *(_ms(loop.durable, share) for loop in loops))
    table.add_row("errors, undelivered", *(f"{sum(loop.errors.values())}, {loop.undelivered}" for loop in loops))
    return table


def _ms(times: Times, name: str) -> str:
    value = times.ms.get(name)
    return "–" if value is None else f"{value:,.2f} ms" if value < 100 else f"{value:,.0f} ms"
