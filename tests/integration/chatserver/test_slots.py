"""Every command and script stays in one slot, by a Redis that refuses anything else: a Cluster of one server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.log import assert_one_order, until_durable, whole_log
from tests.support.people import People, add_staff, start_talk
from tests.support.ports import free_port
from tests.support.server import RunningServer, wait_until
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio


@pytest.fixture
def cluster() -> Iterator[OwnValkey]:
    ports = {"port": str(free_port()), "cluster_port": str(free_port()), "bind": "127.0.0.1"}
    with OwnValkey(cluster_enabled="yes", **ports) as own, own.redis() as redis:
        redis.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)
        wait_until(lambda: redis.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "it has its slots")
        yield own


async def test_whole_chat(cluster: OwnValkey) -> None:
    with RunningServer(env={"CHAT_REDIS_URL": cluster.url}) as running:
        add_staff(running)
        async with People(running) as people:
            talk = await start_talk(people)
            said = await talk.say(2, "Hello")
            await until_durable(talk.customer, talk.ticket)
            ended = await talk.agent.call("close_chat", ticket=talk.ticket, n=2, gen=talk.gen)
            rated = await talk.customer.call("rate_chat", ticket=talk.ticket, n=3, rating=5)
            assert_one_order(await whole_log(talk.agent, talk.ticket), talk.opened, talk.taken, said, ended, rated)
            await until_durable(talk.customer, talk.ticket)
    with cluster.redis() as redis:
        assert not {"errorstat_CROSSSLOT", "errorstat_MOVED"} & redis.info("errorstats").keys()
