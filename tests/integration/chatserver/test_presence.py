"""Nodes and the agents connected to them, on a Valkey of their own: who is away is right in whatever order things
come in.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from chatserver.broker.keys import routing
from chatserver.broker.link import Link
from chatserver.stores.presence import Presence
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio

LONG, OVER = 300.0, 0.001  # seconds: a lease or grace that outlasts any test, and one that is over at once


@pytest.fixture(scope="module")
def valkey() -> Iterator[str]:
    with OwnValkey() as running:
        yield running.url


@pytest.fixture
async def link(valkey: str) -> AsyncIterator[Link]:
    link = Link(valkey, on_push=lambda *_: None, on_subscribed=lambda _: None)
    await link.start()
    await link.call(b"FLUSHALL")
    yield link
    await link.stop()


Node = Callable[..., Presence]


@pytest.fixture
def node(link: Link) -> Node:
    def make(*, lease: float = LONG, grace: float = LONG) -> Presence:
        return Presence(link, lease_seconds=lease, grace_seconds=grace)

    return make


async def away(link: Link) -> set[str]:
    return {agent.decode() for agent in await link.call(b"ZRANGE", routing("away"), 0, -1)}


async def now_ms(link: Link) -> int:
    """Redis' clock."""
    seconds, micros = await link.call(b"TIME")
    return int(seconds) * 1000 + int(micros) // 1000


async def own_a_chat(link: Link, agent: str) -> None:
    await link.call(b"SADD", routing(f"mine:{agent}"), 100_009)


async def test_nodes_see_each_other_until_they_leave(node: Node) -> None:
    one, other = node(), node()
    await one.report(())
    assert await one.other_nodes() == 0
    await other.report(())
    assert (await one.other_nodes(), await other.other_nodes()) == (1, 1)
    await other.leave()
    assert await one.other_nodes() == 0


async def test_a_lease_that_is_not_renewed_runs_out(node: Node, link: Link) -> None:
    one, dead = node(), node(lease=OVER)
    await one.report(())
    await dead.report(["ann"])
    await asyncio.sleep(0.01)
    assert await one.other_nodes() == 0
    assert await away(link) == set()
    assert (await one.sweep())[0] == 1
    assert await away(link) == {"ann"}
    assert (await one.sweep())[0] == 0


async def test_last_connection_begins_the_grace_and_the_next_ends_it(node: Node, link: Link) -> None:
    one = node()
    await one.report(["ann", "ben"])
    await one.report(["ben"])
    assert await away(link) == {"ann"}
    await one.report(["ann", "ben"])
    assert await away(link) == set()


@pytest.mark.parametrize("back_first", [True, False])
async def test_moving_to_another_node_in_either_order(node: Node, link: Link, back_first: bool) -> None:
    one, other = node(), node()
    await one.report(["ann"])
    await other.report(())
    steps = [(other, ["ann"]), (one, [])] if back_first else [(one, []), (other, ["ann"])]
    for presence, agents in steps:
        await presence.report(agents)
    assert await away(link) == set()


async def test_a_dead_nodes_agents_who_are_elsewhere_are_not_away(node: Node, link: Link) -> None:
    dead, other = node(lease=OVER), node()
    await dead.report(["ann", "ben"])
    await other.report(["ann"])
    await asyncio.sleep(0.01)
    await other.sweep()
    assert await away(link) == {"ben"}


async def test_late_reports_change_nothing(node: Node, link: Link) -> None:
    one, other = node(), node()
    await other.report(())
    late = node()
    late.node = one.node  # the same node, with a report that was held up on the way
    await one.report(())
    await one.report(["ann"])
    await late.report(())
    assert await away(link) == set()
    await one.leave()
    await late.report(["ann"])
    assert await other.other_nodes() == 0
    assert await away(link) == {"ann"}


async def test_grace_is_not_begun_again_by_a_second_node(node: Node, link: Link) -> None:
    one, other = node(grace=60), node(grace=120)
    await one.report(["ann"])
    await one.report(())
    ends = await link.call(b"ZSCORE", routing("away"), "ann")
    await other.report(["ann"])
    await other.report(())
    later = await link.call(b"ZSCORE", routing("away"), "ann")
    assert float(later) > float(ends)  # they had been back
    await one.report(())
    await other.sweep()
    assert await link.call(b"ZSCORE", routing("away"), "ann") == later


async def test_grace_that_runs_is_not_begun_again_when_a_dead_node_is_found(node: Node, link: Link) -> None:
    dead, one = node(lease=OVER), node(grace=60)
    await dead.report(["ann"])
    await one.report(["ann"])
    await asyncio.sleep(0.01)
    await one.report(())
    ends = await link.call(b"ZSCORE", routing("away"), "ann")
    assert (await node(grace=120).sweep())[0] == 1
    assert await link.call(b"ZSCORE", routing("away"), "ann") == ends


async def test_only_agents_with_chats_and_without_a_connection_are_due(node: Node, link: Link) -> None:
    one = node(grace=OVER)
    await own_a_chat(link, "ann")
    await own_a_chat(link, "cid")
    await one.report(["ann", "ben", "cid"])
    await one.report(["cid"])
    await asyncio.sleep(0.01)
    assert (await one.sweep())[1] == ["ann"]
    assert await away(link) == {"ann"}  # until their chats are gone; Ben has none
    await one.report(["ann", "cid"])
    assert (await one.sweep())[1] == []


async def test_while_no_node_lives_nobodys_grace_ends(node: Node, link: Link) -> None:
    brief, one = node(grace=OVER), node(grace=LONG)
    await own_a_chat(link, "ann")
    await brief.report(["ann"])
    await brief.leave()
    await asyncio.sleep(0.01)
    assert (await one.sweep())[1] == []
    await one.report(())  # the server is back, the agent's page not yet
    assert (await one.sweep())[1] == []
    assert await away(link) == {"ann"}


async def test_emptied_redis_is_right_again_after_the_next_report(node: Node, link: Link) -> None:
    one = node()
    assert not await one.report(["ann"])
    assert await one.report(["ann"])
    await link.call(b"FLUSHALL")
    assert not await one.report(["ann"])
    await one.report(())
    assert await away(link) == {"ann"}


async def test_deadlines_that_are_too_far_ahead_are_cut_to_their_own_length(node: Node, link: Link) -> None:
    """The clock has jumped back since they were set. A lease is not a grace: each shows here."""
    lease, grace, far = 60, 600, 2**50
    one = node(lease=lease, grace=grace)
    await one.report(["ann"])
    await one.report(())
    await link.call(b"ZADD", routing("nodes"), far, one.node)
    await link.call(b"ZADD", routing("away"), far, "ann")
    before = await now_ms(link)
    assert await one.sweep() == (0, [])
    after = await now_ms(link)
    for key, member, seconds in (("nodes", one.node, lease), ("away", "ann", grace)):
        ends = int(await link.call(b"ZSCORE", routing(key), member))
        assert before <= ends - seconds * 1000 <= after, key


async def test_agents_of_a_node_that_a_sweep_finds_dead_have_their_whole_grace(node: Node, link: Link) -> None:
    dead, one = node(lease=OVER), node(lease=60, grace=600)
    await dead.report(["ann"])
    await asyncio.sleep(0.01)
    before = await now_ms(link)
    assert (await one.sweep())[0] == 1
    ends = int(await link.call(b"ZSCORE", routing("away"), "ann"))
    assert before <= ends - 600_000 <= await now_ms(link)
