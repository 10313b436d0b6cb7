"""Moves the log into SQL, in batches over many chats, and says how far each is durable.

Only what is committed is reported. Where the log contradicts SQL (another epoch, numbers that other entries have),
Redis has lost something: SQL counts, and the chat is put right (`Chats.reconcile`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from chatserver.broker.event import durable_event
from chatserver.broker.keys import chat_key, partition, work_list
from chatserver.broker.link import Link
from chatserver.errors import ChatError
from chatserver.model.chat import LiveChat
from chatserver.stores.chats import Chats
from chatserver.stores.history import entry_of_event, opening_of, recorded
from chatserver.worker.leases import Leases
from transcripts.entry import ChatBatch, Entry

EVERY_SECONDS = 0.25
CHATS_A_PARTITION = 200
CHATS_AT_ONCE = 128  # in one transaction: the first need not wait for the last, and a lock is held for a moment
ENTRIES_A_CHAT = 500
ROUNDS_REMEMBERED = 8
LEFT_ALONE_SECONDS = 5.0
BUSY_SECONDS = 0.5  # another process is putting the chat right, or it was right already

log = structlog.get_logger()


@dataclass(frozen=True)
class _Dirty:
    """A chat with something that SQL does not have."""

    chat: LiveChat
    entries: tuple[Entry, ...]

    @property
    def durable(self) -> int:
        """How far SQL has this log, once it took the batch: the entries it was shown, and not what else it may have."""
        return self.entries[-1].seq if self.entries else self.chat.durable

    def batch(self) -> ChatBatch:
        chat, entries = self.chat, self.entries
        joined = any(entry.kind in ("opened", "assigned", "note") for entry in entries)
        return ChatBatch(
            ticket=chat.ticket,
            epoch=chat.epoch,
            opening=opening_of(chat.info) if chat.durable == 0 else None,
            entries=entries,
            participants=tuple(
                recorded(one, chat.opened_at if one.role == "customer" else chat.accepted_at or chat.opened_at)
                for one in chat.participants
            )
            if joined
            else (),
            reads=dict(chat.reads),
        )


class Persister:
    """One worker's share of the chats."""

    def __init__(self, link: Link, chats: Chats, leases: Leases) -> None:
        self._link, self._chats, self._leases = link, chats, leases
        self._log, self._store = chats.log, chats.store
        self._left_alone: dict[int, float] = {}
        self.busy = 0.0  # for what part of the time it works, over the last rounds

    async def run_once(self) -> int:
        """One round; how many chats were written.

        Raises:
            UnavailableError: Redis does not answer.
            transcripts.errors.StoreUnavailableError: the database does not; nothing is lost, the next round tries
                again.
        """
        began = time.monotonic()
        try:
            tickets = await self._dirty_tickets()
            parts = (tickets[at : at + CHATS_AT_ONCE] for at in range(0, len(tickets), CHATS_AT_ONCE))
            return sum([await self._persist(part) for part in parts])
        finally:
            took = time.monotonic() - began
            self.busy += (took / max(took, EVERY_SECONDS) - self.busy) / ROUNDS_REMEMBERED

    async def _persist(self, tickets: list[int]) -> int:
        read, gone = await self._read(tickets)
        held = set(self._leases.held())  # still: reading may have taken long, or this process was stopped
        dirty = [one for one in read if partition(one.chat.ticket) in held]
        appended = await self._store.append([one.batch() for one in dirty])
        settled = [one for one in dirty if one.chat.ticket in appended.durable]
        # SQL knows more than the log did when it was read: another worker was quicker, or Redis has lost its tail.
        ahead = [one.chat.ticket for one in settled if appended.durable[one.chat.ticket] > one.chat.seq]
        await self._put_right(appended.conflicts, self._chats.reconcile)
        await self._put_right(dict.fromkeys((*appended.stale, *ahead), "behind SQL"), self._chats.check)
        await self._settle(settled, gone)
        return len(settled)

    async def _dirty_tickets(self) -> list[int]:
        now = time.monotonic()
        self._left_alone = {ticket: until for ticket, until in self._left_alone.items() if until > now}
        tickets = await self._log.work(b"dirty", self._leases.held(), limit=CHATS_A_PARTITION)
        return [ticket for ticket in tickets if ticket not in self._left_alone]

    async def _read(self, tickets: list[int]) -> tuple[list[_Dirty], list[int]]:
        """What SQL does not have of these chats, and those that have no keys. One that cannot be read holds up no
        other.
        """
        metas = await self._link.calls([(b"HGETALL", chat_key(ticket, b":m")) for ticket in tickets])
        gone = [ticket for ticket, meta in zip(tickets, metas, strict=True) if not meta]
        chats: list[LiveChat] = []
        for ticket, meta in zip(tickets, metas, strict=True):
            with self._set_aside(ticket):
                chats += [LiveChat.from_meta(ticket, meta)] if meta else []
        # Up to `seq` and no further: what is newer may be by people we have not read.
        logs = await self._link.calls(
            [
                (b"XRANGE", chat_key(chat.ticket, b":x"), chat.durable + 1, chat.seq, b"COUNT", ENTRIES_A_CHAT)
                for chat in chats
            ]
        )
        dirty: list[_Dirty] = []
        for chat, found in zip(chats, logs, strict=True):
            with self._set_aside(chat.ticket):
                dirty.append(_Dirty(chat, tuple(entry_of_event(fields[1]) for _, fields in found)))
        return dirty, gone

    async def _settle(self, settled: list[_Dirty], gone: list[int]) -> None:
        by_partition: dict[int, tuple[list[bytes], list[Any]]] = {}

        def settle(ticket: int, epoch: int, seq: int, entry_id: str, reads_version: str) -> None:
            keys, args = by_partition.setdefault(partition(ticket), ([], []))
            keys += [chat_key(ticket, b":m"), chat_key(ticket, b":x")]
            event = durable_event(ticket, epoch, seq)
            args += [ticket, chat_key(ticket), epoch, seq, entry_id, reads_version, event]

        for one in settled:
            last_id = one.entries[-1].entry_id if one.entries else ""
            settle(one.chat.ticket, one.chat.epoch, one.durable, last_id, one.chat.reads_version)
        for ticket in gone:
            settle(ticket, 0, 0, "", "0")  # off the list, if it still has no keys
        await self._link.scripts(
            "settle",
            [([work_list(b"dirty", number), *keys], args) for number, (keys, args) in by_partition.items()],
        )

    @contextmanager
    def _set_aside(self, ticket: int) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            log.error("persister.unreadable", ticket=ticket, error=repr(error)[:200])
            self._left_alone[ticket] = time.monotonic() + LEFT_ALONE_SECONDS

    async def _put_right(self, refused: dict[int, str], how: Callable[[int], Awaitable[bool]]) -> None:
        """The live log and SQL contradict each other: SQL counts. What cannot be put right waits for a while."""
        for ticket, why in refused.items():
            try:
                if not await how(ticket):
                    self._left_alone[ticket] = time.monotonic() + BUSY_SECONDS
            except ChatError as error:
                self._left_alone[ticket] = time.monotonic() + LEFT_ALONE_SECONDS
                log.error("persister.not_reconciled", ticket=ticket, refused=why, why=error.code)
