"""Compares the routing slot with the chats and puts right what has drifted apart. In normal times it finds nothing:
every step between the two is completed by the sweeper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import islice

import structlog

from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import chat_key, ticket_work_list
from chatserver.broker.link import Link
from chatserver.errors import NotFoundError
from chatserver.stores.directory import Directory
from chatserver.stores.queue import Queue, Routed
from chatserver.worker.leases import Leases

SETTLE_SECONDS = 1.0  # what is on its way from one slot to the other has arrived by then
BATCH = 500

log = structlog.get_logger()


class Auditor:
    """The worker's slow loop. `settle_seconds` lie between two looks: only what differs in both has drifted."""

    def __init__(
        self,
        link: Link,
        directory: Directory,
        queue: Queue,
        waiting: Waiting,
        leases: Leases,
        *,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self._link, self._directory, self._queue = link, directory, queue
        self._waiting, self._leases, self._settle_seconds = waiting, leases, settle_seconds

    async def run_once(self) -> int:
        """One round, by the worker that sweeps the routing slot; how many chats had drifted.

        Raises:
            UnavailableError, transcripts.errors.StoreUnavailableError: the next round looks again.
        """
        if not self._leases.leads:
            return 0
        first = await self._look()
        if not first:
            return 0
        await asyncio.sleep(self._settle_seconds)
        drifted = {ticket: seen for ticket, seen in (await self._look()).items() if ticket in first}
        for ticket, (why, of) in drifted.items():
            log.error("queue.drift", ticket=ticket, why=why)
            await self._repair(ticket, of)
        return len(drifted)

    async def _look(self) -> dict[int, tuple[str, Routed]]:
        """Where slot and chat differ at this moment, and in what."""
        departments, agents = await self._directory.departments(), await self._directory.agent_ids()
        routed = await self._queue.routed(departments, agents)
        found: dict[int, tuple[str, Routed]] = {}
        for batch in _batches(routed.items()):
            said = await asyncio.gather(*(self._said(ticket, of.holder) for ticket, of in batch))
            for (ticket, of), answer in zip(batch, said, strict=True):
                if answer is None:
                    continue
                state, gen, owner, line = answer
                why = _difference(of, state, gen, owner, line)
                if why and not of.pending and not await self._is_to_be_done(ticket):
                    found[ticket] = why, of
        return found

    async def _is_to_be_done(self, ticket: int) -> bool:
        """Whether the sweeper is about to make the slots agree."""
        return await self._link.call(b"ZSCORE", ticket_work_list(b"todo", ticket), ticket) is not None

    async def _said(self, ticket: int, holder: str) -> list[str] | None:
        """Of the chat's meta: state, gen, owner's participant, and the line of who has it by the routing slot. None
        while its shard is away.
        """
        if not self._link.shard_of(ticket).ready:
            return None
        values = await self._link.call(
            b"HMGET", chat_key(ticket, b":m"), b"state", b"gen", b"owner", f"p:{holder}".encode()
        )
        return [(value or b"").decode() for value in values]

    async def _repair(self, ticket: int, of: Routed) -> None:
        try:
            await self._waiting.agree(ticket, strays=of.hands)
        except NotFoundError:
            for department in of.listed or [""]:
                await self._queue.forget(ticket, department, strays=of.hands)


def _difference(of: Routed, state: str, gen: str, owner: str, line: str) -> str | None:
    if not state:
        return "the chat has no keys"
    if state == "queued":
        if len(of.listed) != 1:
            return "it waits and is not listed"
        return "it waits and is in an agent's hands" if of.holder or of.hands else None
    if of.listed:
        return f"it is {state} and listed"
    if state == "active":
        if not line.startswith(f"{owner} ") or of.gen != int(gen):
            return "another agent has it, or by another gen"
        return None if of.hands == [of.holder] else "it is not in its owner's hands"
    return f"it is {state} and in an agent's hands" if of.holder or of.hands or of.gen else None


def _batches(items: Iterable[tuple[int, Routed]]) -> Iterator[list[tuple[int, Routed]]]:
    left = iter(items)
    while batch := list(islice(left, BATCH)):
        yield batch
