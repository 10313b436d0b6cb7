"""Waiting customers know their place, whatever happens while it is being asked for: a hub on a real Valkey, whose reads
of the waiting list are held up in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from chatserver.broker.asking import Asking, Command
from chatserver.broker.keys import routing, topic_channel
from chatserver.errors import UnavailableError
from chatserver.wire.commands import Pull
from tests.support.backstage import Backstage
from tests.support.desk import TOPIC, Desk

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk(stage: Backstage) -> AsyncIterator[Desk]:
    async with Desk(stage) as made:
        yield made


async def test_chat_that_is_listed_again_while_places_are_asked_for(desk: Desk) -> None:
    """After a FLUSHALL: the first newcomer makes us ask, and the old chat comes back just behind the question."""
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    assert await desk.attach(connection, first) == {"place": 1, "waiting": 1}
    await desk.stage.persist()
    with desk.stage.valkey.redis() as redis:
        redis.flushall()
    desk.queue.meanwhile = lambda: desk.listed(first)
    await desk.arrives()
    await peer.told(1, 2)


async def test_somebody_comes_while_the_page_is_made(desk: Desk) -> None:
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    desk.queue.meanwhile = desk.arrives
    assert await desk.attach(connection, first) == {"place": 1, "waiting": 1}
    await peer.told(1, 2)
    assert [one["op"] for one in peer.got] == ["page", "event"]


async def test_who_begins_again_misses_nothing_that_was_told_while_the_page_was_made(desk: Desk) -> None:
    """The answer to a `pull` comes between what is pushed: with an older one a client would forget what is newer."""
    ticket, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    await desk.attach(connection, ticket)
    pull = Pull(id=1, ticket=ticket, epoch=1, seq=1, entry_id="of another history")

    async def somebody_writes() -> None:
        await desk.stage.send(customer, ticket, 2, "Still there?")
        await peer.until("entry", text="Still there?")

    desk.queue.meanwhile = somebody_writes
    with pytest.raises(UnavailableError):
        await desk.hub.pull(connection, pull)
    page = await desk.hub.pull(connection, pull)
    assert page.reset
    assert page.top == desk.hub.read_to(connection, ticket)


async def test_page_comes_before_what_is_newer(desk: Desk) -> None:
    """Also if it is made so slowly that the others have long been told."""
    first, customer = await desk.arrives()
    slow, peer = desk.customer(customer)
    quick, other = desk.customer(customer)
    await desk.attach(quick, first)

    async def others_are_told() -> None:
        await desk.arrives()
        await other.told(1, 2)

    desk.queue.meanwhile = others_are_told
    assert await desk.attach(slow, first) == {"place": 1, "waiting": 1}
    await peer.told(1, 2)
    assert [one["op"] for one in peer.got] == ["page", "event"]


async def test_second_device_that_knows_more_does_not_silence_the_first(desk: Desk) -> None:
    first, customer = await desk.arrives()
    early, peer = desk.customer(customer)
    await desk.attach(early, first)
    await desk.arrives()
    late, _ = desk.customer(customer)
    assert await desk.attach(late, first) == {"place": 1, "waiting": 2}
    await peer.told(1, 2)


async def test_places_are_asked_for_again_after_redis_did_not_answer(desk: Desk) -> None:
    first, customer = await desk.arrives()
    connection, peer = desk.customer(customer)
    await desk.attach(connection, first)
    asked = 0

    async def no_answer() -> None:
        nonlocal asked
        asked += 1
        if asked < 3:
            desk.queue.meanwhile = no_answer
        raise UnavailableError

    desk.queue.meanwhile = no_answer
    await desk.arrives()
    await peer.told(1, 2)
    assert asked == 3


async def test_nobody_asks_for_a_chat_that_was_taken(desk: Desk) -> None:
    """Not with every move of the list: it is told again when it is on it again."""
    taken, customer = await desk.arrives()
    connection, _ = desk.customer(customer)
    await desk.attach(connection, taken)
    waits, other = await desk.arrives()
    connection, told = desk.customer(other)
    await desk.attach(connection, waits)
    gen = await desk.queue.take(taken, department="support", agent_id="ann", agent_name="Ann", gen=0)
    await desk.stage.assign(taken, gen=gen)
    await told.told(1, 1)
    await desk.arrives()
    await told.told(1, 2)
    assert desk.queue.asked == (waits,)


async def test_who_is_far_back_is_told_what_is_noticeable(desk: Desk) -> None:
    ahead = range(1, 31)
    with desk.stage.valkey.redis() as redis:
        redis.zadd(routing("wait:support"), dict.fromkeys(map(str, ahead), 0))
        ticket, customer = await desk.arrives()
        connection, peer = desk.customer(customer)
        assert await desk.attach(connection, ticket) == {"place": 31, "waiting": 31}
        for served, told in ((1, None), (2, None), (4, 27), (5, None), (20, 11), (21, 10)):
            redis.zrem(routing("wait:support"), *ahead[:served])
            redis.zadd(routing("wait:support"), dict.fromkeys((str(-one) for one in range(served)), 9e15))
            looked = asyncio.Event()

            async def seen(looked: asyncio.Event = looked) -> None:
                looked.set()

            desk.queue.meanwhile = seen
            desk.hub.subscribed(topic_channel(TOPIC))  # as good a reason to look as an event
            await looked.wait()
            if told:
                await peer.told(told, 31)
        assert [one["place"] for one in peer.got if one["op"] == "event"] == [27, 11, 10]


async def test_places_of_many_are_asked_for_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [*range(1, 1_201)]
    with desk.stage.valkey.redis() as redis:
        redis.zadd(routing("wait:support"), {str(one): one for one in many})
    calls, ways = desk.link.calls, 0

    async def counting(commands: Sequence[Command]) -> list[Any]:
        nonlocal ways
        ways += 1
        return await calls(commands)

    monkeypatch.setattr(desk.link, "calls", counting)
    monkeypatch.delattr(Asking, "call")
    found, waiting = await desk.queue.places("support", [*many, 9_999])
    assert found == {one: one for one in many}
    assert waiting == len(many)
    assert ways == 3
