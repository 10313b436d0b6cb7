"""One timer for all connections of a process: a wheel with a slot for each second of the interval."""

from __future__ import annotations

import asyncio
import random
import time

from chatserver.hub.connection import Connection
from chatserver.wire import close_codes
from chatserver.wire.frames import Ping

PING_SECONDS = 25  # below the 60 s after which proxies and home routers drop an idle connection


class Heartbeat:
    """Pings each connection once in `seconds`; ends those that have said nothing for twice that long."""

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
        turn = 0
        while True:
            await asyncio.sleep(1)
            turn += 1
            for connection in list(self._wheel[turn % self.seconds]):
                self._beat(connection)

    def _beat(self, connection: Connection) -> None:
        if time.monotonic() - connection.heard_at > 2 * self.seconds:
            connection.cut(close_codes.NO_PONG, "no sign of life")
        else:
            connection.offer_frame(Ping())
