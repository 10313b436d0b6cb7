"""A chat wherever it is: its log in Redis as long as it has one, the record in SQL, and the way back from SQL into
Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import structlog

from chatserver.broker.draft import Draft
from chatserver.broker.event import event_id, event_seq
from chatserver.broker.log import Accepted, ChatLog, MissingChat, PageAnswer
from chatserver.errors import ConflictError, GapError, NotFoundError, UnavailableError
from chatserver.model.chat import LiveChat
from chatserver.model.person import Person
from chatserver.stores.directory import Directory
from chatserver.stores.history import event_of_entry
from chatserver.stores.rebuilding import Rebuilding
from transcripts.entry import Entry
from transcripts.errors import StoreUnavailableError
from transcripts.store import Store

log = structlog.get_logger()


@dataclass(frozen=True)
class ChatPage:
    """A part of a chat's log, complete from the position on; `events` are for staff and customers alike."""

    chat: LiveChat
    reset: bool
    events: list[bytes]
    more: bool

    @property
    def last_id(self) -> str:
        """The entry_id of the chat's last entry; empty if the page does not end with it."""
        return event_id(self.events[-1]) if self.events and not self.more else ""


class Chats:
    """Reads chats and rebuilds the ones that Redis has let go of.

    Raises (all methods):
        UnavailableError: Redis, or the database where it is needed, does not answer.
    """

    def __init__(self, chat_log: ChatLog, store: Store, directory: Directory) -> None:
        self.log, self.store, self.directory = chat_log, store, directory
        self._rebuilding = Rebuilding(chat_log, store, directory)

    async def page(
        self, ticket: int, *, epoch: int = 0, seq: int = 0, entry_id: str = "", limit: int = 200
    ) -> ChatPage:
        """What the position lacks: complete or `reset` and from the start, never in between.

        Raises:
            NotFoundError: there is no such chat.
        """
        status, chat, events = await self._logged(ticket, epoch, seq, entry_id, limit)
        if status == "trimmed" and not await self._is_entry(ticket, seq, entry_id):
            status, (_, chat, events) = "reset", await self._logged(ticket, 0, 0, "", limit)
        if status == "reset" and await self._lost_entries(chat):
            status, (_, chat, events) = "reset", await self._logged(ticket, 0, 0, "", limit)
        if status == "reset" and seq > chat.seq:
            log.warning("chat.lost", ticket=ticket, seen=seq, log=chat.seq)
        after = 0 if status == "reset" else seq
        events = await self._with_history(chat, after, events, limit)
        last = event_seq(events[-1]) if events else after
        return ChatPage(chat, status == "reset", events, more=last < chat.seq)

    async def _lost_entries(self, live: LiveChat) -> bool:
        """Whether Redis lacked entries that SQL has; asked when a client knows more than the log does."""
        try:
            return await self.check(live.ticket)
        except (NotFoundError, UnavailableError):
            return False  # the persister finds it out at the next entry

    async def _logged(self, ticket: int, epoch: int, seq: int, entry_id: str, limit: int) -> PageAnswer:
        while True:
            try:
                return await self.log.page(ticket, epoch=epoch, seq=seq, entry_id=entry_id, limit=limit)
            except MissingChat:
                await self.rebase(ticket)

    async def head(self, ticket: int) -> LiveChat:
        """The chat without its entries.

        Raises:
            NotFoundError: there is no such chat.
        """
        while True:
            try:
                return await self.log.head(ticket)
            except MissingChat:
                await self.rebase(ticket)

    async def visible(self, person: Person, ticket: int) -> LiveChat:
        """The chat without its entries, for somebody who may see it.

        Raises:
            NotFoundError: there is no such chat, or not for this person.
        """
        chat = await self.head(ticket)
        if not chat.visible_to(person):
            raise NotFoundError
        return chat

    async def accepted_before(self, draft: Draft) -> Accepted:
        """The entry of a command that only the record still remembers: the log knows that its `n` was executed.

        Raises:
            ConflictError: what was executed under this `n` says something else.
            UnavailableError: the record does not have it yet.
        """
        try:
            chat = await self.store.chat(draft.ticket)
            entry = await self.store.entry_of_command(draft.ticket, draft.participant, draft.device, draft.n)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        if chat is None or entry is None:
            raise UnavailableError(retry_after_ms=1_000)
        if entry.kind != draft.kind or (entry.text != draft.text and not entry.erased_at):
            raise ConflictError
        event = event_of_entry(entry, chat.epoch)
        return Accepted(entry.seq, entry.prev, chat.epoch, entry.at, entry.entry_id, dup=True, event=event)

    async def rebase(self, ticket: int) -> None:
        """Fills the chat's keys from SQL, under a new epoch (`Rebuilding.rebase`).

        Raises:
            NotFoundError: SQL does not have it.
        """
        await self._rebuilding.rebase(ticket)

    async def reconcile(self, ticket: int) -> bool:
        """Puts right a live log that contradicts SQL (`Rebuilding.reconcile`).

        Raises:
            NotFoundError: SQL does not have the chat.
        """
        return await self._rebuilding.reconcile(ticket)

    async def check(self, ticket: int) -> bool:
        """Puts right what does not fit together in log and record (`Rebuilding.check`); whether it had to.

        Raises:
            NotFoundError: SQL does not have the chat.
        """
        return await self._rebuilding.check(ticket)

    async def settle_gap(self, ticket: int, participant: str, device: str, gap: GapError) -> NoReturn:
        """A command's number is not the next one: either one before it is missing, or Redis has forgotten some that SQL
        has. The command itself is not executed any more: where its frame came twice, the other may have been answered
        while this one waited, and its number given away.

        Raises:
            GapError: one is missing. A client that is told so gives the numbers behind `last_n` to other commands.
            UnavailableError: Redis has what it had forgotten again, or what was missing has arrived: ask once more.
        """
        last_n = gap.details["last_n"]
        if not await self._rebuilding.forgot_commands(ticket, participant, device, last_n):
            chat = await self.head(ticket)
            if chat.last_n.get(f"{participant}:{device}", 0) == last_n:
                raise gap
        raise UnavailableError(retry_after_ms=100)

    async def _is_entry(self, ticket: int, seq: int, entry_id: str) -> bool:
        entries = await self._entries(ticket, seq - 1, 1)
        return bool(entries) and entries[0].seq == seq and entry_id in ("", entries[0].entry_id)  # ours have no id

    async def _entries(self, ticket: int, after: int, limit: int) -> list[Entry]:
        try:
            return await self.store.entries(ticket, after=after, limit=limit, staff=True)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc

    async def _with_history(self, chat: LiveChat, after: int, events: list[bytes], limit: int) -> list[bytes]:
        """Puts in front what the stream no longer has. Whatever it lacks is durable, so SQL has it."""
        first = event_seq(events[0]) if events else chat.seq + 1
        if first == after + 1:
            return events
        history = await self._entries(chat.ticket, after, min(limit, first - after - 1))
        old = [event_of_entry(entry, chat.epoch) for entry in history]
        if not old or event_seq(old[0]) != after + 1:
            # Neither has it: better no answer than one with a hole.
            log.error("chat.hole", ticket=chat.ticket, after=after, stream=first, record=len(old))
            raise UnavailableError(retry_after_ms=2_000)
        if event_seq(old[-1]) == first - 1:
            old += events
        return old[:limit]
