"""A chat's keys as a whole: filled again from SQL, replaced by what a comparison with SQL has made of them, put back
onto work lists. One process rebuilds a chat at a time: the scripts check that the lock is still its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chatserver.broker.keys import chat_key, rebase_lock, ticket_work_list
from chatserver.broker.log import ChatLog
from chatserver.model.chat import LiveChat

REBASE_LOCK_MS = 10_000

_UNLOCK = b"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1"

# A lock with more than a whole one left was taken before the clock jumped back: its holder may be long gone.
_LOCK = b"""#!lua
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('DEL', KEYS[1]) end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
"""


class LogHead(NamedTuple):
    """How far a chat's log goes, and how far it is said to be durable."""

    epoch: int
    seq: int
    durable: int


class LogRepair:
    """Rebuilds chats' logs.

    Raises (all methods):
        UnavailableError: Redis does not answer.
    """

    def __init__(self, chat_log: ChatLog) -> None:
        self._log, self._link = chat_log, chat_log.link

    async def lock_rebase(self, ticket: int, token: str) -> bool:
        """One process rebuilds a chat at a time."""
        return bool(await self._link.call(b"EVAL", _LOCK, 1, rebase_lock(ticket), token, REBASE_LOCK_MS))

    async def unlock_rebase(self, ticket: int, token: str) -> None:
        """Lets the next one in, unless the lock has run out and is another's already."""
        await self._link.call(b"EVAL", _UNLOCK, 1, rebase_lock(ticket), token)

    async def fill(self, ticket: int, token: str, meta: Sequence[bytes | str | int]) -> bool:
        """Writes the meta hash of a rebuilt chat, while the lock is still ours; False: somebody else did or will."""
        keys = (
            chat_key(ticket, b":m"),
            chat_key(ticket, b":x"),
            rebase_lock(ticket),
            ticket_work_list(b"todo", ticket),
            ticket_work_list(b"fin", ticket),
        )
        reply = await self._link.script("rebase", keys, (token, ticket, *meta))
        return bool(reply == 1)

    async def whole(self, ticket: int) -> tuple[LiveChat, list[bytes]]:
        """The chat and everything its stream still has.

        Raises:
            MissingChat: the chat has no keys.
        """
        chat = await self._log.head(ticket)
        found = await self._link.call(b"XRANGE", chat_key(ticket, b":x"), b"-", b"+")
        return chat, [fields[1] for _, fields in found]

    async def replace(
        self, live: LiveChat, token: str, log: Sequence[tuple[int, bytes]], meta: Sequence[bytes | str | int]
    ) -> bool:
        """Puts a rebuilt log in the place of `live`, unless that has changed or the lock is no longer ours."""
        ticket = live.ticket
        keys = (
            chat_key(ticket, b":m"),
            chat_key(ticket, b":x"),
            rebase_lock(ticket),
            ticket_work_list(b"dirty", ticket),
            ticket_work_list(b"todo", ticket),
            ticket_work_list(b"fin", ticket),
        )
        numbered = [part for pair in log for part in pair]
        args = (token, ticket, chat_key(ticket), live.epoch, live.seq, len(log), *numbered, *meta)
        return bool(await self._link.script("replace", keys, args) == 1)

    async def relist(self, ticket: int, *, route: bool = False) -> LogHead | None:
        """Where the chat stands, None without keys. Puts it back onto the work lists that it should be on; with `route`
        also on the one of chats that the routing slot is to agree with, if it is open.
        """
        keys = (
            chat_key(ticket, b":m"),
            ticket_work_list(b"dirty", ticket),
            ticket_work_list(b"fin", ticket),
            ticket_work_list(b"todo", ticket),
        )
        reply = await self._link.script("relist", keys, (ticket, int(route)))
        return LogHead(*reply) if reply else None

    async def unsettle(self, live: LiveChat, seq: int) -> int | None:
        """SQL has the chat only up to `seq`: what follows counts as not durable again, and is on the persister's list.

        Returns None, or the first number that the stream still has when the one after `seq` is gone: a hole that
        nobody can fill. Nothing is changed then.
        """
        ticket = live.ticket
        keys = chat_key(ticket, b":m"), chat_key(ticket, b":x"), ticket_work_list(b"dirty", ticket)
        reply = await self._link.script("unsettle", keys, (ticket, live.epoch, seq))
        return int(reply[1]) if isinstance(reply, list) and reply[0] == b"hole" else None
