"""Makes what is said in open chats findable, within a few seconds and at a cost that has a bound.

What is new is analysed once; the chat's terms are then put into the index as a whole, which a long chat has many of. So
a chat rests the longer, the longer it is, and all together get a tenth of the time, and less of it the less the
persister rests: when more is said than that, search is behind, and nothing else. What has ended is the finaliser's to
index.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatserver.worker.leases import Leases
from transcripts.search import Search

EVERY_SECONDS = 2.0
SECONDS_A_ROUND = 0.2
LEAST_SECONDS_A_ROUND = 0.02
BUSY = 0.5  # a persister that works for half of the time gets the rest of it, too
CHATS_AT_ONCE = 10  # in one transaction: the persister waits for it, and a round ends between two
REST_SECONDS_AN_ENTRY = 0.01  # a chat of 1,000 entries that goes on and on is indexed every 10 s


class Indexer:
    """The worker's share of the search. More than one at a time does no harm.

    `busy` says for what part of the time the persister works. What people say has to be on disk before it is found.
    """

    def __init__(self, search: Search, leases: Leases, busy: Callable[[], float] = lambda: 0.0) -> None:
        self._search, self._leases, self._busy = search, leases, busy
        self._after = 0  # the ticket from which the next round goes on: nobody comes last every time
        self._rests_until: dict[int, float] = {}

    async def run_once(self) -> int:
        """All chats with something new, or as many as the round's time allows; how many were indexed.

        Raises:
            transcripts.errors.StoreUnavailableError: the next round goes on.
        """
        if not self._leases.held():
            return 0
        began, done = time.monotonic(), 0
        self._rests_until = {ticket: until for ticket, until in self._rests_until.items() if until > began}
        seconds = max(LEAST_SECONDS_A_ROUND, SECONDS_A_ROUND * (1 - self._busy() / BUSY))
        while time.monotonic() - began < seconds:
            pending = await self._search.pending(after=self._after, limit=CHATS_AT_ONCE)
            done += await self._search.index(self._due(pending))
            if len(pending) < CHATS_AT_ONCE:
                self._after = 0
                break
            self._after = pending[-1][0]
        return done

    def _due(self, pending: list[tuple[int, int]]) -> list[int]:
        """Those that have rested, which from now on rest again."""
        now = time.monotonic()
        due = [(ticket, entries) for ticket, entries in pending if self._rests_until.get(ticket, now) <= now]
        for ticket, entries in due:
            self._rests_until[ticket] = now + entries * REST_SECONDS_AN_ENTRY
        return [ticket for ticket, _ in due]
