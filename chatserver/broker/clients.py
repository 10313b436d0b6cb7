"""redis-py, for everything that is not the hot path, at the same addresses as the link."""

from __future__ import annotations

from typing import Any

import redis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry as BlockingRetry
from redis.sentinel import Sentinel as BlockingSentinel

from chatserver.broker.sentinel import Sentinels


def open_redis(url: str) -> Redis:
    """For a running server. It tries once: by default it repeats a command whose reply was lost ten times, which uses
    up a pass that nobody got and counts a try twice.
    """
    once = Retry(NoBackoff(), 0)
    options: dict[str, Any] = {"retry": once, "socket_timeout": 2, "socket_connect_timeout": 2, "protocol": 2}
    known = Sentinels.of(url)
    if not known:
        return Redis.from_url(url, **options)
    own = {**known.own, "retry": once, "protocol": 2}
    sentinel = Sentinel(known.places, sentinel_kwargs=own)  # type: ignore[no-untyped-call]  # redis-py's have no types
    master: Redis = sentinel.master_for(known.master, redis_class=_BehindSentinels, **known.redis, **options)
    return master


def connect(url: str, **options: Any) -> redis.Redis:
    """For the checks at the start, which may wait.

    Raises:
        ValueError: no address.
    """
    known = Sentinels.of(url)
    if not known:
        return redis.Redis.from_url(url, **options)
    own = {**known.own, "retry": BlockingRetry(NoBackoff(), 0)}
    sentinel = BlockingSentinel(known.places, sentinel_kwargs=own)  # type: ignore[no-untyped-call]  # the same
    master: redis.Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        known.master, retry=BlockingRetry(NoBackoff(), 0), **known.redis, **options
    )
    return master


class _BehindSentinels(Redis):
    """Closes what it asked the Sentinels over, too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        for client in self.connection_pool.sentinel_manager.sentinels:  # type: ignore[attr-defined]  # SentinelConnectionPool's
            await client.aclose()
