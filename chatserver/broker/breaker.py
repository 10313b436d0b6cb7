"""A circuit breaker: while Redis does not answer, commands are refused at once instead of piling up in front of it.

    closed     commands go through
    open       the oldest command has waited for STALL_SECONDS, or there is no connection: new ones are refused
    half-open  Redis has answered what waited; a PING has to come back quickly before commands go through again

What was sent before it opened is not touched: it is answered late, or refused when the connection is given up.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import structlog

from chatserver.errors import UnavailableError

STALL_SECONDS = 1.5  # an fsync on a busy disk takes tenths of a second; clients' patience ends after seconds
PROBE_SECONDS = 0.5
PROBE_PAUSE_SECONDS = 0.2

log = structlog.get_logger()


class Breaker:
    """The breaker of one connection.

    Args:
        name: the connection's, for the log.
        ping: sends a PING past the breaker and calls back with its reply.
    """

    def __init__(self, name: str, ping: Callable[[Callable[[Any], None]], None]) -> None:
        self.closed = False
        self._name, self._ping = name, ping
        self._connected = self._slow = False
        self._opened_at: float | None = None

    def connected(self) -> None:
        """A new connection has answered its greeting: that was the probe."""
        self._connected, self._slow = True, False
        self._close()

    def lost(self) -> None:
        """The connection is gone."""
        self._connected = False
        self._open()

    def look(self, waited: float, waiting: int) -> None:
        """Opens when the oldest of the waiting commands has waited for too long (seconds)."""
        if self.closed and waited > STALL_SECONDS:
            log.warning("redis.slow", link=self._name, seconds=round(waited, 1), waiting=waiting)
            self._slow = True
            self._open()
            self._probe()

    def refusal(self) -> UnavailableError:
        """What a command is refused with."""
        age = 0.0 if self._opened_at is None else asyncio.get_running_loop().time() - self._opened_at
        return unavailable(age)

    def _open(self) -> None:
        self.closed = False
        if self._opened_at is None:
            self._opened_at = asyncio.get_running_loop().time()

    def _close(self) -> None:
        if self._opened_at is not None:
            seconds = asyncio.get_running_loop().time() - self._opened_at
            log.info("redis.back", link=self._name, seconds=round(seconds, 1))
        self.closed, self._opened_at, self._slow = True, None, False

    def _probe(self) -> None:
        """The first one waits behind all that Redis owes us, so it has to be repeated before it says anything."""
        if not (self._connected and self._slow):
            return
        loop = asyncio.get_running_loop()
        asked = loop.time()

        def replied(reply: Any) -> None:
            if isinstance(reply, UnavailableError) or not (self._connected and self._slow):
                return  # the next connection decides
            if loop.time() - asked <= PROBE_SECONDS:
                self._close()  # even if it was an error: Redis speaks
            else:
                loop.call_later(PROBE_PAUSE_SECONDS, self._probe)

        self._ping(replied)


def unavailable(age: float = 0.0) -> UnavailableError:
    """Undecided, ask again: at random, so that not everybody who was refused comes back in the same moment.

    Args:
        age: for how long (seconds) nothing has worked; the longer, the later (up to 4.5 s).
    """
    return UnavailableError(retry_after_ms=round(1_000 * random.uniform(0.5, 1.5) * min(3.0, max(1.0, age / 5))))
