"""Redis as a Cluster: chats across its shards, a shard that is away, slots that move, a primary that is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chatserver.broker.keys import PARTITIONS, chat_key, routing, secret, work_list
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.errors import ConfigError, UnavailableError
from chatserver.preflight import check_redis
from chatserver.worker import leases
from tests.support.client import PATIENCE
from tests.support.cluster import Servers, begin_move, end_move, running_cluster
from tests.support.log import assert_one_order, repeat, until_durable, until_heard, whole_log
from tests.support.people import People, Talk, add_staff, start_talk
from tests.support.ports import free_port
from tests.support.server import RunningServer, wait_until
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with running_cluster(3, replica=True) as servers:
        yield servers


@pytest.fixture(scope="module")
def running(servers: Servers) -> Iterator[RunningServer]:
    # Without the position check, which would find what is not delivered.
    with RunningServer(env={"CHAT_REDIS_URL": servers.url, "CHAT_CHECK_SECONDS": "600"}) as running:
        add_staff(running)
        yield running


async def talks(people: People, servers: Servers) -> list[Talk]:
    """A chat on each shard."""
    found: dict[int, Talk] = {}
    while len(found) < 3:
        talk = await start_talk(people)
        found.setdefault(servers.of(talk.ticket).port, talk)
    return list(found.values())


def texts(log: list[dict[str, Any]]) -> list[str]:
    """What was said after the opening."""
    return [entry["text"] for entry in log if entry["kind"] == "message"][1:]


@asynccontextmanager
async def linked(url: str) -> AsyncIterator[Link]:
    link = Link(url, on_push=lambda *_: None, on_subscribed=lambda _: None)
    await link.start()
    try:
        yield link
    finally:
        await link.stop()


async def test_replies_come_in_the_order_of_the_commands(servers: Servers) -> None:
    names = [work_list(b"tried", number) for number in range(PARTITIONS)]
    async with linked(servers.url) as link:
        assert len(link.shards) == 3
        await link.calls([(b"SET", name, name) for name in names])
        assert await link.calls([(b"GETDEL", name) for name in names]) == names


async def test_each_shard_has_a_history_of_its_own(servers: Servers) -> None:
    async with linked(servers.url) as link:
        for ticket in range(100_000, 100_010):
            with servers.redis(ticket) as redis:
                history = redis.info("replication")["master_replid"]
            assert history.startswith(ChatLog(link).replid(ticket).decode())


async def test_worker_lets_go_of_what_takes_no_writes(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_MS", 400)
    monkeypatch.setattr(leases, "MARGIN_SECONDS", 0.1)
    victim = servers.nodes[1]
    async with linked(servers.url) as link:
        mine = leases.Leases(link)
        await mine.renew()
        assert (mine.held(), mine.leads) == (list(range(PARTITIONS)), True)
        lost = {number for number in range(PARTITIONS) if servers.primary_of(work_list(b"lease", number)) is victim}
        victim.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            async with asyncio.timeout(PATIENCE):
                while set(mine.held()) != set(range(PARTITIONS)) - lost:
                    with pytest.raises(UnavailableError):
                        await mine.renew()
                    assert mine.leads
        finally:
            victim.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        await mine.renew()
        assert len(mine.held()) == PARTITIONS
        await mine.release()


async def test_whole_chats_on_all_shards(running: RunningServer, servers: Servers) -> None:
    async with People(running) as people:
        for talk in await talks(people, servers):
            said = await talk.say(2, "Hello")
            await until_durable(talk.customer, talk.ticket)
            ended = await talk.agent.call("close_chat", ticket=talk.ticket, n=2, gen=talk.gen)
            rated = await talk.customer.call("rate_chat", ticket=talk.ticket, n=3, rating=5)
            assert_one_order(await whole_log(talk.agent, talk.ticket), talk.opened, talk.taken, said, ended, rated)
            await until_durable(talk.customer, talk.ticket)
    for node in servers.primaries:
        with node.redis() as redis:
            assert "errorstat_CROSSSLOT" not in redis.info("errorstats")


async def test_shard_that_is_down_stops_its_own_chats_only(running: RunningServer, servers: Servers) -> None:
    victim = servers.nodes[1]
    assert victim not in (servers.primary_of(routing("asg")), servers.primary_of(secret("pass", "any")))
    async with People(running) as people:
        everyone = await talks(people, servers)
        hit = next(talk for talk in everyone if servers.of(talk.ticket) is victim)
        others = [talk for talk in everyone if talk is not hit]
        before = await hit.say(2, "Before")
        await until_durable(hit.customer, hit.ticket)
        victim.stop()
        undecided = await hit.customer.start("post_message", ticket=hit.ticket, n=3, text="Meanwhile")
        refused = await hit.customer.until_reply(undecided)
        assert refused["code"] == "unavailable"
        for talk in others:
            await talk.say(2, "We go on")
            await until_durable(talk.customer, talk.ticket)
        ready = await people.browser().http.get("/readyz")
        assert ready.status_code == 200
        assert str(victim.port) in ready.text
        await asyncio.to_thread(victim.start)
        after, _ = await repeat(hit.customer, "post_message", ticket=hit.ticket, n=3, text="Meanwhile")
        answer, _ = await repeat(hit.agent, "post_message", ticket=hit.ticket, n=2, text="I am here", gen=hit.gen)
        log = await whole_log(hit.agent, hit.ticket)
        assert [entry["text"] for entry in log if entry["kind"] == "message"][1:] == [
            "Before",
            "Meanwhile",
            "I am here",
        ]
        assert_one_order(log, after, answer)
        assert before["entry_id"] in {entry["entry_id"] for entry in log}
        await until_durable(hit.customer, hit.ticket)
        # Who was connected all the time has heard it, over a subscription that was made anew.
        await until_heard(hit.customer, hit.ticket, "I am here")


async def test_shard_that_takes_no_writes_holds_up_no_other(running: RunningServer, servers: Servers) -> None:
    victim = servers.nodes[1]
    async with People(running) as people:
        everyone = await talks(people, servers)
        hit = next(talk for talk in everyone if servers.of(talk.ticket) is victim)
        await hit.say(2, "Not durable yet")
        victim.ask("CONFIG", "SET", "min-replicas-to-write", 1)
        try:
            for talk in everyone:
                if talk is not hit:
                    for n in range(2, 6):
                        await talk.say(n, "We go on")
                        await until_durable(talk.customer, talk.ticket)
        finally:
            victim.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        await until_durable(hit.customer, hit.ticket)


async def test_slot_that_moves_takes_its_chats_along(running: RunningServer, servers: Servers) -> None:
    async with People(running) as people:
        talk, other = (await talks(people, servers))[:2]
        first = await talk.say(2, "Before")
        await until_durable(talk.customer, talk.ticket)
        key = chat_key(talk.ticket)
        to = next(node for node in servers.primaries if node is not servers.of(talk.ticket))
        begin_move(servers, key, to)
        await other.say(2, "We go on")
        end_move(servers, key, to)
        second, _ = await repeat(talk.agent, "post_message", ticket=talk.ticket, n=2, text="After", gen=talk.gen)
        await until_heard(talk.customer, talk.ticket, "After")
        log = await whole_log(talk.agent, talk.ticket)
        assert texts(log) == ["Before", "After"]
        assert first["entry_id"] in {entry["entry_id"] for entry in log}
        assert_one_order(log, second)
        await until_durable(talk.customer, talk.ticket)
        # Nothing is published to the others only: the subscription is where the slot is.
        await talk.answer(3, "Heard at once")
        await until_heard(talk.customer, talk.ticket, "Heard at once")


def test_address_that_is_not_of_a_cluster_or_only_of_a_part_is_refused(servers: Servers) -> None:
    node = servers.nodes[1]
    with pytest.raises(ConfigError, match=r"write CHAT_REDIS_URL=redis\+cluster://"):
        check_redis(f"redis://127.0.0.1:{node.port}")
    with (
        OwnValkey(port=str(port := free_port()), bind="127.0.0.1"),
        pytest.raises(ConfigError, match="cluster support"),
    ):
        check_redis(f"redis+cluster://127.0.0.1:{port}")
    with pytest.raises(ConfigError, match="only database 0"):
        check_redis(f"redis+cluster://127.0.0.1:{node.port}/3")
    node.ask("CONFIG", "SET", "appendonly", "no")
    try:
        with pytest.raises(ConfigError, match=f"{node.port} keeps nothing over a restart"):
            check_redis(servers.url)
    finally:
        node.ask("CONFIG", "SET", "appendonly", "yes")


async def test_chats_go_on_when_a_replica_takes_over(running: RunningServer, servers: Servers) -> None:
    """The last one: from here on the Cluster has another shape."""
    victim, successor = servers.nodes[0], servers.nodes[-1]
    async with People(running) as people:
        everyone = await talks(people, servers)
        hit = next(talk for talk in everyone if servers.of(talk.ticket) is victim)
        first = await hit.say(2, "Before")
        await until_durable(hit.customer, hit.ticket)
        victim.kill9()
        await asyncio.to_thread(wait_until, successor.is_primary, "the replica takes over")
        second, _ = await repeat(hit.customer, "post_message", ticket=hit.ticket, n=3, text="After")
        await until_heard(hit.agent, hit.ticket, "After")
        log = await whole_log(hit.agent, hit.ticket)
        assert texts(log) == ["Before", "After"]
        assert first["entry_id"] in {entry["entry_id"] for entry in log}
        assert_one_order(log, second)
        await until_durable(hit.customer, hit.ticket)
