"""Which partitions are this worker's. The first worker has them all, the next takes over what it lets go of; extra
workers are harmless.

A lease ends by Redis' clock after LEASE_MS; the holder stops using it earlier by its own, measured from before it
asked. Even a worker that was stopped in between cannot do harm: what it writes is checked against the chat's epoch
and entries in SQL.
"""

from __future__ import annotations

import time

from chatserver.broker.keys import PARTITIONS, work_list
from chatserver.broker.link import Link
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
_RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"


class Leases:
    """The partitions that this process may work on.

    With the `token` of a worker that is known to be dead, it takes over at once.
    """

    def __init__(self, link: Link, token: str | None = None) -> None:
        self._link = link
        self._token = token or new_token()
        self._until: dict[int, float] = {}

    def held(self) -> list[int]:
        """Partitions that are ours for at least a moment longer."""
        now = time.monotonic()
        return [number for number, until in self._until.items() if until > now]

    async def renew(self) -> None:
        """Keeps what is ours and takes what nobody has.

        Raises:
            UnavailableError: Redis does not answer; what we hold runs out by itself.
        """
        asked = time.monotonic()
        held = await self._link.calls(
            [(b"EVAL", _HOLD, 1, work_list(b"lease", number), self._token, LEASE_MS) for number in range(PARTITIONS)]
        )
        until = asked + LEASE_MS / 1000 - MARGIN_SECONDS
        self._until = {number: until for number, ours in enumerate(held) if ours}

    async def release(self) -> None:
        """Lets go of all, so that another worker need not wait."""
        held, self._until = list(self._until), {}
        await self._link.calls([(b"EVAL", _RELEASE, 1, work_list(b"lease", number), self._token) for number in held])
