"""Redis behind Sentinels: `redis+sentinel://user:password@host:port,host:port/NAME?db=0`, NAME being the master's.

Who the master is, is asked at each connect and kept by nobody: after a failover each connection is cut or silent, and
the next one goes to the new master. `rediss+sentinel://` is TLS to both. `sentinel_username` and `sentinel_password`
are for the Sentinels; the other parameters are those of redis-py, as in the other addresses.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from chatserver.broker.places import Place, several

PORT = 26379
PATIENCE_SECONDS = 1.0  # for one that does not answer; the next is asked

_FORM = "redis+sentinel://host:port,host:port/NAME-OF-THE-MASTER"


@dataclass(frozen=True)
class Sentinels:
    """Where they are, for which master, and how both are talked to (redis-py's options)."""

    places: tuple[Place, ...]
    master: str
    redis: Mapping[str, Any] = field(repr=False)
    own: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Sentinels | None:
        """What an address says, None if it is of another kind.

        Raises:
            ValueError: it is of this kind and says too little.
        """
        try:
            said = several(url, "sentinel", port=PORT)
        except ValueError as exc:
            raise ValueError(f"Sentinels are named as {_FORM}: {exc}") from exc
        if said is None:
            return None
        if not said.name:
            raise ValueError(f"Sentinels are named as {_FORM}")
        options, tls = said.options, said.tls
        own = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
        timeouts = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
        return cls(said.places, said.name, {**options, **tls}, {**own, **tls, **timeouts})

    async def ask(self) -> tuple[str, int]:
        """Where the master is now. They are asked in any order, so that one that hangs is not always the first.

        Raises:
            OSError: none of them knows.
        """
        sentinel = Sentinel(  # type: ignore[no-untyped-call]  # redis-py's have no types
            random.sample(self.places, len(self.places)),
            sentinel_kwargs={**self.own, "retry": Retry(NoBackoff(), 0), "protocol": 2},
        )
        try:
            host, port = await sentinel.discover_master(self.master)
        except RedisError as exc:
            raise OSError(str(exc)) from exc
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return str(host), int(port)

    def __str__(self) -> str:
        return f"{self.master} (Sentinels {', '.join(map(str, self.places))})"
