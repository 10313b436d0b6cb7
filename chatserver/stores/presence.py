"""Which web processes live and which agents are connected to them: leases of nodes in the routing slot.

An agent is online exactly while some live node says so. Every report of a node is whole (all agents it has) and
counted, so a repeated or late one does no harm, and an emptied Redis is right again after the next one.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection

from chatserver.broker.keys import routing
from chatserver.broker.link import Link


class Presence:
    """One node's lease, and the view of all.

    Raises (all methods):
        UnavailableError: Redis does not answer. A lease that is not renewed runs out by itself.
    """

    def __init__(self, link: Link, *, lease_seconds: float, grace_seconds: float) -> None:
        self._link = link
        self.node = secrets.token_hex(8)
        self.lease_seconds = lease_seconds
        self._grace_ms = int(grace_seconds * 1000)
        self._reports = 0

    async def report(self, agents: Collection[str]) -> bool:
        """Renews the lease and says which agents (person ids) are connected to this node; whoever was and is not any
        more, nor elsewhere, begins their grace.

        Returns:
            Whether Redis knew this node. Not at its first report; later it means that Redis has lost data.
        """
        return await self._say(int(self.lease_seconds * 1000), agents)

    async def leave(self) -> None:
        """This node ends in order: nobody is connected to it any more."""
        await self._say(0, ())

    async def other_nodes(self) -> int:
        """How many live nodes there are beside this one."""
        seconds, micros = await self._link.call(b"TIME")
        now = int(seconds) * 1000 + int(micros) // 1000
        nodes = await self._link.call(b"ZRANGE", routing("nodes"), f"({now}", b"+inf", b"BYSCORE")
        return sum(node.decode() != self.node for node in nodes)

    async def sweep(self) -> tuple[int, list[str]]:
        """Takes off nodes whose lease is over.

        Returns:
            How many those were, and the agents whose grace is over and who own chats.
        """
        dead, agents = await self._link.script(
            "presence_sweep",
            (routing("nodes"), routing("away")),
            (self._grace_ms, int(self.lease_seconds * 1000)),
        )
        return dead, [agent.decode() for agent in agents]

    async def _say(self, lease_ms: int, agents: Collection[str]) -> bool:
        self._reports += 1
        known = await self._link.script(
            "presence_say",
            (routing("nodes"), routing("away")),
            (self.node, self._reports, lease_ms, self._grace_ms, *agents),
        )
        return bool(known)
