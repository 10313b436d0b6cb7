"""A chat wherever it is: its log in Redis as long as it has one, the record in SQL, and the way back from SQL into
Redis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from chatserver.broker.event import event_seq
from chatserver.broker.log import Accepted, ChatLog, MissingChat, PageAnswer, body_hash
from chatserver.errors import NotFoundError, UnavailableError
from chatserver.ids import new_epoch, new_token
from chatserver.model.chat import ChatInfo, LiveChat, encode_info
from chatserver.model.person import Person
from chatserver.stores.directory import Directory
from chatserver.stores.history import event_of_entry, live
from chatserver.stores.survivors import Meta, Survivors
from transcripts.entry import Entry
from transcripts.errors import StoreUnavailableError
from transcripts.store import Rebased, Store
from transcripts.ticket import is_ticket

WAIT_FOR_REBASE_SECONDS = 0.05
RECONCILE_TRIES = 5  # people go on writing meanwhile

log = structlog.get_logger()


@dataclass(frozen=True)
class ChatPage:
    """A part of a chat's log, complete from the position on; `events` are for staff and customers alike."""

    chat: LiveChat
    reset: bool
    events: list[bytes]
    more: bool


class Chats:
    """Reads chats and rebuilds the ones that Redis has let go of.

    Raises (all methods):
        UnavailableError: Redis, or the database where it is needed, does not answer.
    """

    def __init__(self, chat_log: ChatLog, store: Store, directory: Directory) -> None:
        self.log, self.store, self.directory = chat_log, store, directory

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
            await self.reconcile(ticket)
            status, (_, chat, events) = "reset", await self._logged(ticket, 0, 0, "", limit)
        after = 0 if status == "reset" else seq
        events = await self._with_history(chat, after, events, limit)
        last = event_seq(events[-1]) if events else after
        return ChatPage(chat, status == "reset", events, more=last < chat.seq)

    async def _lost_entries(self, live: LiveChat) -> bool:
        """Whether Redis lacks entries that SQL has; asked when a client knows more than the log does."""
        try:
            recorded = await self.store.chat(live.ticket)
        except StoreUnavailableError:
            return False  # the persister finds it out at the next entry
        return recorded is not None and recorded.last_seq > live.seq

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

    async def accepted_before(self, ticket: int, participant: str, device: str, n: int) -> Accepted:
        """The entry of a command that only the record still remembers: the log knows that it was executed.

        Raises:
            UnavailableError: the record does not have it yet.
        """
        try:
            chat, after = await self.store.chat(ticket), 0
            while chat and (entries := await self.store.entries(ticket, after=after, limit=1_000, staff=True)):
                for entry in entries:
                    if (entry.participant_id, entry.device, entry.n) == (participant, device, n):
                        event = event_of_entry(entry, chat.epoch)
                        return Accepted(
                            entry.seq, entry.prev, chat.epoch, entry.at, entry.entry_id, dup=True, event=event
                        )
                after = entries[-1].seq
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        raise UnavailableError(retry_after_ms=1_000)

    async def rebase(self, ticket: int) -> None:
        """Fills the chat's keys from SQL, under a new epoch: every client's position is void, durable entries keep
        their numbers.

        One process does it (a lock with a fencing token), the others wait for it.

        Raises:
            NotFoundError: SQL does not have it.
        """
        await self._check_recorded(ticket)
        token = new_token()
        while not await self.log.lock_rebase(ticket, token):
            if await self.log.exists(ticket):
                return
            await asyncio.sleep(WAIT_FOR_REBASE_SECONDS)
        try:
            if not await self.log.exists(ticket):
                await self._fill(ticket, token)
        finally:
            # A lock left behind would hold up everybody who asks for this ticket until it runs out.
            await self.log.unlock_rebase(ticket, token)

    async def _check_recorded(self, ticket: int) -> None:
        """A number that nobody has costs one look, not a lock and a write."""
        try:
            recorded = is_ticket(ticket) and await self.store.chat(ticket)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        if not recorded:
            raise NotFoundError

    async def _fill(self, ticket: int, token: str) -> None:
        epoch = new_epoch()
        try:
            rebased = await self.store.rebase(ticket, epoch)
            if rebased is None:
                raise NotFoundError
            meta = await self._meta(rebased, epoch)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        filled = await self.log.fill(ticket, token, _flat(meta))
        log.info("chat.rebased", ticket=ticket, seq=rebased.last_seq, state=rebased.chat.state, filled=filled)

    async def reconcile(self, ticket: int) -> None:
        """Puts right a live log that contradicts SQL: Redis has lost durable entries and taken others under their
        numbers.

        What SQL has keeps its numbers; what only the live log has follows, in a new epoch. Clients are told to begin
        again.

        Raises:
            NotFoundError: SQL does not have the chat.
        """
        token = new_token()
        if not await self.log.lock_rebase(ticket, token):
            return  # somebody is at it; whoever found the contradiction looks again
        try:
            for _ in range(RECONCILE_TRIES):
                live, events = await self.log.whole(ticket)
                survivors = await self._survivors(live, events)
                if await self.log.replace(live, token, survivors.events, _flat(survivors.meta)):
                    log.warning("chat.reconciled", ticket=ticket, appended_again=len(survivors.events))
                    return
        except MissingChat:
            return  # the next touch rebuilds it
        finally:
            await self.log.unlock_rebase(ticket, token)

    async def _survivors(self, live: LiveChat, events: list[bytes]) -> Survivors:
        epoch = new_epoch()
        try:
            rebased = await self.store.rebase(live.ticket, epoch)
            if rebased is None:
                raise NotFoundError
            survivors = Survivors(rebased, await self._meta(rebased, epoch), epoch)
            recorded: set[str] = set()
            after = event_seq(events[0]) - 1 if events else rebased.last_seq
            while page := await self._entries(live.ticket, after, 1000):
                recorded |= {entry.entry_id for entry in page}
                after = page[-1].seq
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        survivors.add(events, recorded)
        survivors.keep_people(live)
        return survivors

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

    async def _meta(self, rebased: Rebased, epoch: int) -> Meta:
        """The meta hash that the chat's log would have now."""
        chat = rebased.chat
        departments = await self.directory.departments()
        department = chat.department or ""
        info = ChatInfo(
            customer_id=chat.customer_id,
            site=chat.site,
            department=department,
            department_name=departments[department].name if department in departments else department,
            chat_key=chat.chat_key or "",
            topic=chat.topic,
            order=chat.order,
            product=chat.product,
            locale=chat.locale,
            page_url=chat.page_url,
            regarding=chat.regarding,
            mode=chat.mode,
            access_gen=chat.access_gen,
            customer_name=chat.customer_name,
            customer_email=chat.customer_email,
            verified=chat.verified,
        )
        fields: Meta = {
            "state": chat.state,
            "epoch": epoch,
            "seq": rebased.last_seq,
            "pub": rebased.last_public_seq,
            "at": rebased.last_at,
            "gen": chat.gen,
            "owner": chat.owner_participant or "",
            "pseq": rebased.last_seq,
            "dirty": 0,
            "info": encode_info(info),
            "opened_at": chat.opened_at,
            "accepted_at": chat.accepted_at,
            "closed_at": chat.closed_at,
            "close_reason": chat.close_reason,
            "rating": chat.rating,
        }
        for participant in rebased.participants:
            if participant.person_id:
                fields[f"p:{participant.person_id}"] = live(participant).line()
        for participant_id, seq in rebased.reads.items():
            fields[f"r:{participant_id}"] = seq
        for (participant_id, device), commands in rebased.windows.items():
            fields[f"w:{participant_id}:{device}"] = await self._window(chat.ticket, commands)
        return fields

    async def _window(self, ticket: int, commands: Sequence[tuple[int, int]]) -> bytes:
        """A device's window as `_log.lua` packs it: the last n, then (seq, hash) from the newest back, without a
        hole.
        """
        packed = commands[0][0].to_bytes(4, "big")
        for place, (n, seq) in enumerate(commands):
            if n != commands[0][0] - place:
                break
            entry = (await self._entries(ticket, seq - 1, 1))[0]
            packed += seq.to_bytes(4, "big") + body_hash(entry.kind, entry.text, (entry.data or {}).get("rating"))
        return packed


def _flat(meta: Meta) -> list[bytes | str | int]:
    """As HSET takes it."""
    return [part for name, value in meta.items() if value is not None for part in (name, value)]
