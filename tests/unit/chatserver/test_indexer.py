"""How often the indexer comes to a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from chatserver.worker import indexer
from chatserver.worker.indexer import CHATS_AT_ONCE, Indexer
from chatserver.worker.leases import Leases
from transcripts.search import Search

pytestmark = pytest.mark.anyio


class Record:
    """Open chats in which something is said all the time: {ticket: entries}. Indexing one takes `seconds`."""

    def __init__(self, chats: dict[int, int], seconds: float = 0.0) -> None:
        self.chats, self.seconds, self.now = chats, seconds, 1000.0
        self.indexed: list[int] = []
        self.busy = 0.0  # the persister

    def monotonic(self) -> float:
        return self.now

    async def pending(self, *, limit: int, after: int = 0) -> list[tuple[int, int]]:
        return [one for one in sorted(self.chats.items()) if one[0] > after][:limit]

    async def index(self, tickets: Sequence[int]) -> int:
        self.indexed += tickets
        self.now += self.seconds * len(tickets)
        return len(tickets)


class Held(Leases):
    """All of them."""

    def __init__(self) -> None: ...

    def held(self) -> list[int]:
        return [0]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def indexer_of(record: Record, monkeypatch: pytest.MonkeyPatch) -> Indexer:
    monkeypatch.setattr(indexer, "time", record)
    return Indexer(cast(Search, record), Held(), lambda: record.busy)


async def test_chat_rests_the_longer_the_longer_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Record({1: 100, 2: 1000})
    worker = indexer_of(record, monkeypatch)
    for _ in range(30):  # a minute
        await worker.run_once()
        record.now += 2.0
    assert record.indexed.count(1) == 30
    assert record.indexed.count(2) == 6


async def test_round_ends_when_its_time_is_over_and_the_next_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chats = {ticket: 1 for ticket in range(1, 4 * CHATS_AT_ONCE)}
    record = Record(chats, seconds=indexer.SECONDS_A_ROUND / CHATS_AT_ONCE)
    worker = indexer_of(record, monkeypatch)
    assert await worker.run_once() == CHATS_AT_ONCE
    for _ in range(3):
        await worker.run_once()
    assert record.indexed == sorted(chats)


@pytest.mark.parametrize(
    ("busy", "seconds"),
    [(0.0, indexer.SECONDS_A_ROUND), (indexer.BUSY / 2, indexer.SECONDS_A_ROUND / 2)]
    + [(busy, indexer.LEAST_SECONDS_A_ROUND) for busy in (indexer.BUSY, 1.0)],
)
async def test_less_time_the_less_the_persister_rests(
    busy: float, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = indexer.LEAST_SECONDS_A_ROUND
    record = Record(dict.fromkeys(range(1, 1000), 1), seconds=1.001 * step / CHATS_AT_ONCE)
    record.busy = busy
    await indexer_of(record, monkeypatch).run_once()
    assert len(record.indexed) == CHATS_AT_ONCE * round(seconds / step)
