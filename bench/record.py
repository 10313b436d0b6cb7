"""`make record-bench`: the record on SQLite and on PostgreSQL, in turn: how fast it takes entries, how fast it finds.

Both are durable: SQLite with `synchronous=FULL`, PostgreSQL (from the wheel, over a unix socket) as it is installed.
What is said is made up of 5,000 words, some of them common and most of them rare, as in life; the same on both.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.worker.persister import CHATS_AT_ONCE
from tests.support.postgres import Databases, OwnPostgres
from transcripts.database import open_database
from transcripts.entry import ChatBatch, Entry, Opening
from transcripts.migrate import upgrade
from transcripts.search import Scope, Search
from transcripts.store import Store
from transcripts.ticket import ticket_of

ENTRIES_A_CHAT = 10


@dataclass
class Speech:
    """Made-up talk: the n-th word is said about 1/n as often as the first."""

    random: random.Random = field(default_factory=lambda: random.Random(7))

    def __post_init__(self) -> None:
        syllables = [a + b for a in "bdfgklmnprstvw" for b in "aeiou"]
        self.words = list(dict.fromkeys("".join(self.random.choices(syllables, k=3)) for _ in range(6_000)))[:5_000]
        self._weights = [1 / (place + 3) for place in range(len(self.words))]
        self._lines: list[str] = []

    def line(self) -> str:
        """A message of five to twenty-five words."""
        self._lines.append(self.any(self.random.randint(5, 25)))
        return self._lines[-1]

    def any(self, count: int) -> str:
        """Words as they are said."""
        return " ".join(self.random.choices(self.words, self._weights, k=count))

    def rare(self, count: int) -> str:
        """Words that few say."""
        return " ".join(self.random.choices(self.words[1_000:], k=count))

    def said(self, count: int) -> str:
        """Words that somebody said in a row."""
        words = self.random.choice(self._lines).split()
        start = self.random.randrange(len(words) - count)
        return " ".join(words[start : start + count])


KINDS: dict[str, Callable[[Speech], str]] = {
    "one rare word": lambda speech: speech.rare(1),
    "two words": lambda speech: f"{speech.rare(1)} {speech.any(1)}",
    "eight words": lambda speech: speech.any(8),
    "a phrase": lambda speech: f'"{speech.said(2)}"',
    "a prefix": lambda speech: f"{speech.rare(1)[:4]}*",
    "a word of the agent's": lambda speech: f"from:agent {speech.any(1)}",
    "a word and a topic": lambda speech: f"topic:topic{speech.random.randrange(20)} {speech.any(1)}",
}


@dataclass
class Place:
    """A database under measurement."""

    name: str
    engine: AsyncEngine
    speech: Speech = field(default_factory=Speech)
    chats: int = 0
    seqs: dict[int, int] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, value: float) -> None:
        self.figures.setdefault(what, []).append(value)

    def open_chats(self, count: int) -> list[int]:
        """Tickets of new chats."""
        first, self.chats = self.chats, self.chats + count
        return [ticket_of(10_000 + number) for number in range(first, first + count)]

    def batch(self, ticket: int, entries: int) -> ChatBatch:
        """What a chat says next."""
        last = self.seqs.get(ticket, 0)
        self.seqs[ticket] = last + entries
        opening = Opening(customer_id=f"c{ticket % 500}", topic=f"topic{ticket % 20}") if not last else None
        made = (self._entry(ticket, seq) for seq in range(last + 1, last + entries + 1))
        return ChatBatch(ticket=ticket, epoch=1, opening=opening, entries=tuple(made))

    def _entry(self, ticket: int, seq: int) -> Entry:
        role = ("agent", "customer")[seq % 2]
        at = 1_795_000_000_000 + ticket * 1_000 + seq
        return Entry(
            **{"ticket": ticket, "seq": seq, "prev": seq - 1, "entry_id": f"{ticket}-{seq}", "at": at},
            **{"kind": "message", "audience": "all", "role": role, "participant_id": role},
            **{"name": role.title(), "text": self.speech.line(), "device": f"device-of-{role}", "n": seq},
        )


async def append(place: Place, *, transactions: int, entries: int) -> None:
    """As the persister writes: so many chats in a transaction, each with what is new of it."""
    tickets = place.open_chats(CHATS_AT_ONCE)
    store = Store(place.engine)
    await store.append([place.batch(ticket, 1) for ticket in tickets])
    rounds = [[place.batch(ticket, entries) for ticket in tickets] for _ in range(transactions)]
    began = time.perf_counter()
    for batches in rounds:
        appended = await store.append(batches)
        assert len(appended.durable) == CHATS_AT_ONCE, appended
    took = time.perf_counter() - began
    place.note(f"entries/s, {entries} a chat", transactions * CHATS_AT_ONCE * entries / took)
    place.note(f"ms a transaction, {entries} a chat", took / transactions * 1_000)


async def fill(place: Place, chats: int) -> None:
    """So many chats in all, found by the search."""
    store, search = Store(place.engine), Search(place.engine)
    while missing := max(0, chats - place.chats):
        tickets = place.open_chats(min(missing, CHATS_AT_ONCE))
        await store.append([place.batch(ticket, ENTRIES_A_CHAT) for ticket in tickets])
    began = time.perf_counter()
    done = 0
    while count := await search.index_pending():
        done += count
    place.note("chats indexed/s", done / (time.perf_counter() - began))


async def search(place: Place, queries: int) -> None:
    """Each kind of query in turn, warm."""
    search, speech = Search(place.engine), place.speech
    for kind, make in KINDS.items():
        asked = [make(speech) for _ in range(queries)]
        for query in asked[:20]:
            await search.search(query, scope=Scope.staff())
        times = []
        for query in asked:
            began = time.perf_counter()
            await search.search(query, scope=Scope.staff())
            times.append((time.perf_counter() - began) * 1_000)
        place.note(f"ms, {kind}: p50", statistics.median(times))
        place.note(f"ms, {kind}: p95", statistics.quantiles(times, n=20)[-1])


@asynccontextmanager
async def place_at(name: str, url: str) -> AsyncIterator[Place]:
    """The empty database at an address."""
    engine = open_database(url)
    await upgrade(engine)
    try:
        yield Place(name, engine)
    finally:
        await engine.dispose()


async def measure(sqlite: str, postgresql: str, *, rounds: int, chats: int, queries: int) -> None:
    """Everything, and prints the medians."""
    async with place_at("SQLite", sqlite) as first, place_at("PostgreSQL", postgresql) as second:
        places = first, second
        for _ in range(rounds):
            for place in places:
                await append(place, transactions=8, entries=1)
                await append(place, transactions=4, entries=8)
        for place in places:
            await fill(place, chats)
        for _ in range(rounds):
            for place in places:
                await search(place, queries)
        entries = sum(first.seqs.values())
        print(f"{first.chats} chats, {entries} entries; medians of {rounds} rounds\n")
        print(f"| | {' | '.join(place.name for place in places)} |\n|---|---|---|")
        for what in first.figures:
            medians = (f"{statistics.median(place.figures[what]):,.1f}" for place in places)
            print(f"| {what} | {' | '.join(medians)} |")


@contextmanager
def databases() -> Iterator[tuple[str, str]]:
    """An address of each engine."""
    durable = {"fsync": "on", "full_page_writes": "on"}
    with tempfile.TemporaryDirectory() as folder, OwnPostgres(**durable) as server:
        yield f"sqlite:///{Path(folder) / 'chat.db'}", Databases(server.url, kept=True).empty()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chats", type=int, default=2_000, help="of ten entries each")
    parser.add_argument("--queries", type=int, default=60, help="of each kind and round")
    options = parser.parse_args()
    with databases() as (sqlite, postgresql):
        asyncio.run(measure(sqlite, postgresql, **vars(options)))


if __name__ == "__main__":
    main()
