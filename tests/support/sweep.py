"""A sweeper's hands in the test's own process, to stop between its moves and to look at the routing slot."""

from __future__ import annotations

import asyncio

from chatserver.actions.assigning import Assigning
from chatserver.actions.releasing import Releasing
from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import routing
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.presence import Presence
from chatserver.stores.queue import Queue
from chatserver.worker.sweeper import Sweeper
from tests.support.backstage import AllLeases
from tests.support.client import PATIENCE, Socket
from tests.support.server import RunningServer
from transcripts.database import open_database
from transcripts.store import Store

HOUR = 3600.0


class Sweep:
    """On the server's Valkey and database. Use as an asynchronous context manager."""

    def __init__(self, server: RunningServer) -> None:
        self.engine = open_database(f"sqlite:///{server.data}/chat.db")
        self.link = link = Link(
            f"unix://{server.data}/valkey/valkey.sock", on_push=lambda *_: None, on_subscribed=lambda _: None
        )
        self.chats = Chats(ChatLog(link), Store(self.engine), Directory(self.engine))
        self.queue = Queue(link, grace_seconds=HOUR)
        self.waiting = Waiting(self.chats, self.queue)
        self.releasing = Releasing(self.chats, self.queue, self.waiting)
        self.assigning = Assigning(self.chats, self.queue, self.waiting)
        self.presence = Presence(link, lease_seconds=HOUR, grace_seconds=HOUR)

    async def __aenter__(self) -> Sweep:
        await self.link.start()
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.engine.dispose()
        await self.link.stop()

    def sweeper(self) -> Sweeper:
        """Of a worker that has all partitions."""
        return Sweeper(
            self.link,
            self.queue,
            self.presence,
            AllLeases(self.link),
            waiting=self.waiting,
            assigning=self.assigning,
            releasing=self.releasing,
        )

    async def lose(self, agent: Socket) -> str:
        """The agent's connections end, and so does their grace; their id."""
        agent_id: str = agent.welcome["person"]["id"]
        await agent.cut()
        await self.until_away(agent_id)
        await self.link.call(b"ZADD", routing("away"), 1, agent_id)
        return agent_id

    async def until_away(self, agent_id: str) -> None:
        """Waits until the node has said that the agent is gone."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if await self.link.call(b"ZSCORE", routing("away"), agent_id) is not None:
                    return
                await asyncio.sleep(0.01)

    async def begin_anew(self) -> None:
        """Nobody has or waits for anything."""
        for key in await self.link.call(b"KEYS", routing("*")):
            if not key.startswith((routing("node"), routing("installation"))):
                await self.link.call(b"DEL", key)

    async def hands(self, agent_id: str) -> set[int]:
        """The chats that the routing slot says are this agent's."""
        return {int(ticket) for ticket in await self.link.call(b"SMEMBERS", routing(f"mine:{agent_id}"))}

    async def waits(self, ticket: int) -> bool:
        return await self.link.call(b"ZSCORE", routing("wait:support"), ticket) is not None

    async def held(self, ticket: int) -> str:
        return ((await self.link.call(b"HGET", routing("asg"), ticket)) or b"").decode()

    async def pending(self, ticket: int) -> bool:
        return await self.link.call(b"ZSCORE", routing("pend"), ticket) is not None

    async def sweep_up(self) -> None:
        """Everything that is pending, as if its time had come."""
        for step in await self.queue.overdue(2**52):
            await (self.assigning.confirm(step) if step.agent_id else self.releasing.complete(step))
