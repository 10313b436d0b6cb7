"""Between log and record, when one lacks what the other has: a chat's keys are filled again from SQL, or put right
where they contradict it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog

from chatserver.broker.draft import body_hash
from chatserver.broker.event import event_id, event_seq
from chatserver.broker.log import ChatLog, MissingChat
from chatserver.broker.repair import LogRepair
from chatserver.errors import NotFoundError, UnavailableError
from chatserver.ids import new_epoch, new_token
from chatserver.model.chat import ChatInfo, LiveChat, encode_info
from chatserver.stores.directory import Directory
from chatserver.stores.history import live
from chatserver.stores.survivors import Meta, Survivors
from transcripts.chat import Chat
from transcripts.entry import Entry
from transcripts.errors import StoreUnavailableError
from transcripts.store import Rebased, Store
from transcripts.ticket import is_ticket

WAIT_FOR_REBASE_SECONDS = 0.05
RECONCILE_TRIES = 5  # people go on writing meanwhile
# After a start of Redis everybody asks for their chats at once. All at the same time they would hold each other up
# until their locks had run out (200 chats: none was done in 10 s); a few at a time take some ms each.
AT_ONCE = 4

log = structlog.get_logger()


class Rebuilding:
    """Rebuilds chats in Redis from what SQL has.

    Raises (all methods):
        UnavailableError: Redis or the database does not answer.
    """

    def __init__(self, chat_log: ChatLog, store: Store, directory: Directory) -> None:
        self._log, self._store, self._directory = chat_log, store, directory
        self._repair = LogRepair(chat_log)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[int, asyncio.Task[None]] = {}
        self._holes: dict[int, int] = {}  # what was told about already: the persister meets it every few seconds

    async def rebase(self, ticket: int) -> None:
        """Makes the chat take entries again, under a new epoch: every client's position is void, durable entries keep
        their numbers. Without keys it is filled from SQL; keys of another history of Redis' data are compared with
        SQL first, for their end may be lost, and a number must not be given to two entries under one epoch.

        One process does it (a lock with a fencing token), the others wait for it. All who ask in this process wait for
        the same, and go on in the order in which they asked: a device's commands stay in theirs.

        Raises:
            NotFoundError: SQL does not have it.
            UnavailableError: also when the record has to catch up with the log first, a moment from now.
        """
        under_way = self._under_way.get(ticket)
        if under_way is None:
            under_way = self._under_way[ticket] = asyncio.ensure_future(self._rebase_once(ticket))
            under_way.add_done_callback(lambda _: self._under_way.pop(ticket))
        await asyncio.shield(under_way)  # who goes away does not take it with them

    async def _rebase_once(self, ticket: int) -> None:
        if not await self._log.exists(ticket) and not (is_ticket(ticket) and await self._recorded(ticket)):
            raise NotFoundError  # a number that nobody has costs one look, not a lock and a write
        async with self._room:
            token = new_token()
            while not await self._repair.lock_rebase(ticket, token):
                if await self._log.is_current(ticket):
                    return
                await asyncio.sleep(WAIT_FOR_REBASE_SECONDS)
            try:
                await self._rebase(ticket, token)
            finally:
                # A lock left behind would hold up everybody who asks for this ticket until it runs out.
                await self._repair.unlock_rebase(ticket, token)

    async def _rebase(self, ticket: int, token: str) -> None:
        if await self._log.is_current(ticket):
            return
        if not await self._log.exists(ticket):
            await self._fill(ticket, token)
        elif not await self._compare(ticket, token, only_if=lambda live, chat: True, bridge=True):
            raise UnavailableError(retry_after_ms=500)

    async def _fill(self, ticket: int, token: str) -> None:
        epoch = new_epoch()
        try:
            rebased = await self._store.rebase(ticket, epoch)
            if rebased is None:
                raise NotFoundError
            meta = await self._meta(rebased, epoch)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        filled = await self._repair.fill(ticket, token, _flat(meta))
        log.info("chat.rebased", ticket=ticket, seq=rebased.last_seq, state=rebased.chat.state, filled=filled)

    async def check(self, ticket: int) -> bool:
        """Looks whether log and record of a chat fit together, and puts right what does not; whether it had to.

        Raises:
            NotFoundError: SQL does not have the chat.
        """
        return await self._put_right(ticket, only_if=_contradict)

    async def reconcile(self, ticket: int) -> bool:
        """Puts right a live log that contradicts SQL: Redis has lost durable entries and taken others under their
        numbers.

        What SQL has keeps its numbers; what only the live log has follows, in a new epoch. Clients are told to begin
        again. False: another process is at it, or it could not be done.

        Raises:
            NotFoundError: SQL does not have the chat.
        """
        return await self._put_right(ticket, only_if=lambda live, chat: True)

    async def forgot_commands(self, ticket: int, participant: str, device: str, last_n: int) -> bool:
        """Whether the record has commands of this device beyond `last_n`, the last one that the log has: Redis has
        lost them. The chat is put right then, and the command that made one ask can be sent again.

        Until this is known nobody may be told of a gap: they would give an `n` that is taken to something else.
        """
        try:
            recorded = await self._store.last_n(ticket, participant, device)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=1_000) from exc
        if recorded <= last_n:
            return False
        if not await self.check(ticket):
            await asyncio.sleep(WAIT_FOR_REBASE_SECONDS)  # somebody else is at it
        return True

    async def _put_right(self, ticket: int, *, only_if: Callable[[LiveChat, Chat], bool]) -> bool:
        token = new_token()
        if not await self._repair.lock_rebase(ticket, token):
            return False  # somebody is at it; whoever found the contradiction looks again
        try:
            return await self._compare(ticket, token, only_if=only_if)
        except MissingChat:
            return False  # the next touch rebuilds it
        finally:
            await self._repair.unlock_rebase(ticket, token)

    async def _compare(
        self, ticket: int, token: str, *, only_if: Callable[[LiveChat, Chat], bool], bridge: bool = False
    ) -> bool:
        """Log against record, under the lock; whether the log was put right.

        With `bridge` a hole that neither of them can fill does not stop it: what the log has follows what SQL has.
        """
        for _ in range(RECONCILE_TRIES):
            # SQL first: what is there was in the log before, so a log that is whole is never behind it.
            recorded = await self._recorded(ticket)
            live, events = await self._repair.whole(ticket)
            if live.durable > (recorded.last_seq if recorded else 0):
                written_again = await self._write_again(live, recorded)
                if written_again or not bridge:
                    return written_again and not bridge
            if recorded is None and bridge:
                return False  # opened a moment ago: the persister has it on its list
            if recorded is None:
                raise NotFoundError
            if not only_if(live, recorded):
                return False
            if await self._replace(live, events, recorded, token):
                return True
        return False

    async def _write_again(self, live: LiveChat, recorded: Chat | None) -> bool:
        """SQL has lost what it had reported (a copy was restored): the log gives it once more, if it still can."""
        last_seq = recorded.last_seq if recorded else 0
        first_left = await self._repair.unsettle(live, last_seq)
        if first_left is None:
            log.warning("chat.written_again", ticket=live.ticket, record=last_seq, log=live.seq)
            return True
        if self._holes.get(live.ticket) != live.seq:
            self._holes[live.ticket] = live.seq
            log.error("chat.hole", ticket=live.ticket, after=last_seq, stream=first_left, log=live.seq)
        return False

    async def _replace(self, live: LiveChat, events: list[bytes], recorded: Chat, token: str) -> bool:
        survivors = await self._survivors(live, events)
        if not await self._repair.replace(live, token, survivors.events, _flat(survivors.meta)):
            return False
        log.warning(
            "chat.reconciled",
            ticket=live.ticket,
            log=live.seq,
            record=recorded.last_seq,
            appended_again=len(survivors.events),
        )
        return True

    async def _recorded(self, ticket: int) -> Chat | None:
        try:
            return await self._store.chat(ticket)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc

    async def _survivors(self, live: LiveChat, events: list[bytes]) -> Survivors:
        epoch = new_epoch()
        try:
            rebased = await self._store.rebase(live.ticket, epoch)
            if rebased is None:
                raise NotFoundError
            survivors = Survivors(rebased, await self._meta(rebased, epoch), epoch)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        events, after = await self._from_the_fork(live, events, rebased)
        while page := await self._entries(live.ticket, after, 1000):
            survivors.know(page)
            after = page[-1].seq
            if after >= rebased.last_seq:
                break
        survivors.add(events)
        survivors.keep_people(live)
        return survivors

    async def _from_the_fork(self, live: LiveChat, events: list[bytes], rebased: Rebased) -> tuple[list[bytes], int]:
        """The events that have to be compared with SQL, and the number after which SQL's entries have to be.

        Where the last number that both have is the same entry, they are one log up to there: mostly nothing is left.
        """
        common = min(live.seq, rebased.last_seq)
        place = common - event_seq(events[0]) if events else -1
        if 0 <= place < len(events) and event_seq(events[place]) == common:
            recorded = await self._entries_at(live.ticket, [common])
            if common in recorded and recorded[common].entry_id == event_id(events[place]):
                return events[place + 1 :], common
        return events, event_seq(events[0]) - 1 if events else rebased.last_seq

    async def _entries(self, ticket: int, after: int, limit: int) -> list[Entry]:
        try:
            return await self._store.entries(ticket, after=after, limit=limit, staff=True)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc

    async def _entries_at(self, ticket: int, numbers: Sequence[int]) -> dict[int, Entry]:
        try:
            return await self._store.entries_at(ticket, numbers)
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc

    async def _meta(self, rebased: Rebased, epoch: int) -> Meta:
        """The meta hash that the chat's log would have now."""
        chat = rebased.chat
        departments = await self._directory.departments()
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
            "replid": self._log.replid(chat.ticket),
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
        said = [seq for commands in rebased.windows.values() for _, seq in commands]
        entries = await self._entries_at(chat.ticket, said)
        for (participant_id, device), commands in rebased.windows.items():
            fields[f"w:{participant_id}:{device}"] = _window(commands, entries)
        return fields


def _contradict(live: LiveChat, recorded: Chat) -> bool:
    """Whether the log is behind the record or of another epoch. What it has beyond is the persister's to compare."""
    return live.epoch != recorded.epoch or live.seq < recorded.last_seq


def _window(commands: Sequence[tuple[int, int]], entries: Mapping[int, Entry]) -> bytes:
    """A device's window as `_log.lua` packs it: the last n, then (seq, hash) from the newest back, without a hole."""
    packed = commands[0][0].to_bytes(4, "big")
    for place, (n, seq) in enumerate(commands):
        if n != commands[0][0] - place:
            break
        entry = entries[seq]
        packed += seq.to_bytes(4, "big") + body_hash(entry.kind, entry.text, (entry.data or {}).get("rating"))
    return packed


def _flat(meta: Meta) -> list[bytes | str | int]:
    """As HSET takes it."""
    return [part for name, value in meta.items() if value is not None for part in (name, value)]
