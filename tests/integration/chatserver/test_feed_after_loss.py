"""Redis went back while people were connected: they are not told that something is durable before they are shown the
log as it is now.
"""

from __future__ import annotations

import pytest

from chatserver.broker.event import DURABLE, NOBODY, durable_event
from chatserver.hub.counters import Counters
from chatserver.hub.feed import Encoded, Feed, Reader
from chatserver.stores.chats import ChatPage
from tests.support.backstage import Backstage

pytestmark = pytest.mark.anyio


class ListeningReader(Reader):
    """Writes down what it is given."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def give(self, encoded: Encoded) -> None:
        self.told.append(chr(encoded.payload[0]))


class ListeningFeed(Feed):
    """One reader, who has seen everything that was there."""

    async def watch(self, stage: Backstage) -> list[str]:
        told: list[str] = []
        reader = ListeningReader(told)
        self.readers = {object(): reader}  # type: ignore[dict-item]  # no connection is needed here
        self.on_reset = lambda _reader, _page: told.append("reset")  # type: ignore[method-assign,assignment]
        page: ChatPage = await stage.chats.page(self.ticket)
        self.begin(page.chat.epoch, page.chat.seq, page.last_id)
        return told

    async def refilled(self) -> None:
        while self._refill:
            await self._refill


@pytest.mark.parametrize("written_since", [0, 2, 3])
async def test_durable_waits_until_readers_and_log_agree(stage: Backstage, written_since: int) -> None:
    """Whether the log has fewer entries than readers know, as many, or more."""
    ticket, customer = await stage.open()
    agent = await stage.assign(ticket)
    await stage.persist()
    copy = stage.valkey.copy()
    for n in (2, 3):
        await stage.send(customer, ticket, n, "acknowledged")
    feed = ListeningFeed(ticket, stage.chats, Counters())
    told = await feed.watch(stage)
    epoch = (await stage.live(ticket)).epoch

    stage.valkey.go_back(copy)
    for n in range(written_since):
        await stage.send(agent, ticket, n + 2, "under a number that the customer had")
    feed.refill()  # the subscription was renewed
    feed.push(bytes([DURABLE]) + NOBODY + durable_event(ticket, epoch, 3 + written_since))
    await feed.refilled()
    assert told[:1] == ["reset"]
    assert told[-1] == "D"
    feed.stop()
