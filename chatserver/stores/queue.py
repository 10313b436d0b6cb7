"""The routing slot: waiting lists of the departments, who owns which chat, and the topics that consoles watch.

Two agents can never take one chat: taking is one script, and its `gen` decides in the chat's own slot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from chatserver.broker.event import decode_event, open_ended_parts, topicless_parts, versioned_parts
from chatserver.broker.keys import routing, topic_channel
from chatserver.broker.link import Link
from chatserver.errors import AlreadyAssignedError, NotFoundError

SHOWN = 200  # items of a waiting list in a snapshot

_encode = msgspec.msgpack.Encoder().encode


def department_topic(department: str) -> str:
    """The topic of a department's waiting list."""
    return f"department:{department}"


def agent_topic(agent_id: str) -> str:
    """The topic of an agent's own chats."""
    return f"agent:{agent_id}"


@dataclass(frozen=True)
class TopicState:
    """A topic as it is at a version."""

    version: int
    count: int
    items: list[dict[str, Any]]


class Queue:
    """Waiting lists and assignments.

    Raises (all methods):
        UnavailableError: Redis does not answer.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def add(self, ticket: int, *, department: str, since: int, item: dict[str, Any]) -> None:
        """Puts a chat on the waiting list; doing it again does nothing."""
        topic = department_topic(department)
        head, body = versioned_parts(topic=topic, type="queued", item=item)
        await self._link.script(
            "queue_add",
            (routing(f"wait:{department}"), routing("items"), routing("asg"), routing("ver")),
            (ticket, since, _encode(item), topic, topic_channel(topic), head, body),
        )

    async def take(self, ticket: int, *, department: str, agent_id: str, agent_name: str, gen: int) -> int:
        """Gives the chat to the agent; the new `gen`. The hand-over is pending until `confirm`.

        Raises:
            AlreadyAssignedError: `details["agent"]` was quicker.
            NotFoundError: it does not wait in this department.
        """
        of_department, of_agent = department_topic(department), agent_topic(agent_id)
        head_left, body_left = versioned_parts(topic=of_department, type="left", ticket=ticket, taken_by=agent_name)
        head_assigned, body_assigned = open_ended_parts(topic=of_agent, type="assigned", last="item")
        reply = await self._link.script(
            "queue_take",
            (
                routing(f"wait:{department}"),
                routing("items"),
                routing("asg"),
                routing("ver"),
                routing(f"mine:{agent_id}"),
                routing("pend"),
            ),
            (
                ticket,
                agent_id,
                gen,
                of_department,
                topic_channel(of_department),
                of_agent,
                topic_channel(of_agent),
                head_left,
                body_left,
                head_assigned,
                body_assigned,
            ),
        )
        if reply[0] == b"already_assigned":
            raise AlreadyAssignedError(agent=reply[1].decode())
        if reply[0] == b"not_found":
            raise NotFoundError
        return int(reply[0])

    async def confirm(self, ticket: int) -> None:
        """The chat's own slot knows its owner."""
        await self._link.call(b"ZREM", routing("pend"), ticket)

    async def remove(self, ticket: int, *, department: str) -> None:
        """The chat has ended: off the list, out of its agent's hands."""
        topic = department_topic(department)
        head_left, body_left = versioned_parts(topic=topic, type="left", ticket=ticket)
        head_released, body_released = topicless_parts(type="released", ticket=ticket)
        await self._link.script(
            "queue_remove",
            (routing(f"wait:{department}"), routing("items"), routing("asg"), routing("ver"), routing("pend")),
            (ticket, topic, topic_channel(topic), head_left, body_left, head_released, body_released),
        )

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
        ranks = [await self._link.call(b"ZRANK", key, ticket) for ticket in tickets]
        waiting = int(await self._link.call(b"ZCARD", key))
        return {ticket: int(rank) + 1 for ticket, rank in zip(tickets, ranks, strict=True) if rank is not None}, waiting

    async def overdue(self, now: int, limit: int = 100) -> list[tuple[int, str, int]]:
        """Hand-overs that nobody confirmed in time: (ticket, agent, gen)."""
        tickets = await self._link.call(b"ZRANGE", routing("pend"), b"-inf", now, b"BYSCORE", b"LIMIT", 0, limit)
        found = []
        for ticket in tickets:
            held = await self._link.call(b"HGET", routing("asg"), ticket)
            agent, _, gen = held.decode().partition("|") if held else ("", "", "0")
            found.append((int(ticket), agent, int(gen)))
        return found
