"""A chat with readers in this process: hands on the next entry as the bytes it came in, and refills when one is
missing.

Invariant: a reader gets every entry it may see exactly once and in order, from the page it was given on. Pub/sub is
only the messenger: an entry that does not follow the last one, or a renewed subscription, makes the feed read the
log.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from chatserver.broker.event import (
    DURABLE,
    ENTRY,
    ENVELOPE,
    NOBODY,
    REPLACED,
    TRANSIENT,
    durable_event,
    event_id,
    event_numbers,
    for_staff_only,
)
from chatserver.errors import ChatError, NotFoundError
from chatserver.hub.connection import Connection
from chatserver.hub.counters import Counters
from chatserver.model.person import Participant
from chatserver.stores.chats import ChatPage, Chats
from chatserver.wire import close_codes

if TYPE_CHECKING:
    from chatserver.wire.codec import Codec

REFILL_RETRY_SECONDS = 0.5

log = structlog.get_logger()


class Encoded:
    """One message of a channel on its way to many readers: each wire format is made once, when the first needs it."""

    __slots__ = ("_as_text", "_event", "payload", "seq")

    def __init__(self, payload: bytes, seq: int = 0) -> None:
        self.payload = payload
        self.seq = seq  # of an entry
        self._event = self._as_text = b""

    def under(self, codec: Codec) -> bytes:
        """The event for this codec."""
        if not self._event:
            self._event = self.payload[ENVELOPE:]
        if codec.binary:
            return self._event
        if not self._as_text:
            self._as_text = codec.event(self._event)
        return self._as_text


class Reader:
    """A connection in a chat. Until its page is on the way, what arrives is held back."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.staff = connection.person.staff
        self.me: Participant | None = None
        self.epoch = self.last = 0  # of the newest entry that it has been given
        self.held: list[Encoded] | None = []  # until the page is on its way

    def give(self, encoded: Encoded) -> None:
        """Hands on an event: entries in order and once, the rest as it comes; not to the connection it came from."""
        if self.held is not None:
            self.held.append(encoded)
            return
        payload, seq, connection = encoded.payload, encoded.seq, self.connection
        if seq:
            if seq <= self.last:
                return
            self.last = seq
            if not self.staff and for_staff_only(payload, ENVELOPE):
                return
        if payload[1:ENVELOPE] != connection.origin:
            if seq:
                connection.counters.delivered += 1
            connection.offer(encoded.under(connection.codec), passing=payload[0] == TRANSIENT)

    def release(self) -> None:
        """The page has been offered: now everything after it."""
        held, self.held = self.held or [], None
        for encoded in held:
            self.give(encoded)


