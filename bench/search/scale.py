"""`make search-bench`: the search over a million entries, on both engines: how long by kind of query, how fast it takes
chats in, how large the index is, and what ten times the chats cost.

The records are kept in a folder, so that a second run measures at once. Filling them takes some minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from bench.search.places import Filled, databases, fill, sizes, version, warm
from bench.search.talk import AGENTS, COMMON, ENTRIES_A_CHAT, TOPICS, Talk
from transcripts.database import open_database
from transcripts.migrate import upgrade
from transcripts.search import Scope, Search

Make = Callable[[Talk], str]

SELECTIVE: dict[str, Make] = {
    "one rare word": lambda talk: talk.random.choice(talk.tail),
    "three rare words": lambda talk: " ".join(talk.random.choices(talk.tail, k=3)),
    "an order number": lambda talk: talk.order(),
    "a part of a number": lambda talk: talk.order()[4:11],
    "a word with a slip": lambda talk: _slipped(talk),
}

BROAD: dict[str, Make] = {
    "a rare and a common word": lambda talk: f"{talk.random.choice(talk.tail)} {talk.any(1)[0]}",
    "eight words as they are said": lambda talk: " ".join(talk.any(8)),
    "a vague question, eight common words": lambda talk: " ".join(talk.random.choices(COMMON, k=8)),
    "one common word": lambda talk: talk.random.choice(COMMON),
    "a name": lambda talk: talk.person(),
    "a phrase of any words": lambda talk: f'"{" ".join(talk.any(2))}"',
    "a phrase of common words": lambda talk: f'"{" ".join(talk.random.choices(COMMON, k=2))}"',
    "a phrase of three common words": lambda talk: f'"{" ".join(talk.random.choices(COMMON, k=3))}"',
    "a prefix": lambda talk: f"{talk.random.choice(talk.tail)[:3]}*",
    "a word without another": lambda talk: f"{talk.any(1)[0]} -{talk.any(1)[0]}",
    "what the agent said": lambda talk: f"from:agent {talk.any(1)[0]}",
    "a word, an agent, a topic": lambda talk: (
        f'agent:"{talk.random.choice(AGENTS)}" topic:"{talk.random.choice(TOPICS)}" {talk.any(1)[0]}'
    ),
    "a word in a month": lambda talk: f"on:2024-0{talk.random.randint(1, 9)} {talk.any(1)[0]}",
    "filters alone": lambda talk: f'agent:"{talk.random.choice(AGENTS)}" after:2024-03',
}


def _slipped(talk: Talk) -> str:
    word = max(talk.random.choices(talk.tail, k=3), key=len)
    at = talk.random.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


@dataclass
class Place:
    """A record under measurement."""

    engine: str
    version: str
    database: AsyncEngine
    search: Search
    chats: int
    bytes: tuple[int, int]
    filled: Filled
    times: dict[str, list[float]] = field(default_factory=dict)


async def ask(place: Place, kind: str, make: Make, count: int, *, facets: bool) -> None:
    """So many different queries of a kind, after as many that warm up."""
    talk, scope = Talk(seed=count), Scope.staff()
    queries = [make(talk) for _ in range(2 * count)]
    times = []
    for query in queries:
        began = time.perf_counter()
        await place.search.search(query, scope=scope, facets=facets)
        times.append((time.perf_counter() - began) * 1_000)
    place.times.setdefault(kind, []).extend(times[count:])


def p95(times: list[float]) -> float:
    """The time that one in twenty takes longer than."""
    return statistics.quantiles(times, n=20)[-1]


async def prepare(name: str, urls: dict[str, str], chats: int, engines: str) -> list[Place]:
    """The record of that size on each engine asked for."""
    places = []
    for engine_name, url in urls.items():
        if engines not in (engine_name, "both"):
            continue
        engine = open_database(url, statement_ms=600_000)
        await upgrade(engine)
        progress = _Progress(f"{name} {engine_name}")
        filled = await fill(engine, chats, progress.tell)
        running = await version(engine)
        places.append(Place(engine_name, running, engine, Search(engine), chats, await sizes(engine), filled))
    return places


class _Progress:
    def __init__(self, name: str) -> None:
        self._name, self._told = name, time.monotonic()

    def tell(self, what: str, count: int) -> None:
        if time.monotonic() - self._told > 5:
            self._told = time.monotonic()
            print(f"{self._name}: {count:,} {what}", file=sys.stderr, flush=True)


def report(places: list[Place]) -> str:
    """Tables, as Markdown."""
    today = datetime.now(UTC).date().isoformat()
    versions = ", ".join(dict.fromkeys(f"{place.engine} {place.version}" for place in places))
    lines = [f"{today}, {versions}, Python {platform.python_version()}, {os.cpu_count()} cores", ""]
    for place in places:
        whole, index = place.bytes
        rates = (
            ("entries written/s", place.filled.entries_per_second),
            ("chats indexed/s", place.filled.chats_indexed_per_second),
        )
        told = "".join(f", {value:,.0f} {what}" for what, value in rates if value)
        share = f"search {index / 1e6:,.0f} MB ({index / place.chats / ENTRIES_A_CHAT:,.0f} B an entry)"
        lines.append(
            f"- {place.engine}, {place.chats:,} chats, {place.chats * ENTRIES_A_CHAT:,} entries: "
            f"{whole / 1e6:,.0f} MB, of these {share}{told}"
        )
    names = [f"{place.engine} {place.chats:,}" for place in places]
    lines += ["", f"| ms, p50 · p95 | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for kind in places[0].times:
        cells = (f"{statistics.median(place.times[kind]):.1f} · {p95(place.times[kind]):.1f}" for place in places)
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    every = (p95([one for times in place.times.values() for one in times]) for place in places)
    lines.append(f"| all kinds: p95 | {' | '.join(f'{value:.1f}' for value in every)} |")
    return "\n".join([*lines, *growth(places)])


def growth(places: list[Place]) -> list[str]:
    """What ten times the chats cost, on each engine: the medians of selective queries."""
    lines = [""]
    for engine in dict.fromkeys(place.engine for place in places):
        small, *large = [place for place in places if place.engine == engine]
        kinds = [kind for kind in SELECTIVE if kind in small.times]
        if not large or not kinds:
            continue
        medians = [[statistics.median(place.times[kind]) for kind in kinds] for place in (small, large[-1])]
        ratios = [after / before for before, after in zip(*medians, strict=True)]
        worst = kinds[ratios.index(max(ratios))]
        lines.append(
            f"- {engine}, ten times the chats, selective queries: {sum(medians[1]) / sum(medians[0]):.2f} times "
            f"as long (p50), at most {max(ratios):.2f} times ({worst})"
        )
    return lines


async def measure(
    folder: Path, chats: int, queries: int, *, records: str, engines: str, kinds: str, only_fill: bool, facets: bool
) -> list[Place]:
    """A tenth of the chats, and all of them."""
    places: list[Place] = []
    sizes_of = {name: count for name, count in (("tenth", chats // 10), ("whole", chats)) if records in (name, "both")}
    with databases(folder, list(sizes_of)) as addresses:
        for name, count in sizes_of.items():
            places += await prepare(name, addresses[name], count, engines)
        warm(folder)
        asked = {kind: make for kind, make in {**SELECTIVE, **BROAD}.items() if re.search(kinds, kind)}
        for kind, make in () if only_fill else asked.items():
            for place in places:
                await ask(place, kind, make, queries, facets=facets)
        for place in places:
            await place.database.dispose()
    return places


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("search-bench"), help="where the records are kept")
    parser.add_argument("--chats", type=int, default=100_000, help="of ten entries each")
    parser.add_argument("--queries", type=int, default=40, help="measured of each kind")
    parser.add_argument("--records", choices=("both", "tenth", "whole"), default="both")
    parser.add_argument("--engines", choices=("both", "SQLite", "PostgreSQL"), default="both")
    parser.add_argument("--kinds", default="", help="a regular expression: only the kinds of query it is found in")
    parser.add_argument("--facets", action="store_true", help="count topics, agents and months with each query")
    parser.add_argument("--only-fill", action="store_true", help="make the records and measure nothing")
    options = vars(parser.parse_args())
    folder, chats, queries = (options.pop(name) for name in ("folder", "chats", "queries"))
    places = asyncio.run(measure(folder.absolute(), chats, queries, **options))
    if not options["only_fill"]:
        print(report(places))


if __name__ == "__main__":
    main()
