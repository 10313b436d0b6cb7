"""The link to Redis when Redis hangs, is slow, is lost on the way, or asks for a password and TLS."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatserver.broker.breaker import PROBE_SECONDS, STALL_SECONDS
from chatserver.broker.link import Link
from chatserver.broker.wire import LOOK_SECONDS, SILENT_SECONDS
from chatserver.errors import UnavailableError
from tests.support.client import PATIENCE
from tests.support.link import linked
from tests.support.redis_proxy import RedisProxy
from tests.support.valkey import OwnValkey
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def until_refused(link: Link) -> UnavailableError:
    """Asks on and on without waiting for replies; the refusal that comes at once."""
    waiting: list[asyncio.Task[Any]] = []
    try:
        while True:
            asked = asyncio.create_task(link.call(b"GET", b"some"))
            waiting.append(asked)
            await asyncio.sleep(0.05)
            if asked.done() and (error := asked.exception()):
                assert isinstance(error, UnavailableError)
                return error
    finally:
        for task in waiting:
            task.cancel()


async def until_ready(link: Link, *, ready: bool = True) -> None:
    await until(lambda: link.ready is ready)


async def test_hanging_redis_opens_the_breaker_before_the_connection_is_given_up(proxy: RedisProxy) -> None:
    async with linked(proxy.url) as link:
        await link.call(b"SET", b"some", b"thing")
        with capture_logs() as logs:
            began = time.monotonic()
            proxy.hang()
            async with asyncio.timeout(PATIENCE):
                error = await until_refused(link)
            assert time.monotonic() - began >= STALL_SECONDS  # not at the first hiccup
            assert 500 <= error.details["retry_after_ms"] <= 1500
            assert not link.ready
            # At once from now on: thousands are answered in the time that one would have waited.
            refused = await asyncio.gather(*(link.call(b"GET", b"some") for _ in range(5_000)), return_exceptions=True)
            assert {type(one) for one in refused} == {UnavailableError}
            waits = {one.details["retry_after_ms"] for one in refused if isinstance(one, UnavailableError)}
            assert len(waits) > 500  # whoever was refused does not come back together
            proxy.go_on()
            await until_ready(link)
            assert await link.call(b"GET", b"some") == b"thing"
        said = [line["event"] for line in logs if line["event"].startswith("redis.")]
        assert said in (["redis.slow", "redis.back"], ["redis.slow", "redis.lost", "redis.back"])  # once each


async def test_what_was_sent_before_it_hung_is_answered_when_it_goes_on(proxy: RedisProxy) -> None:
    async with linked(proxy.url) as link:
        proxy.hang()
        early = asyncio.create_task(link.call(b"INCR", b"early"))
        async with asyncio.timeout(PATIENCE):
            await until_refused(link)
        proxy.go_on()
        assert await early == 1
        await until_ready(link)


async def test_half_open_connection_is_given_up_and_made_anew(proxy: RedisProxy) -> None:
    async with linked(proxy.url) as link:
        proxy.hang()
        async with asyncio.timeout(PATIENCE + SILENT_SECONDS):
            with pytest.raises(UnavailableError) as caught:
                await link.call(b"INCR", b"given-up")
        assert caught.value.details["retry_after_ms"] >= 500
        proxy.go_on()
        await until_ready(link)
        assert await link.call(b"PING") == b"PONG"


async def test_slow_redis_stays_shut_out_until_it_answers_quickly(own_valkey: OwnValkey, proxy: RedisProxy) -> None:
    """It answers one thing after the other, each too late: half-open until a probe comes back in time."""
    async with linked(proxy.url) as link:
        proxy.hang()
        async with asyncio.timeout(PATIENCE):
            await until_refused(link)
        for _ in range(3):  # answers what it has, and hangs again
            proxy.go_on()
            await asyncio.sleep(0)
            proxy.hang()
            await asyncio.sleep(PROBE_SECONDS + LOOK_SECONDS)
            assert not link.ready
        proxy.go_on()
        await until_ready(link)


async def test_paused_process_does_not_blame_redis(own_valkey: OwnValkey) -> None:
    """We were away ourselves (SIGSTOP, a blocked loop) while a command waited to be sent: nobody is refused."""
    async with linked(own_valkey.url) as link:
        with capture_logs() as logs:
            asked = asyncio.create_task(link.call(b"ECHO", b"here"))
            await asyncio.sleep(0)
            time.sleep(STALL_SECONDS + 4 * LOOK_SECONDS)  # noqa: ASYNC251  # that is what is tested
            assert await asked == b"here"
            for _ in range(10):
                assert await link.call(b"ECHO", b"still") == b"still"
                await asyncio.sleep(LOOK_SECONDS / 4)
        assert not logs


async def test_every_subscription_is_made_anew(proxy: RedisProxy) -> None:
    """In batches: more than one command takes."""
    confirmed: asyncio.Queue[bytes] = asyncio.Queue()
    channels = {b"chat:{p%02d}:%d" % (number % 2, number) for number in range(1_300)}
    async with linked(proxy.url, on_subscribed=confirmed.put_nowait) as link, asyncio.timeout(PATIENCE):
        for channel in channels:
            link.subscribe(channel)
        assert {await confirmed.get() for _ in channels} == channels
        proxy.cut()
        assert {await confirmed.get() for _ in channels} == channels
        assert confirmed.empty()


async def test_lost_reply_is_not_asked_for_again(own_valkey: OwnValkey, proxy: RedisProxy) -> None:
    async with linked(proxy.url) as link:
        proxy.lose_reply(1)
        with pytest.raises(UnavailableError):
            await link.call(b"INCR", b"counter")
        assert proxy.lost == (b"INCR", b"counter")
        await until_ready(link)
        assert await link.call(b"GET", b"counter") == b"1"


async def test_redis_that_became_a_replica_is_left(own_valkey: OwnValkey, proxy: RedisProxy) -> None:
    """After a failover the same address leads elsewhere, for who connects anew."""
    async with linked(proxy.url) as link:
        first = proxy.connections
        assert first == 2
        with own_valkey.redis() as redis:
            redis.replicaof("127.0.0.1", 1)
            with pytest.raises(UnavailableError):
                await link.call(b"SET", b"some", b"thing")
            await until_ready(link, ready=False)
            redis.replicaof("NO", "ONE")
        await until_ready(link)
        await link.call(b"SET", b"some", b"thing")
