"""What watchers of a topic are told: one snapshot, then each later event, however the two overtake each other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial, partialmethod
from typing import Any

import pytest

from chatserver.broker.keys import topic_channel
from chatserver.errors import UnavailableError
from chatserver.wire.codec import CODECS, Codec
from chatserver.wire.frames import Snapshot
from tests.support.backstage import Backstage
from tests.support.client import JSON, MSGPACK
from tests.support.desk import TOPIC, Desk, Peer
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(stage: Backstage) -> AsyncIterator[Desk]:
    async with Desk(stage) as made:
        yield made


async def arrives_unheard(desk: Desk) -> None:
    """A chat is listed; its event has come, and lies with those withheld."""
    ticket, _ = await desk.stage.open()
    desk.withheld = []
    await desk.waiting.agree(ticket)
    await until(lambda: desk.withheld)


def told(peer: Peer) -> list[tuple[str, int]]:
    """Snapshots and events with their versions."""
    return [(one["op"], one["version"]) for one in peer.got]


async def test_event_that_the_snapshot_knows_of_is_no_loss(desk: Desk) -> None:
    """It comes on another connection than the snapshot, and later."""
    desk.hub.unwatch(desk.supervisor, TOPIC)
    first, second = Peer(), Peer()
    desk.queue.before_snapshot = lambda: arrives_unheard(desk)
    made = desk.queue.snapshots
    await desk.hub.watch(desk.staff(first), TOPIC, id=1)
    await desk.hub.watch(desk.staff(second), TOPIC, id=1)
    desk.hand_on()
    ticket, _ = await desk.stage.open()
    await desk.waiting.agree(ticket)
    for peer in (first, second):
        await peer.until("event", type="queued", version=2)
        assert told(peer) == [("snapshot", 1), ("event", 2)]
    assert desk.queue.snapshots == made + 2


async def test_who_comes_later_is_not_told_what_the_snapshot_knows(desk: Desk) -> None:
    await desk.arrives()
    second = Peer()
    desk.queue.before_snapshot = lambda: arrives_unheard(desk)
    await desk.hub.watch(desk.staff(second), TOPIC, id=1)
    desk.hand_on()
    await desk.screen.until("event", type="queued", version=2)
    await desk.arrives()
    await second.until("event", type="queued", version=3)
    assert told(second) == [("snapshot", 2), ("event", 3)]


async def test_lost_event_makes_everybody_begin_again(desk: Desk) -> None:
    await desk.arrives()
    await arrives_unheard(desk)
    desk.withheld = []
    desk.hand_on()
    ticket, _ = await desk.stage.open()
    await desk.waiting.agree(ticket)
    await desk.screen.until("snapshot", version=3)


async def test_versions_that_go_back_make_everybody_begin_again(desk: Desk) -> None:
    await desk.arrives()
    await desk.arrives()
    with desk.stage.valkey.redis() as redis:
        redis.flushall()
    ticket, _ = await desk.stage.open()
    await desk.waiting.agree(ticket)
    await desk.screen.until("snapshot", version=1)


async def test_one_snapshot_for_all_who_begin_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a chat that comes while it is made is news to each of them, once and after it."""
    watchers = [(Peer(), subprotocol) for subprotocol in (JSON, MSGPACK) for _ in range(5)]
    for peer, subprotocol in watchers:
        await desk.hub.watch(desk.staff(peer, subprotocol), TOPIC, id=1)
    gone, encoded = Peer(), 0
    leaves = desk.staff(gone)
    await desk.hub.watch(leaves, TOPIC, id=1)

    def counting(encode: Callable[[Codec, Any], bytes], codec: Codec, frame: Any) -> bytes:
        nonlocal encoded
        encoded += isinstance(frame, Snapshot)
        return encode(codec, frame)

    for kind in map(type, CODECS.values()):
        monkeypatch.setattr(kind, "encode", partialmethod(partial(counting, kind.encode)))

    async def no_answer() -> None:
        desk.queue.after_snapshot = meanwhile
        raise UnavailableError

    async def meanwhile() -> None:
        heard = desk.withheld = []
        ticket, _ = await desk.stage.open()
        await desk.waiting.agree(ticket)
        await until(lambda: heard)
        desk.hand_on()
        desk.hub.unwatch(leaves, TOPIC)

    made, desk.queue.before_snapshot = desk.queue.snapshots, no_answer
    desk.hub.subscribed(topic_channel(TOPIC))
    for peer, _ in watchers:
        await peer.until("event", type="queued", version=1)
        assert told(peer) == [("snapshot", 0), ("snapshot", 0), ("event", 1)]
    assert told(gone) == [("snapshot", 0)]
    assert desk.queue.snapshots == made + 1
    assert encoded == len(CODECS)


async def test_subscription_that_is_renewed_once_more_while_the_snapshot_is_made(desk: Desk) -> None:
    async def renewed() -> None:
        desk.hub.subscribed(topic_channel(TOPIC))

    made, desk.queue.after_snapshot = desk.queue.snapshots, renewed
    await renewed()
    await desk.screen.until("snapshot", id=None)
    assert told(desk.screen) == [("snapshot", 0), ("snapshot", 0)]
    assert desk.queue.snapshots == made + 2
