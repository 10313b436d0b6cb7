"""One timer for all connections of a process: a wheel with a slot for each second of the interval."""

from __future__ import annotations

import asyncio
import random
import time

from chatserver.hub.connection import Connection
from chatserver.wire import close_codes
from chatserver.wire.frames import Ping

PING_SECONDS = 25  # below the 60 s after which proxies and home routers drop an idle connection
TICK_SECONDS = 1.0


class Heartbeat:
    """Pings each connection once in `seconds`; ends those that have said nothing for twice that long, and nothing to
    the last ping, which was out for all of `seconds`: a process that stood still itself has asked nobody.
    """

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        self._wheel: list[set[Connection]] = [set() for _ in range(seconds)]
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to tick."""
        self._task = asyncio.create_task(self._tick(), name="heartbeat")

    def stop(self) -> None:
        """Ends."""
        if self._task:
            self._task.cancel()

    def add(self, connection: Connection) -> None:
        """At a random second of the interval, so that not all of a herd are pinged at once."""
        connection.slot = random.randrange(self.seconds)
        self._wheel[connection.slot].add(connection)
        connection.heard_at = time.monotonic()

    def remove(self, connection: Connection) -> None:
        """It is gone."""
        self._wheel[connection.slot].discard(connection)

    async def _tick(self) -> None:
        turn, before = 0, time.monotonic()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            turn += 1
            now = time.monotonic()
            # Not judged when it was us who were away: what the peers have said may be here, unread.
            away, before = now - before > 2 * TICK_SECONDS, now
            for connection in list(self._wheel[turn % self.seconds]):
                self._beat(connection, now, away=away)

    def _beat(self, connection: Connection, now: float, *, away: bool) -> None:
        silent = (
            connection.heard_at < connection.pinged_at and now - connection.heard_at > 2 * self.seconds * TICK_SECONDS
        )
        if silent and not away:
            connection.cut(close_codes.NO_PONG, "no sign of life")
        else:
            connection.pinged_at = now
            connection.offer_frame(Ping())
