"""A chat's numbered log in Redis: the scripts with typed arguments and answers.

Guarantees, all by one script each: an entry is checked, deduped, numbered, appended and published together or not at
all; the same command again answers the same; order is that of `seq`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import msgspec

from chatserver.broker import event as events
from chatserver.broker.asking import as_error
from chatserver.broker.draft import Draft, body_hash
from chatserver.broker.keys import PARTITIONS, chat_key, open_key, ticket_work_list, work_list
from chatserver.broker.link import Link
from chatserver.broker.shard import Shard
from chatserver.errors import (
    ChatClosedError,
    ChatError,
    ConflictError,
    GapError,
    NotFoundError,
    StaleGenError,
    UnavailableError,
)
from chatserver.model.chat import LiveChat
from chatserver.model.person import Participant

OPEN_KEY_SECONDS = 7 * 86_400


class MissingChat(ChatError):
    """The chat has no keys in Redis, or they are of another history of its data, of which the end may be lost: it is
    rebuilt from SQL, if it is there.
    """


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The entry of a command. `dup`: executed before; with `seq` 0, only SQL still knows the number."""

    seq: int
    prev: int = 0
    epoch: int = 0
    at: int = 0
    entry_id: str | None = None
    dup: bool = False
    event: bytes | None = None


class PageAnswer(NamedTuple):
    """What PAGE found: `status` is ok, reset or trimmed."""

    status: str
    chat: LiveChat
    events: list[bytes]


class Undurable(NamedTuple):
    """What SQL does not have yet."""

    chats: int
    seconds: float  # how long the oldest of it waits


class ChatLog:
    """All chats' logs."""

    def __init__(self, link: Link) -> None:
        self.link = link

    def send(self, draft: Draft, origin: bytes, done: Callable[[Accepted | ChatError], None]) -> None:
        """Appends; `done` gets the entry's numbers or the reason why not (`MissingChat`: rebuild, then again)."""
        shard = self.link.shard_of(draft.ticket)
        shard.run_packed(
            "close" if draft.kind == "closed" else "send",
            *draft.send(origin, shard.replid, shard.now_ms()),
            partial(_answered, done, draft.entry_id),
        )

    async def open(
        self,
        opened: Draft,
        message: Draft,
        *,
        participant: Participant,
        info: bytes,
        epoch: int,
        origin: bytes,
        create: bool,
    ) -> int | None:
        """Begins a chat with two entries; the time (ms UTC), or None when it exists already.

        Raises:
            MissingChat: it does not exist and `create` is False.
            NotFoundError: it is another person's.
        """
        ticket = opened.ticket
        head_1, body_1 = opened.parts()
        head_2, body_2 = message.parts()
        reply = await self.link.script(
            "open",
            (
                chat_key(ticket, b":m"),
                chat_key(ticket, b":x"),
                ticket_work_list(b"dirty", ticket),
                ticket_work_list(b"todo", ticket),
            ),
            (
                ticket,
                chat_key(ticket),
                int(create),
                epoch,
                opened.person_id,
                participant.id,
                participant.line(),
                message.device,
                body_hash(message.kind, message.text),
                origin,
                head_1,
                body_1,
                head_2,
                body_2,
                "info",
                info,
                "replid",
                self.replid(ticket),
            ),
        )
        if reply[0] == b"missing":
            raise MissingChat
        if reply[0] == b"not_found":
            raise NotFoundError
        return None if reply[0] == b"exists" else int(reply[0])

    async def assign(self, draft: Draft, *, gen: int, participant: Participant, origin: bytes) -> Accepted:
        """Makes the agent the owner, if `gen` is newer than the chat's.

        Raises:
            MissingChat, ChatClosedError, StaleGenError, GapError, ConflictError: nothing was changed.
        """
        ticket = draft.ticket
        head, body = draft.parts()
        reply = await self.link.script(
            "assign",
            (chat_key(ticket, b":m"), chat_key(ticket, b":x"), ticket_work_list(b"dirty", ticket)),
            (
                ticket,
                chat_key(ticket),
                self.replid(ticket),
                gen,
                draft.person_id,
                participant.id,
                participant.line(),
                draft.device,
                draft.n,
                body_hash(draft.kind, None),
                origin,
                head,
                body,
            ),
        )
        answer = answer_of(reply, draft.entry_id)
        if isinstance(answer, ChatError):
            raise answer
        return answer

    async def release(self, draft: Draft, *, gen: int) -> Accepted:
        """Takes the chat from its owner (the draft's participant) and puts it back among the waiting.

        Raises:
            MissingChat: the chat has no keys.
            StaleGenError: it is not theirs any more, or has ended; nothing was changed.
        """
        ticket = draft.ticket
        head, body = draft.parts()
        reply = await self.link.script(
            "release",
            (chat_key(ticket, b":m"), chat_key(ticket, b":x"), ticket_work_list(b"dirty", ticket)),
            (ticket, chat_key(ticket), self.replid(ticket), gen, draft.participant, events.NOBODY, head, body),
        )
        answer = answer_of(reply, draft.entry_id)
        if isinstance(answer, ChatError):
            raise answer
        return answer

    async def head(self, ticket: int) -> LiveChat:
        """The chat without its entries.

        Raises:
            MissingChat: the chat has no keys.
        """
        meta = await self.link.call(b"HGETALL", chat_key(ticket, b":m"))
        if not meta:
            raise MissingChat
        return LiveChat.from_meta(ticket, meta)

    async def join(self, ticket: int, participant: Participant) -> None:
        """Makes somebody a participant, unless they are one.

        Raises:
            MissingChat: the chat has no keys.
        """
        if await self.link.script("join", (chat_key(ticket, b":m"),), (participant.person_id, participant.line())) != 1:
            raise MissingChat

    async def page(
        self, ticket: int, *, epoch: int = 0, seq: int = 0, entry_id: str = "", limit: int = 200
    ) -> PageAnswer:
        """What the stream has after the position.

        Raises:
            MissingChat: the chat has no keys.
        """
        reply = await self.link.script(
            "page", (chat_key(ticket, b":m"), chat_key(ticket, b":x")), (epoch or "", seq, entry_id, limit)
        )
        if reply[0] == b"missing":
            raise MissingChat
        return PageAnswer(reply[0].decode(), LiveChat.from_meta(ticket, reply[1]), reply[2])

    def read(self, ticket: int, participant: Participant, seq: int, origin: bytes) -> None:
        """Moves a read marker; nobody waits for it."""
        event = events.transient_event(ticket=ticket, type="read", participant=participant.id, seq=seq)
        self.link.run(
            "read",
            (chat_key(ticket, b":m"), ticket_work_list(b"dirty", ticket)),
            (ticket, chat_key(ticket), participant.person_id, participant.id, seq, origin, event),
            lambda reply: None,
        )

    def publish(self, ticket: int, event: bytes, origin: bytes) -> None:
        """Tells the others something that is not stored (typing)."""
        self.link.send((b"SPUBLISH", chat_key(ticket), b"T" + origin + event))

    async def ticket_for(self, customer_id: str, key: str, fresh: int | None = None) -> int | None:
        """The ticket that belongs to this chat_key; `fresh` becomes it if there is none yet."""
        name = open_key(customer_id, key)
        if fresh is None:
            found = await self.link.call(b"GET", name)
        else:
            found = await self.link.call(b"SET", name, fresh, b"NX", b"GET", b"EX", OPEN_KEY_SECONDS)
        return int(found) if found else fresh

    async def routed(self, ticket: int) -> None:
        """The routing slot agrees with the chat: nothing left to do for who sweeps up after crashes."""
        await self.link.call(b"ZREM", ticket_work_list(b"todo", ticket), ticket)

    def replid(self, ticket: int) -> bytes:
        """The history of Redis' data in which the chat is now (`Address.replid`)."""
        return self.link.shard_of(ticket).replid

    async def exists(self, ticket: int) -> bool:
        """Whether the chat has its keys."""
        return bool(await self.link.call(b"EXISTS", chat_key(ticket, b":m")))

    async def is_current(self, ticket: int) -> bool:
        """Whether the chat takes entries: it was filled, or compared with SQL, in this history of Redis' data."""
        found = await self.link.call(b"HGET", chat_key(ticket, b":m"), b"replid")
        return bool(found == self.replid(ticket))

    async def undurable(self, partitions: Iterable[int] = range(PARTITIONS)) -> Undurable:
        """How far the record is behind the logs, over all chats in these partitions whose shard answers."""
        shards = self.link.by_shard(partitions)
        found = [await _undurable(shard, numbers) for shard, numbers in shards.items() if shard.ready]
        return Undurable(sum(one.chats for one in found), max((one.seconds for one in found), default=0.0))

    async def work(
        self,
        name: bytes,
        numbers: Iterable[int],
        *,
        since: int | str = "-inf",
        until: int | str = "+inf",
        limit: int = 500,
    ) -> list[int]:
        """Tickets on these partitions' work lists, oldest first, at most `limit` of each."""
        found = await self.link.calls(
            [(b"ZRANGE", work_list(name, number), since, until, b"BYSCORE", b"LIMIT", 0, limit) for number in numbers]
        )
        return [int(ticket) for tickets in found for ticket in tickets]


