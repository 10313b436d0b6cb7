"""Says when the record falls behind the logs: SQL is away, locked or full, and what people write is in Redis only."""

from __future__ import annotations

import time

import structlog

from chatserver.broker.log import ChatLog, Undurable
from chatserver.worker.leases import Leases

EVERY_SECONDS = 2.0
AGAIN_SECONDS = 60.0

log = structlog.get_logger()


class Alarm:
    """A line when something waits for longer than it may, again each minute while it lasts, and one when it is over."""

    def __init__(self, chat_log: ChatLog, leases: Leases, *, behind_seconds: float) -> None:
        self._log, self._leases, self._limit = chat_log, leases, behind_seconds
        self._told_at: float | None = None
        self.behind = Undurable(0, 0.0)  # at the last look

    async def run_once(self) -> None:
        """One look.

        Raises:
            UnavailableError: Redis does not answer.
        """
        held = self._leases.held()  # each worker looks at its own
        if not held:
            self.behind = Undurable(0, 0.0)
            return
        behind = self.behind = await self._log.undurable(held)
        if behind.seconds < self._limit:
            if self._told_at is not None:
                self._told_at = None
                log.info("persister.caught_up", chats=behind.chats)
        elif self._told_at is None or time.monotonic() - self._told_at >= AGAIN_SECONDS:
            self._told_at = time.monotonic()
            log.error("persister.behind", chats=behind.chats, seconds=round(behind.seconds))
