"""The end of a process that has connections: they go elsewhere, spread over a time in which the others can take them.

Every client is told when to go (`bye`) and goes on working until then; one that stays is closed. What a client had
sent is answered before its connection ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Set

import structlog

from chatserver.hub.connection import Connection
from chatserver.wire import close_codes
from chatserver.wire.frames import Bye

SHORTEST_SECONDS = 2.0  # a moment without any pause is a herd
GRACE_SECONDS = 1.0  # for the way of a `bye`, and for what was sent just then
ANSWER_SECONDS = 2.0  # for commands on their way, once a connection is to end
GOODBYE_SECONDS = 1.0  # for the peers to take the close frame
SCATTER_SECONDS = 1.0  # where nobody takes over, clients come back to the next process spread over this
LOOK_SECONDS = 0.05

log = structlog.get_logger()


class Drain:
    """One process' farewell."""

    def __init__(self, connections: Set[Connection]) -> None:
        self._connections = connections
        self._leave_at: dict[Connection, float] = {}
        self._until = 0.0
        self._at_once = True
        self.begun = False  # new connections go elsewhere
        self.hurried = False

    def begin(self) -> None:
        """The process is about to end; may be called from a signal handler."""
        self.begun = True

    def hurry(self) -> None:
        """No more patience: what is there is closed now. May be called from a signal handler."""
        self.begun = self.hurried = True

    async def run(self, *, others: int, rate: float, most: float) -> None:
        """Until every connection has ended, at most a few seconds longer than `most`. `others` is how many other
        nodes may take them, each `rate` a second; with none there is nothing to wait for.
        """
        loop = asyncio.get_running_loop()
        self.begin()
        seconds, count = spread(len(self._connections), others=others, rate=rate, most=most), len(self._connections)
        self._at_once, self._until = seconds == 0, loop.time() + seconds
        log.info("drain.begun", connections=count, others=others, seconds=round(seconds, 1))
        for connection in list(self._connections):
            self.farewell(connection)
        while self._connections and not self.hurried and loop.time() < self._until + GRACE_SECONDS:
            self._close_overdue(loop.time())
            await asyncio.sleep(LOOK_SECONDS)
        left = len(self._connections)
        await self._close_all()
        log.info("drain.ended", connections=count, closed=left, cut=len(self._connections))

    def farewell(self, connection: Connection) -> None:
        """Tells a client when to go. One that has said hello and waits for its welcome gets it after that."""
        if not self.begun or not connection.welcomed or connection in self._leave_at:
            return
        now = asyncio.get_running_loop().time()
        wait = random.uniform(0, SCATTER_SECONDS if self._at_once else max(0.0, self._until - now))
        connection.offer_frame(Bye(after_ms=int(wait * 1000), reconnect=True))
        self._leave_at[connection] = now if self._at_once else now + wait + GRACE_SECONDS
        if self._at_once:
            connection.leave(close_codes.DRAIN, "shutting down")

    def _close_overdue(self, now: float) -> None:
        for connection, leave_at in list(self._leave_at.items()):
            if connection not in self._connections:
                del self._leave_at[connection]
            elif leave_at <= now:
                connection.leave(close_codes.DRAIN, "shutting down")

    async def _close_all(self) -> None:
        for connection in list(self._connections):
            connection.leave(close_codes.DRAIN, "shutting down")
        if not self.hurried:
            await self._wait(ANSWER_SECONDS, lambda connection: connection.open)
        for connection in list(self._connections):
            connection.close(close_codes.DRAIN, "shutting down")
        await self._wait(GOODBYE_SECONDS, lambda connection: True)

    async def _wait(self, seconds: float, counts: Callable[[Connection], bool]) -> None:
        for _ in range(round(seconds / LOOK_SECONDS)):
            if not any(map(counts, self._connections)):
                return
            await asyncio.sleep(LOOK_SECONDS)


def spread(connections: int, *, others: int, rate: float, most: float) -> float:
    """Over how many seconds the clients are to leave."""
    if not others:
        return 0.0
    return min(max(connections / (rate * others), SHORTEST_SECONDS), most)
