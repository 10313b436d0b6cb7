"""Redis behind Sentinels: who the master is, is asked at each connect, and a failover is lived through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from chatserver.broker.keys import chat_key
from chatserver.broker.link import Link
from chatserver.errors import ConfigError
from chatserver.preflight import check_redis
from tests.support.client import PATIENCE
from tests.support.link import linked
from tests.support.log import assert_one_order, repeat, until_durable, whole_log
from tests.support.people import People, add_staff, start_talk
from tests.support.ports import free_port
from tests.support.sentinel import NAME, Watched, watched
from tests.support.server import RunningServer, wait_until
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

CHANNEL = chat_key(100_009)


@pytest.fixture(scope="module")
def pair() -> Iterator[Watched]:
    with watched() as pair:
        yield pair


async def until_ready(link: Link, *, not_in: bytes) -> None:
    await until(lambda: link.ready and link.shards[0].replid != not_in)


async def test_failover_in_order_is_followed(pair: Watched) -> None:
    check_redis(pair.url)
    subscribed: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(PATIENCE), linked(pair.url, on_subscribed=subscribed.put_nowait) as link:
        link.subscribe(CHANNEL)
        assert await subscribed.get() == CHANNEL
        await link.call(b"SET", chat_key(1), b"before")
        history = link.shards[0].replid
        await asyncio.to_thread(pair.fail_over)
        await until_ready(link, not_in=history)  # another history of the data: what was not replicated is gone
        assert await link.call(b"GET", chat_key(1)) == b"before"
        assert await subscribed.get() == CHANNEL


async def test_sentinel_that_is_away_or_hangs_is_passed_over(pair: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        port = hangs.getsockname()[1]
        url = pair.url.replace("://", f"://127.0.0.1:{free_port()},127.0.0.1:{port},")
        async with linked(url) as link:
            assert await link.call(b"PING") == b"PONG"


async def test_master_that_no_sentinel_knows_is_named(pair: Watched) -> None:
    url = pair.url.replace(NAME, "mymaster").replace("://", "://chat:hunter2@")
    with pytest.raises(ConfigError, match="mymaster") as caught:
        async with linked(url):
            pass
    assert "hunter2" not in caught.value.message
    with pytest.raises(ConfigError, match=r"CHAT_REDIS_URL.*mymaster"):
        await asyncio.to_thread(check_redis, url)
    with pytest.raises(ConfigError, match="NAME-OF-THE-MASTER"):
        await asyncio.to_thread(check_redis, "redis+sentinel://127.0.0.1:26379")


async def test_chat_goes_on_after_its_master_was_killed(pair: Watched) -> None:
    with RunningServer(env={"CHAT_REDIS_URL": pair.url}) as running:
        add_staff(running)
        async with People(running) as people:
            talk = await start_talk(people)
            first = await talk.say(2, "Before")
            await until_durable(talk.customer, talk.ticket)
            before = pair.master()
            await asyncio.to_thread(wait_until, pair.has_replica, "the other one follows")
            pair.servers[before].kill9()
            await asyncio.to_thread(pair.until_other, before)
            second, _ = await repeat(talk.customer, "post_message", ticket=talk.ticket, n=3, text="After")
            log = await whole_log(talk.agent, talk.ticket)
            assert [entry.get("text") for entry in log if entry["kind"] == "message"][-2:] == ["Before", "After"]
            assert first["entry_id"] in {entry["entry_id"] for entry in log}
            assert_one_order(log, second)
