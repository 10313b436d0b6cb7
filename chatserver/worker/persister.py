"""Moves the log into SQL, in batches over many chats, and says how far each is durable.

Only what is committed is reported. Where the log contradicts SQL (another epoch, numbers that other entries have),
Redis has lost something: SQL counts, and the chat is put right (`Chats.reconcile`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog

from chatserver.broker.event import durable_event
from chatserver.broker.keys import chat_key, partition, work_list
from chatserver.broker.link import Link
from chatserver.errors import ChatError, UnavailableError
from chatserver.model.chat import LiveChat
from chatserver.stores.chats import Chats
from chatserver.stores.history import entry_of_event, opening_of, recorded
from chatserver.worker.leases import Leases
from transcripts.entry import ChatBatch, Entry

EVERY_SECONDS = 0.25
# With much to do, rounds are rarer and larger: what a chat's turn costs (its pages in SQL, its mark in Redis) is then
# shared by more entries. Durable is behind by so much and a round.
RARELY_SECONDS = 0.35
MUCH = 1_000  # entries a round
CHATS_A_PARTITION = 200
CHATS_AT_ONCE = 512  # in one transaction: the first need not wait for the last, and a lock is held for a moment
ENTRIES_AT_ONCE = 16_000
ENTRIES_A_CHAT = 500
MARKS_REMEMBERED = 20_000
ROUNDS_REMEMBERED = 8
LEFT_ALONE_SECONDS = 5.0
BUSY_SECONDS = 0.5  # another process is putting the chat right, or it was right already

log = structlog.get_logger()


_FACTS = (b"epoch", b"seq", b"pseq", b"rv")
_BY_PEOPLE_UNKNOWN = frozenset({"opened", "assigned", "note"})  # whoever is new in a chat begins with one of these


@dataclass(frozen=True, slots=True)
class _Dirty:
    """A chat with something that SQL does not have. Mostly that is a few messages, which speak for themselves; the
    chat's head is read when the record needs more.
    """

    ticket: int
    epoch: int
    seq: int  # of the log, when it was looked at
    recorded: int  # so far the log knows itself to be in SQL
    reads_version: str
    entries: tuple[Entry, ...] = ()
    head: LiveChat | None = None

    @property
    def durable(self) -> int:
        """How far SQL has this log, once it took the batch: the entries it was shown, and not what else it may have."""
        return self.entries[-1].seq if self.entries else self.recorded

    @property
    def brings_people(self) -> bool:
        """Whether somebody may be in it of whom SQL has not heard."""
        return not _BY_PEOPLE_UNKNOWN.isdisjoint([entry.kind for entry in self.entries])

    def batch(self) -> ChatBatch:
        chat, entries = self.head, self.entries
        return ChatBatch(
            ticket=self.ticket,
            epoch=self.epoch,
            opening=opening_of(chat.info) if chat and self.recorded == 0 else None,
            entries=entries,
            participants=tuple(
                recorded(one, chat.opened_at if one.role == "customer" else chat.accepted_at or chat.opened_at)
                for one in chat.participants
            )
            if chat and self.brings_people
            else (),
            reads={who: min(seq, self.durable) for who, seq in chat.reads.items()} if chat else {},
        )


class Persister:
    """One worker's share of the chats."""

    def __init__(self, link: Link, chats: Chats, leases: Leases) -> None:
        self._link, self._chats, self._leases = link, chats, leases
        self._log, self._store = chats.log, chats.store
        self._left_alone: dict[int, float] = {}
        self._marks: dict[int, tuple[bytes, int, str]] = {}  # the read markers that SQL has: of which version
        self._written = 0  # entries, in the last round
        self.persisted = 0  # entries that it has made durable
        self.busy = 0.0  # for what part of the time it works, over the last rounds

    @property
    def every(self) -> float:
        """From the beginning of a round to that of the next, in seconds."""
        return EVERY_SECONDS + (RARELY_SECONDS - EVERY_SECONDS) * min(1.0, self._written / MUCH)

    async def run_once(self) -> int:
        """One round; how many chats were written.

        Raises:
            UnavailableError: Redis does not answer.
            transcripts.errors.StoreUnavailableError: the database does not; nothing is lost, the next round tries
                again.
        """
        began, every, self._written = time.monotonic(), self.every, 0
        try:
            tickets = await self._dirty_tickets()
            parts = [tickets[at : at + CHATS_AT_ONCE] for at in range(0, len(tickets), CHATS_AT_ONCE)]
            return await self._persist_all(parts)
        finally:
            took = time.monotonic() - began
            self.busy += (took / max(took, every) - self.busy) / ROUNDS_REMEMBERED

    async def _persist_all(self, parts: list[list[int]]) -> int:
        """One that meets a shard that does not answer does not hold up the others."""
        written, refused = 0, None
        for part in parts:
            try:
                written += await self._persist(part)
            except UnavailableError as error:
                refused = error
        if refused:
            raise refused
        return written

    async def _persist(self, tickets: list[int]) -> int:
        read, gone = await self._read(tickets)
        held = set(self._leases.held())  # still: reading may have taken long, or this process was stopped
        dirty = [one for one in read if partition(one.ticket) in held]
        appended = await self._store.append([one.batch() for one in dirty])
        settled = [one for one in dirty if one.ticket in appended.durable]
        written = sum([len(one.entries) for one in settled])
        self._written += written
        self._remember_marks(settled)
        # SQL knows more than the log did when it was read: another worker was quicker, or Redis has lost its tail.
        ahead = [one.ticket for one in settled if appended.durable[one.ticket] > one.seq]
        await self._put_right(appended.conflicts, self._chats.reconcile)
        await self._put_right(dict.fromkeys((*appended.stale, *ahead), "behind SQL"), self._chats.check)
        await self._settle(settled, gone)
        self.persisted += written
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
        facts = await self._link.calls(
            [(b"HMGET", chat_key(ticket, b":m"), *_FACTS) for ticket in tickets], gently=True
        )
        gone = [ticket for ticket, (epoch, *_) in zip(tickets, facts, strict=True) if epoch is None]
        looked_at: list[_Dirty] = []
        for ticket, (epoch, seq, recorded_seq, version) in zip(tickets, facts, strict=True):
            with self._set_aside(ticket):
                if epoch is not None:
                    version = (version or b"0").decode()
                    looked_at.append(_Dirty(ticket, int(epoch), int(seq), int(recorded_seq or 0), version))
        most = min(ENTRIES_A_CHAT, ENTRIES_AT_ONCE // max(1, len(tickets)))
        logs = await self._link.calls(
            [(b"XRANGE", chat_key(one.ticket, b":x"), one.recorded + 1, one.seq, b"COUNT", most) for one in looked_at],
            gently=True,
        )
        dirty: list[_Dirty] = []
        for one, found in zip(looked_at, logs, strict=True):
            with self._set_aside(one.ticket):
                entries = tuple([entry_of_event(fields[1]) for _, fields in found])
                dirty.append(_Dirty(one.ticket, one.epoch, one.seq, one.recorded, one.reads_version, entries))
        return await self._with_heads(dirty), gone

    async def _with_heads(self, dirty: list[_Dirty]) -> list[_Dirty]:
        """The same, with the heads of those that need one. They are read after the entries, so whoever has written one
        is in there.
        """
        wanted = [one for one in dirty if one.recorded == 0 or one.brings_people or not self._marks_are_recorded(one)]
        metas = await self._link.calls([(b"HGETALL", chat_key(one.ticket, b":m")) for one in wanted], gently=True)
        heads: dict[int, LiveChat | None] = {}
        for one, meta in zip(wanted, metas, strict=True):
            heads[one.ticket] = None
            with self._set_aside(one.ticket):
                chat = LiveChat.from_meta(one.ticket, meta) if meta else None
                if chat and chat.epoch == one.epoch:
                    heads[one.ticket] = chat
        return [
            replace(one, head=head, reads_version=head.reads_version) if head else one
            for one, head in ((one, heads.get(one.ticket)) for one in dirty)
            if head or one.ticket not in heads  # those whose head is gone or another's: the next round looks again
        ]

    def _marks_are_recorded(self, one: _Dirty) -> bool:
        if one.reads_version == "0":
            return True
        return self._marks.get(one.ticket) == (self._log.replid(one.ticket), one.epoch, one.reads_version)

    def _remember_marks(self, settled: list[_Dirty]) -> None:
        if len(self._marks) > MARKS_REMEMBERED:
            self._marks.clear()
        for one in settled:
            if one.head and all(seq <= one.durable for seq in one.head.reads.values()):  # as they are, not cut short
                self._marks[one.ticket] = (self._log.replid(one.ticket), one.epoch, one.reads_version)

    async def _settle(self, settled: list[_Dirty], gone: list[int]) -> None:
        by_partition: dict[int, tuple[list[bytes], list[Any]]] = {}

        def settle(ticket: int, epoch: int, seq: int, entry_id: str, reads_version: str) -> None:
            channel = chat_key(ticket)
            keys, args = by_partition.setdefault(partition(ticket), ([], []))
            keys += (channel + b":m", channel + b":x")
            args += (ticket, channel, epoch, seq, entry_id, reads_version, durable_event(ticket, epoch, seq))

        for one in settled:
            last_id = one.entries[-1].entry_id if one.entries else ""
            settle(one.ticket, one.epoch, one.durable, last_id, one.reads_version)
        for ticket in gone:
            settle(ticket, 0, 0, "", "0")  # off the list, if it still has no keys
        await self._link.scripts(
            "settle",
            [([work_list(b"dirty", number), *keys], args) for number, (keys, args) in by_partition.items()],
            gently=True,
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