class Feed:
    """The chat's channel in this process."""

    def __init__(self, ticket: int, chats: Chats, counters: Counters) -> None:
        self.ticket = ticket
        self.readers: dict[Connection, Reader] = {}
        self.subscribed = asyncio.Event()
        self.over = False  # sealed: Redis may let go of it
        self._chats, self._counters = chats, counters
        self._epoch = 0
        self._last: int | None = None
        self._newest = b""  # the last that was handed on, as it came; empty: only `_known_id` of it is known
        self._known_id = ""  # empty: unknown, too
        self._pending: list[bytes] = []
        self._refill: asyncio.Task[None] | None = None
        self._stale = False  # something may have been missed before the first page was there

    @property
    def position(self) -> tuple[int, int] | None:
        """Epoch and number of the last entry that was handed on; None while it is not known, or just being read."""
        return None if self._last is None or self._refill else (self._epoch, self._last)

    def begin(self, epoch: int, seq: int, entry_id: str = "") -> None:
        """A page has been read up to `seq`: the order counts from there."""
        if self._last is None:
            self._epoch, self._last, self._newest, self._known_id = epoch, seq, b"", entry_id
            self._take_pending()
            if self._stale:
                self.refill()

    def push(self, payload: bytes) -> None:
        """A message of the channel."""
        if payload[0] == ENTRY:
            if self._refill is None and self._last is not None:
                epoch, seq = event_numbers(payload, ENVELOPE)
                if seq == self._last + 1 and epoch == self._epoch:  # nearly all
                    self._hand_on(payload, seq)
                else:
                    self._push_entry(payload)
            else:
                self._pending.append(payload)
        elif payload[0] == REPLACED:
            self.refill()
        elif payload[0] == DURABLE and self._refill is not None:
            # Redis may have lost entries that readers were told of, and given their numbers to others: not a word
            # about numbers before readers and log agree.
            self._pending.append(payload)
        else:
            self._give_all(payload)

    def refill(self) -> None:
        """Something may be missing: read the log."""
        if self._last is None:
            self._stale = True
        elif self._refill is None:
            self._stale = False
            self._counters.refills += 1
            self._refill = asyncio.create_task(self._read_log(), name=f"refill {self.ticket}")

    def stop(self) -> None:
        """Nobody reads any more."""
        if self._refill:
            self._refill.cancel()

    def _push_entry(self, payload: bytes) -> None:
        assert self._last is not None
        epoch, seq = event_numbers(payload, ENVELOPE)
        if epoch != self._epoch:
            self.refill()  # the chat was rebuilt, or this is a late message of the history before: the log knows
        elif seq == self._last + 1:
            self._hand_on(payload, seq)
        elif seq > self._last:
            self._pending.append(payload)
            self.refill()

    def _hand_on(self, payload: bytes, seq: int) -> None:
        """The next entry, to everybody but the connection that it came from: often nobody is left then."""
        self._last, self._newest = seq, payload
        origin, encoded = payload[1:ENVELOPE], None
        for connection, reader in self.readers.items():
            if connection.origin == origin and reader.held is None and reader.last < seq:
                reader.last = seq
            else:
                if encoded is None:
                    encoded = Encoded(payload, seq)
                reader.give(encoded)

    def _give_all(self, payload: bytes) -> None:
        encoded = Encoded(payload)
        for reader in self.readers.values():
            reader.give(encoded)

    def _take_pending(self) -> None:
        pending, self._pending = self._pending, []
        for payload in pending:
            self.push(payload)

    async def _read_log(self) -> None:
        try:
            while await self._read_page():
                pass
        except NotFoundError:
            # Lost before it was durable. Whoever has it in an outbox opens it again, once they know.
            log.error("feed.gone", ticket=self.ticket)
            for reader in list(self.readers.values()):
                reader.connection.close(close_codes.STATE_LOST, "the chat was lost")
        finally:
            self._refill = None
        self._take_pending()

    async def _read_page(self) -> bool:
        """One page; True while there is more."""
        assert self._last is not None
        try:
            last_id = event_id(self._newest, ENVELOPE) if self._newest else self._known_id
            page = await self._chats.page(self.ticket, epoch=self._epoch, seq=self._last, entry_id=last_id)
        except NotFoundError:
            raise
        except ChatError:
            await asyncio.sleep(REFILL_RETRY_SECONDS)  # Redis or SQL are away; the readers wait, nothing is lost
            return True
        if page.reset or page.chat.epoch != self._epoch:
            self._reset(page)
            return False
        for event in page.events:
            self._push_entry(b"E" + NOBODY + event)
        if not page.more:
            self._give_all(b"D" + NOBODY + durable_event(self.ticket, page.chat.epoch, page.chat.durable))
        return page.more

    def _reset(self, page: ChatPage) -> None:
        """The history was rebuilt: every reader has to begin again, from a page of its own."""
        known, top = self._last or 0, page.chat.seq
        log.warning("chat.rewound", ticket=self.ticket, known=known, top=top, durable=page.chat.durable)
        self._counters.rewound += max(0, known - top)
        rebuilt = self._epoch != page.chat.epoch
        self._epoch, self._last = page.chat.epoch, page.chat.seq
        self._newest, self._known_id = b"", page.last_id
        for reader in list(self.readers.values()):
            # One that came since then has a page of the new history, and perhaps acks that this page is too old for.
            if not (rebuilt and reader.epoch == page.chat.epoch and reader.last >= page.chat.seq):
                self.on_reset(reader, page)

    def on_reset(self, reader: Reader, page: ChatPage) -> None:
        """Replaced by the hub, which knows how a page is shown."""
        raise NotImplementedError
