"""Closes chats for good: everything is in SQL, sealed, indexed; then the keys in Redis may go. Killed anywhere, the
next run ends the same.
"""

from __future__ import annotations

import structlog

from chatserver.broker.keys import chat_key, ticket_work_list
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.errors import UnavailableError
from chatserver.model.chat import LiveChat
from chatserver.stores.queue import Queue
from chatserver.worker.leases import Leases
from transcripts.errors import HoleError, StoreUnavailableError
from transcripts.seal import Sealer
from transcripts.search import Search
from transcripts.store import Store

EVERY_SECONDS = 0.5
ORPHANS_EVERY = 20  # rounds: closing chats that Redis has forgotten are rare

log = structlog.get_logger()


class Finaliser:
    """Seals and indexes what has ended."""

    def __init__(self, link: Link, store: Store, queue: Queue, sealer: Sealer, search: Search, leases: Leases) -> None:
        self._link, self._store, self._sealer, self._search, self._leases = link, store, sealer, search, leases
        self._log, self._queue = ChatLog(link), queue
        self._round = 0
        self.finished = 0  # chats

    async def run_once(self) -> int:
        """One round; how many chats were finished.

        Raises:
            UnavailableError, transcripts.errors.StoreUnavailableError: nothing is half done; the next round tries
                again.
        """
        held, before = self._leases.held(), self.finished
        for ticket in await self._log.work(b"fin", held, limit=50):
            self.finished += await self._try_to_finish(ticket)
        self._round += 1
        if held and self._round % ORPHANS_EVERY == 0:
            await self._finish_orphans()
        return self.finished - before

    async def _try_to_finish(self, ticket: int) -> bool:
        """One chat that cannot be finished holds up no other."""
        try:
            return await self._finish(ticket)
        except (UnavailableError, StoreUnavailableError):
            raise
        except Exception:
            log.exception("finaliser.failed", ticket=ticket)
            return False

    async def _finish(self, ticket: int) -> bool:
        meta = await self._link.call(b"HGETALL", chat_key(ticket, b":m"))
        chat = LiveChat.from_meta(ticket, meta) if meta else None
        if chat and chat.durable < chat.seq:
            return False  # the persister comes first
        if not await self._seal(ticket):
            return False
        if chat:
            await self._queue.agree(chat)
        keys = chat_key(ticket, b":m"), chat_key(ticket, b":x"), ticket_work_list(b"fin", ticket)
        return bool(
            await self._link.script("finalise", keys, (ticket, chat.epoch if chat else 0, chat.seq if chat else 0))
        )

    async def _finish_orphans(self) -> None:
        """Chats that SQL says are closing and Redis has lost: everything that is left of them is in SQL."""
        for ticket in await self._store.closing(limit=50):
            if self._link.shard_of(ticket).ready and not await self._log.exists(ticket):
                self.finished += await self._seal(ticket)

    async def _seal(self, ticket: int) -> bool:
        try:
            await self._sealer.seal(ticket)
        except HoleError as exc:
            log.error("finaliser.hole", ticket=ticket, error=str(exc))
            return False
        await self._search.index([ticket])
        return True
