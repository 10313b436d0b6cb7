"""A web process and a worker inside the test: their parts called one by one, so that a fault hits between two steps."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis

from chatserver.actions.author import Author
from chatserver.actions.opening import Opened
from chatserver.app import ChatServer, create_app
from chatserver.broker.event import NOBODY, decode_event
from chatserver.broker.keys import PARTITIONS, routing, work_list
from chatserver.broker.log import Accepted
from chatserver.config import Settings
from chatserver.errors import ChatError
from chatserver.ids import new_id
from chatserver.keys import Keys
from chatserver.model.person import Person
from chatserver.preflight import migrate
from chatserver.stores.directory import NewAgent
from chatserver.web.services import Services
from chatserver.wire import commands
from chatserver.worker.worker import Worker
from tests.support.client import new_device
from tests.support.waiting import until

# Also when Redis is full.
_DUE = """#!lua flags=allow-oom
for _, ticket in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', KEYS[1], 1, ticket) end
return 1
"""


@dataclass
class Node:
    """One web process' actions, and one worker's rounds."""

    app: ChatServer
    worker: Worker
    agent: Person
    colleague: Person
    redis: Redis  # past every fault

    @property
    def services(self) -> Services:
        return self.app.services

    def customer(self) -> Author:
        return Author(Person(new_id(), "customer"), new_device(), NOBODY)

    def staff(self) -> Author:
        return Author(self.agent, new_device(), NOBODY)

    @property
    def other(self) -> Author:
        """A colleague of the agent's, always at the same device."""
        return Author(self.colleague, "colleague-" * 2, NOBODY)

    # -- commands, once each

    async def open(self, author: Author, key: str, text: str = "Hello") -> Opened:
        command = commands.OpenChat(id=1, chat_key=key, text=text)
        return await self.services.opening.open_chat(
            author, command, site="default", before_new=partial(self.services.secrets.take_open, author.person.id)
        )

    async def take(self, author: Author, ticket: int) -> tuple[Accepted, int]:
        taken = await self.services.assigning.take_chat(author, commands.TakeChat(id=1, ticket=ticket, n=1))
        return taken.accepted, taken.gen

    async def post(self, author: Author, ticket: int, n: int, text: str, **more: Any) -> Accepted:
        return await self._said(
            self.services.messages.post_message,
            author,
            commands.PostMessage(id=1, ticket=ticket, n=n, text=text, **more),
        )

    async def note(self, author: Author, ticket: int, n: int, text: str) -> Accepted:
        return await self._said(
            self.services.messages.post_note, author, commands.PostNote(id=1, ticket=ticket, n=n, text=text)
        )

    async def _said(self, action: Any, author: Author, command: Any) -> Accepted:
        future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

        def done(answer: Accepted | ChatError, text: str | None) -> None:
            if isinstance(answer, ChatError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

        action(author, command, author.as_participant(command.ticket), done)
        return await future

    async def close(self, author: Author, ticket: int, n: int, gen: int | None = None) -> Accepted:
        return await self.services.ending.close_chat(author, commands.CloseChat(id=1, ticket=ticket, n=n, gen=gen))

    async def rate(self, author: Author, ticket: int, n: int, rating: int) -> Accepted:
        accepted, _ = await self.services.ending.rate_chat(
            author, commands.RateChat(id=1, ticket=ticket, n=n, rating=rating, text="Fine")
        )
        return accepted

    # -- behind them

    async def ready(self, *, ready: bool = True) -> None:
        """Until both links, the web process's and the worker's, stand again, or have noticed that they do not."""
        links = (self.services.link, self.worker._link)
        await until(lambda: all(link.ready is ready for link in links))

    async def work(self) -> None:
        """The worker's rounds, much later: half-done steps are due, all goes to SQL, what has ended is sealed."""
        for name in (routing("pend"), *(work_list(b"todo", number) for number in range(PARTITIONS))):
            self.redis.eval(_DUE, 1, name)
        await self.worker._leases.renew()
        for _ in range(2):
            await self.worker._sweeper.run_once()
            await self.worker._persister.run_once()
            await self.worker._finaliser.run_once()

    async def log(self, ticket: int) -> list[dict[str, Any]]:
        """All entries of a chat."""
        page = await self.services.chats.page(ticket)
        assert not page.more
        return [decode_event(event) for event in page.events]

    def waiting(self, department: str = "support") -> list[int]:
        """The waiting list."""
        return [int(ticket) for ticket in self.redis.zrange(routing(f"wait:{department}"), 0, -1)]

    def owners(self, ticket: int) -> str:
        """Who has it, as the routing slot says: `agent|gen`, or nothing."""
        held = self.redis.hget(routing("asg"), str(ticket))
        return held.decode() if isinstance(held, bytes) else ""

    def mine(self) -> set[int]:
        """The agent's list."""
        return {int(ticket) for ticket in self.redis.smembers(routing(f"mine:{self.agent.id}"))}  # type: ignore[union-attr]  # not asynchronous

    def undone(self, ticket: int) -> list[str]:
        """Work lists about steps that the chat is still on."""
        names = [routing("pend"), *(work_list(b"todo", number) for number in range(PARTITIONS))]
        return [name.decode() for name in names if self.redis.zscore(name, str(ticket)) is not None]


@asynccontextmanager
async def running_node(redis_url: str, direct: Path) -> AsyncIterator[Node]:
    """A node that reaches Redis by this URL, and its worker, which goes directly to the socket."""
    with tempfile.TemporaryDirectory(prefix="chat-node-") as folder:
        settings = Settings(data=Path(folder))
        keys = Keys(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
        await migrate(settings, rewrite_site=True)
        app = create_app(settings, keys, redis_url=redis_url)
        worker = Worker(settings, keys, redis_url=f"unix://{direct}")
        with Redis(unix_socket_path=str(direct), socket_timeout=5) as redis:
            redis.flushall()
            async with app._lifespan(app._http):
                await worker._link.start()
                try:
                    ann, ben = [
                        await app.services.directory.add_agent(
                            NewAgent(f"{name}@shop.example", name, "agent", ("support",), password="x" * 12)
                        )
                        for name in ("Ann", "Ben")
                    ]
                    yield Node(app, worker, ann, ben, redis)
                finally:
                    await worker._link.stop()
                    await worker._engine.dispose()
