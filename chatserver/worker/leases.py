"""Which partitions are this worker's. The first worker has them all, the next takes over what it lets go of; extra
workers are harmless.

A lease ends by Redis' clock after LEASE_MS; the holder stops using it earlier by its own, measured from before it
asked. A shard of Redis that is away, or takes no writes, has no holders, and the work on the others goes on. Even a
worker that was stopped in between cannot do harm: what it writes is checked against the chat's epoch and entries in
SQL.
"""

from __future__ import annotations

import time

from chatserver.broker.keys import PARTITIONS, routing, work_list
from chatserver.broker.link import Link
from chatserver.errors import UnavailableError
from chatserver.ids import new_token

LEASE_MS = 3_000  # so long nothing becomes durable when a worker was killed and another one takes over
RENEW_SECONDS = 0.75
MARGIN_SECONDS = 0.5

_HOLD = b"""#!lua flags=allow-oom
local holder = redis.call('GET', KEYS[1])
-- What is left of a lease is never more than a whole one, unless the clock has jumped back: then it is void.
if holder and holder ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_NAMES = (*(work_list(b"lease", number) for number in range(PARTITIONS)), routing("lease"))
_RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"


class Leases:
    """The partitions that this process may work on, and whether it does what one worker does for all.

    With the `token` of a worker that is known to be dead, it takes over at once.
    """

    def __init__(self, link: Link, token: str | None = None) -> None:
        self._link = link
        self._token = token or new_token()
        self._until: dict[bytes, float] = {}  # by the name of the lease

    def held(self) -> list[int]:
        """Partitions that are ours for at least a moment longer, and whose Redis answers."""
        return [number for number in range(PARTITIONS) if self._holds(_NAMES[number])]

    @property
    def leads(self) -> bool:
        """Whether the routing slot, and whatever else has no partition, is ours for at least a moment longer."""
        return self._holds(_NAMES[PARTITIONS])

    async def renew(self) -> None:
        """Keeps what is ours and takes what nobody has.

        Raises:
            UnavailableError: a part of Redis does not answer; what we hold there runs out by itself.
        """
        asked = time.monotonic()
        found = await self._link.tries([(b"EVAL", _HOLD, 1, name, self._token, LEASE_MS) for name in _NAMES])
        until = asked + LEASE_MS / 1000 - MARGIN_SECONDS
        refused: list[UnavailableError] = []
        for name, ours in zip(_NAMES, found, strict=True):
            if isinstance(ours, UnavailableError):
                refused.append(ours)
            else:
                self._until[name] = until if ours else 0.0
        if refused:
            raise refused[0]

    async def release(self) -> None:
        """Lets go of all, so that another worker need not wait."""
        held, self._until = list(self._until), {}
        await self._link.calls([(b"EVAL", _RELEASE, 1, name, self._token) for name in held])

    def _holds(self, name: bytes) -> bool:
        return self._until.get(name, 0.0) > time.monotonic() and self._link.shard(name).ready