async def _undurable(shard: Shard, partitions: list[int]) -> Undurable:
    lists = [work_list(b"dirty", number) for number in partitions]
    time, *found = await shard.calls(
        [(b"TIME",)] + [(b"ZCARD", name) for name in lists] + [(b"ZRANGE", name, 0, 0, b"WITHSCORES") for name in lists]
    )
    now = int(time[0]) * 1000 + int(time[1]) / 1000
    since = min((float(oldest[1]) for oldest in found[len(lists) :] if oldest), default=now)
    return Undurable(sum(found[: len(lists)]), max(0.0, now - since) / 1000)


def _answered(done: Callable[[Accepted | ChatError], None], entry_id: str, reply: Any) -> None:
    done(answer_of(reply, entry_id))


def answer_of(reply: Any, entry_id: str) -> Accepted | ChatError:
    """What a script that appends has answered; `entry_id` is that of the new entry."""
    if isinstance(reply, Exception):
        return as_error(reply) or UnavailableError()
    if reply.__class__ is bytes:
        epoch, seq, prev, at = events.numbers_of(reply)
        return Accepted(seq, prev, epoch, at, entry_id)
    first = reply[0]
    if type(first) is int:
        return Accepted(first, reply[1], reply[2], reply[3], entry_id)
    if first == b"dup":
        if len(reply) < 3:
            return Accepted(reply[1], dup=True)
        event = reply[2]
        return Accepted(
            reply[1],
            events.event_prev(event),
            events.event_epoch(event),
            events.event_at(event),
            events.event_id(event),
            dup=True,
            event=event,
        )
    if first == b"gap":
        return GapError(last_n=reply[1])
    return _ERRORS[first]()


_ERRORS: dict[bytes, type[ChatError]] = {
    b"missing": MissingChat,
    b"not_found": NotFoundError,
    b"chat_closed": ChatClosedError,
    b"stale_gen": StaleGenError,
    b"conflict": ConflictError,
}
