"""Makes log and record agree again after one of them has lost something: Redis was emptied or went back in time, SQL is
an older copy.

Nobody waits for it. Who touches a chat has it put right at once; this is for the chats that nobody touches, which still
have to stand in a queue or an agent's list, and for work that stands on no list any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog

from chatserver.broker.keys import chat_key, partition, routing, work_list
from chatserver.broker.link import Link
from chatserver.broker.repair import LogHead, LogRepair
from chatserver.broker.shard import Shard
from chatserver.errors import ChatError, UnavailableError
from chatserver.ids import new_token
from chatserver.stores.chats import Chats
from chatserver.stores.secrets import Secrets
from chatserver.worker.leases import Leases
from transcripts.store import ChatHead

EVERY_SECONDS = 1.0
PAGE = 100
AT_ONCE = 8
KEYS_A_STEP = 1_000  # of all keys in Redis: a turn over 30,000 chats takes two minutes

_FINISH = b"if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2]) return 1 end return 0"

log = structlog.get_logger()


class Reconciler:
    """Compares all chats, in two directions.

    From SQL: every open chat has to be in Redis, not behind SQL, and of SQL's epoch. Done whenever Redis may have lost
    something: a mark in each partition names the histories of its data and of the routing slot's (`Shard.replid`) for
    which it was done last, so it is gone after a flush, and another one after a restart, a failover or a move to
    another shard.

    From Redis: what SQL is said to have it has, and what is to be done is on a work list. Done all the time, slowly.
    """

    def __init__(self, link: Link, chats: Chats, leases: Leases) -> None:
        self._link, self._chats, self._leases = link, chats, leases
        self._repair = LogRepair(chats.log)
        self._walked_in: dict[int, bytes] = {}  # the histories in which this process saw it done
        self._cursors: dict[Shard, bytes] = {}  # where the slow turn is

    async def run_once(self) -> None:
        """Everything, if Redis may have lost something or this worker is new; otherwise a step of the slow turn.

        Raises:
            UnavailableError, transcripts.errors.StoreUnavailableError: begun again in the next round.
        """
        if self._link.ready:
            await self._walk_if_lost(self._leases.held())
        shards = [shard for shard in self._link.shards if shard.ready]
        self._cursors = {shard: cursor for shard, cursor in self._cursors.items() if shard in shards}
        for shard in shards:
            if shard not in self._cursors:
                self._cursors[shard] = b"0"
                while await self._step(shard):
                    pass
            else:
                await self._step(shard)

    async def _walk_if_lost(self, held: list[int]) -> None:
        routed = await self._routing_history()
        histories = {number: self._link.shard(_mark(number)).replid + routed for number in held}
        marks = await self._link.calls([(b"GET", _mark(number)) for number in held])
        lost = {number for number, mark in zip(held, marks, strict=True) if mark != histories[number]}
        walked = lost | {number for number in held if self._walked_in.get(number) != histories[number]}
        if not walked:
            return
        token = new_token().encode()
        await self._link.calls([(b"SET", _mark(number), token) for number in walked])
        if lost:
            await self._sign_out_erased()
        put_right = await self._walk(walked, lost)
        # A flush in the meantime has taken our token, a restart has begun another history: then once more.
        finished = await self._link.calls(
            [(b"EVAL", _FINISH, 1, _mark(number), token, histories[number]) for number in walked]
        )
        for number, done in zip(walked, finished, strict=True):
            shard = self._link.shard(_mark(number))
            if done and shard.replid + routed == histories[number]:
                self._walked_in[number] = histories[number]
                self._cursors.pop(shard, None)  # and the other direction at once
        if put_right:
            log.warning("reconciler.walked", partitions=len(walked), lost=len(lost), put_right=put_right)

    async def _routing_history(self) -> bytes:
        """Another one when the routing slot may have lost something: then all chats have to be put into it again."""
        name = routing("walked")
        mark = await self._link.call(b"GET", name)
        if mark is None:
            await self._link.call(b"SET", name, new_token(), b"NX")
            mark = await self._link.call(b"GET", name)
        return self._link.shard(name).replid + (mark or b"")

    async def _sign_out_erased(self) -> None:
        """A Redis that has forgotten whom it has to refuse is told again."""
        after = ""
        while page := await self._chats.directory.erased_customers(after=after):
            await Secrets(self._link).revoke(*page)
            after = page[-1]

    async def _walk(self, walked: set[int], lost: set[int]) -> int:
        """All open chats of SQL in these partitions, some of which have lost something; how many did not fit."""
        after = put_right = 0
        while found := await self._chats.store.open_chats(after=after, limit=PAGE):
            began = time.monotonic()
            page = [one for one in found if partition(one.ticket) in walked]
            heads = await asyncio.gather(
                *(self._repair.relist(one.ticket, route=partition(one.ticket) in lost) for one in page)
            )
            wrong = [one.ticket for one, head in zip(page, heads, strict=True) if not _fits(one, head)]
            put_right += await self._put_right(wrong)
            after = found[-1].ticket
            await asyncio.sleep(time.monotonic() - began)  # half of the time is for those who are talking
        return put_right

    async def _step(self, shard: Shard) -> bool:
        """The next keys of the turn; False at its end."""
        self._cursors[shard], keys = await shard.call(
            b"SCAN", self._cursors[shard], b"MATCH", b"chat:{p??}:*:m", b"COUNT", KEYS_A_STEP
        )
        held = set(self._leases.held())
        tickets = [ticket for ticket in map(_ticket, keys) if ticket and partition(ticket) in held]
        # Redis first: what is said to be durable then has been in SQL since.
        heads = await asyncio.gather(*(self._repair.relist(ticket) for ticket in tickets))
        recorded = {one.ticket: one for one in await self._chats.store.heads(tickets)}
        wrong = [
            ticket
            for ticket, head in zip(tickets, heads, strict=True)
            if head and not _fits(recorded.get(ticket, ChatHead(ticket, head.epoch, 0)), head, durable=head.durable)
        ]
        await self._put_right(wrong)
        return self._cursors[shard] != b"0"

    async def _put_right(self, tickets: Iterable[int]) -> int:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(ticket: int) -> bool:
            async with gate:
                try:
                    if await self._chats.log.exists(ticket):
                        return await self._chats.check(ticket)
                    await self._chats.rebase(ticket)
                except UnavailableError:
                    raise
                except ChatError as error:
                    log.error("reconciler.failed", ticket=ticket, why=error.code)
                    return False
                return True

        return sum(await asyncio.gather(*map(one, tickets)))


def _mark(number: int) -> bytes:
    return work_list(b"walked", number)


def _fits(recorded: ChatHead, head: LogHead | None, *, durable: int = 0) -> bool:
    """Whether this may be one chat. Entries above what SQL has are the persister's to compare."""
    return bool(
        head and head.epoch == recorded.epoch and head.seq >= recorded.last_seq and durable <= recorded.last_seq
    )


def _ticket(key: bytes) -> int:
    name = key.split(b":")[2]
    ticket = int(name) if name.isdigit() else 0
    return ticket if ticket and chat_key(ticket, b":m") == key else 0
