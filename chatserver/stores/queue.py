"""The routing slot: waiting lists of the departments, who owns which chat, and the topics that consoles watch.

Two agents can never take one chat: taking is one script, and its `gen` decides in the chat's own slot. The steps that
need both slots begin here, are pending until the chat's own slot has followed, and may be completed by anybody
(docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chatserver.broker.event import decode_event
from chatserver.broker.keys import routing
from chatserver.broker.link import Link
from chatserver.errors import AlreadyAssignedError, NotFoundError
from chatserver.model.chat import LiveChat, queue_item

SHOWN = 200  # items of a waiting list in a snapshot
RELEASED_AT_ONCE = 100
ASKED_AT_ONCE = 500  # for their places
_SLOT = (routing("asg"),)

_encode = msgspec.msgpack.Encoder().encode


def department_topic(department: str) -> str:
    """The topic of a department's waiting list."""
    return f"department:{department}"


@dataclass(frozen=True)
class TopicState:
    """A topic as it is at a version."""

    version: int
    count: int
    items: list[dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """A hand-over to an agent, or without one a release, that the chat's own slot has not confirmed in time."""

    ticket: int
    agent_id: str
    gen: int


@dataclass
class Routed:
    """What the routing slot says of one chat."""

    listed: list[str] = field(default_factory=list)
    hands: list[str] = field(default_factory=list)
    holder: str = ""
    gen: int = 0
    pending: bool = False


class Queue:
    """Waiting lists and assignments. `grace_seconds` is what an agent gets who owns a chat and is not connected.

    Raises (all methods):
        UnavailableError: Redis does not answer.
    """

    def __init__(self, link: Link, *, grace_seconds: float) -> None:
        self._link = link
        self._grace_ms = int(grace_seconds * 1000)

    async def agree(self, chat: LiveChat, *, preview: str | None = None, strays: Iterable[str] = ()) -> bool:
        """Makes the routing slot agree with the chat: on its waiting list, in its owner's hands, or off everything.
        Doing it again does nothing. `strays` are agents with whom it was found by mistake.

        Returns:
            False if the routing slot is ahead: a hand-over or release was begun, which stays and is pending.
        """
        owner = chat.owner_participant()
        item = queue_item(chat.ticket, chat.opened_at, chat.info, preview)
        reply = await self._link.script(
            "queue_agree",
            _SLOT,
            (
                chat.ticket,
                chat.info.department,
                _place(chat),
                chat.gen,
                owner.person_id if owner else "",
                chat.opened_at,
                _encode(item),
                self._grace_ms,
                *strays,
            ),
        )
        return bool(reply == 1)

    async def take(self, ticket: int, *, department: str, agent_id: str, agent_name: str, gen: int) -> int:
        """Gives the chat to the agent; the new `gen`. The hand-over is pending until `confirm`.

        Raises:
            AlreadyAssignedError: `details["agent"]` was quicker.
            NotFoundError: it does not wait in this department.
        """
        reply = await self._link.script(
            "queue_take", _SLOT, (ticket, department, agent_id, agent_name, gen, self._grace_ms)
        )
        if reply[0] == b"already_assigned":
            raise AlreadyAssignedError(agent=reply[1].decode())
        if reply[0] == b"not_found":
            raise NotFoundError
        return int(reply[0])

    async def confirm(self, step: Step) -> None:
        """The chat's own slot knows its owner."""
        await self._link.script("queue_confirm", _SLOT, (step.ticket, step.agent_id, step.gen))

    async def undo(self, step: Step) -> None:
        """The hand-over cannot be confirmed; the chat is nobody's until `agree`."""
        await self._link.script("queue_undo", _SLOT, (step.ticket, step.agent_id, step.gen))

    async def release(self, agent_id: str) -> list[Step]:
        """Takes the chats of an agent whose grace is over out of their hands, if they are not back at this instant.
        Each release is pending until `agree`.
        """
        flat = await self._link.script("queue_release", _SLOT, (agent_id, RELEASED_AT_ONCE))
        return [Step(int(flat[i]), "", int(flat[i + 1])) for i in range(0, len(flat), 2)]

    async def overdue(self, now: int, limit: int = 100) -> list[Step]:
        """Steps that nobody confirmed in time."""
        tickets = await self._link.call(b"ZRANGE", routing("pend"), b"-inf", now, b"BYSCORE", b"LIMIT", 0, limit)
        return [await self._step(int(ticket)) for ticket in tickets]

    async def _step(self, ticket: int) -> Step:
        held = await self._link.call(b"HGET", routing("asg"), ticket)
        agent, _, gen = held.decode().partition("|") if held else ("", "", "0")
        return Step(ticket, agent, int(gen))

    async def forget(self, ticket: int, department: str = "", strays: Iterable[str] = ()) -> None:
        """There is no such chat any more: off everything."""
        await self._link.script(
            "queue_agree", _SLOT, (ticket, department, "ended", 0, "", 0, b"", self._grace_ms, *strays)
        )

    async def routed(self, departments: Iterable[str], agents: Iterable[str]) -> dict[int, Routed]:
        """What the routing slot says of every chat that stands anywhere in it. Not one moment's picture."""
        found: dict[int, Routed] = {}

        def of(ticket: bytes) -> Routed:
            return found.setdefault(int(ticket), Routed())

        for department in departments:
            for ticket in await self._link.call(b"ZRANGE", routing(f"wait:{department}"), 0, -1):
                of(ticket).listed.append(department)
        for agent in agents:
            for ticket in await self._link.call(b"SMEMBERS", routing(f"mine:{agent}")):
                of(ticket).hands.append(agent)
        cursor = b"0"
        while True:
            cursor, flat = await self._link.call(b"HSCAN", routing("asg"), cursor, b"COUNT", 500)
            for at in range(0, len(flat), 2):
                agent, _, gen = flat[at + 1].decode().partition("|")
                of(flat[at]).holder, of(flat[at]).gen = agent, int(gen)
            if cursor == b"0":
                break
        for ticket in await self._link.call(b"ZRANGE", routing("pend"), 0, -1):
            of(ticket).pending = True
        return found

    async def snapshot(self, topic: str) -> TopicState:
        """A topic's state and version."""
        kind, _, name = topic.partition(":")
        source = routing(f"wait:{name}" if kind == "department" else f"mine:{name}")
        version, count, flat = await self._link.script(
            "queue_snapshot", (source, routing("items"), routing("ver")), (topic, SHOWN)
        )
        return TopicState(version, count, [decode_event(flat[i]) for i in range(1, len(flat), 2)])

    async def places(self, department: str, tickets: list[int]) -> tuple[dict[int, int], int]:
        """The place of each waiting chat (1 is next), and how many wait."""
        key = routing(f"wait:{department}")
        places, waiting = dict[int, int](), 0
        for at in range(0, len(tickets), ASKED_AT_ONCE):
            some = tickets[at : at + ASKED_AT_ONCE]
            *ranks, waiting = await self._link.calls([*((b"ZRANK", key, one) for one in some), (b"ZCARD", key)])
            places |= {one: int(rank) + 1 for one, rank in zip(some, ranks, strict=True) if rank is not None}
        return places, int(waiting)


def _place(chat: LiveChat) -> str:
    """Where the chat belongs, as `queue_agree` takes it."""
    if chat.state not in ("queued", "active"):
        return "ended"  # `waiting` too: a chat of mode `mail` stands on no list
    return "active" if chat.owner_participant() else "queued"
