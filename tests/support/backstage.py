"""The parts behind the chats without their processes: a real Valkey, a real database, and the worker's steps called one
by one, so that a test decides what happens in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

import chatserver.stores.migrate
import transcripts.migrate
from chatserver.actions.author import Author
from chatserver.broker.event import NOBODY
from chatserver.broker.keys import PARTITIONS
from chatserver.broker.link import Link
from chatserver.broker.log import Accepted, ChatLog
from chatserver.embedded import EmbeddedValkey
from chatserver.errors import ChatError, UnavailableError
from chatserver.ids import new_epoch, new_id
from chatserver.model.chat import ChatInfo, LiveChat, encode_info
from chatserver.model.person import CUSTOMER_RIGHTS, OWNER_RIGHTS, Participant, Person
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.queue import Queue
from chatserver.worker.finaliser import Finaliser
from chatserver.worker.leases import Leases
from chatserver.worker.persister import Persister
from chatserver.worker.reconciler import Reconciler
from tests.support.client import PATIENCE, new_chat_key, new_device
from tests.support.link import linked
from tests.support.sqlite import Database
from transcripts.database import open_database
from transcripts.entry import Entry
from transcripts.seal import Sealer, SealKey
from transcripts.search import Search
from transcripts.store import Store
from transcripts.ticket import ticket_of

SEAL_KEY = SealKey.from_bytes(bytes(range(32)))


class AllLeases(Leases):
    """A worker that has its partitions however long it sleeps: what a lease has to prevent can be tried with it."""

    def __init__(self, link: Link, partitions: Iterable[int] = range(PARTITIONS)) -> None:
        super().__init__(link)
        self._partitions = list(partitions)

    def held(self) -> list[int]:
        return self._partitions

    @property
    def leads(self) -> bool:
        return True


@dataclass
class Valkey:
    """A private Valkey in a folder of its own."""

    folder: Path

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/valkey/valkey.sock"

    def redis(self) -> Redis:
        return Redis.from_url(self.url, socket_timeout=5)

    def copy(self) -> dict[bytes, bytes]:
        """Everything it holds."""
        with self.redis() as redis:
            return {key: value for key in redis.keys("*") if (value := redis.dump(key)) is not None}

    def go_back(self, copy: dict[bytes, bytes]) -> None:
        """As after a failover, or a restart with an old file: what came after the copy never happened."""
        with self.redis() as redis:
            redis.flushall()
            for key, value in copy.items():
                redis.restore(key, 0, value)

    def begin_history(self) -> None:
        """As a start or a promotion does: another replication ID, and whoever was connected has to connect anew."""
        with self.redis() as redis:
            redis.replicaof("127.0.0.1", 1)
            redis.replicaof("NO", "ONE")
            for kind in ("pubsub", "normal"):
                redis.client_kill_filter(_type=kind, skipme=True)


@contextlib.contextmanager
def running_valkey() -> Iterator[Valkey]:
    """Not in pytest's folder: its long name would move the socket elsewhere."""
    folder = Path(tempfile.mkdtemp(prefix="chat-test-"))
    place = EmbeddedValkey(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it is meant to outlive whoever started it
        place.join()
    try:
        yield Valkey(folder)
    finally:
        place.leave()
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Writer:
    """A person at a device, in one chat."""

    author: Author
    participant: Participant
    gen: int | None = None


@dataclass
class Backstage:
    """One installation. `engine` and `link` may be wrapped by a test before it makes a worker's parts with them."""

    valkey: Valkey
    database: Database
    engine: AsyncEngine
    link: Link
    chats: Chats
    partitions: Iterable[int] = range(PARTITIONS)  # those that a worker has
    _tickets: Iterator[int] = field(default_factory=lambda: iter(range(20_000, 90_000)))

    @property
    def log(self) -> ChatLog:
        return self.chats.log

    @property
    def store(self) -> Store:
        return self.chats.store

    def persister(self, *, link: Link | None = None, engine: AsyncEngine | None = None) -> Persister:
        """A worker's persister; with parts of its own where given."""
        link, engine = link or self.link, engine or self.engine
        return Persister(link, Chats(ChatLog(link), Store(engine), Directory(engine)), AllLeases(link, self.partitions))

    def finaliser(self, *, link: Link | None = None, engine: AsyncEngine | None = None) -> Finaliser:
        link, engine = link or self.link, engine or self.engine
        sealer = Sealer(engine, SEAL_KEY, now=lambda: 1)
        queue = Queue(link, grace_seconds=45)
        return Finaliser(link, Store(engine), queue, sealer, Search(engine), AllLeases(link, self.partitions))

    def reconciler(self, *, link: Link | None = None, engine: AsyncEngine | None = None) -> Reconciler:
        """A new worker's."""
        link, engine = link or self.link, engine or self.engine
        return Reconciler(
            link, Chats(ChatLog(link), Store(engine), Directory(engine)), AllLeases(link, self.partitions)
        )

    async def answered(self) -> None:
        """Until the link has noticed that it was cut off, and stands again."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(UnavailableError):
                    await self.link.call(b"PING")
                    return
                await asyncio.sleep(0.002)

    async def keep_record(self) -> None:
        """SQL as it is now can come back."""
        await self.engine.dispose()
        await asyncio.to_thread(self.database.keep)

    async def record_goes_back(self) -> None:
        """As after an older copy of SQL was put back."""
        await self.engine.dispose()
        await asyncio.to_thread(self.database.go_back)

    async def persist(self) -> None:
        """Until nothing is left to write."""
        persister = self.persister()
        for _ in range(20):
            await persister.run_once()
            if not await self.log.work(b"dirty", range(PARTITIONS)):
                return
        raise AssertionError("the persister does not come to an end")

    async def open(self, text: str = "Hello", *, customer: Writer | None = None) -> tuple[int, Writer]:
        """A chat with its first message; the customer's next `n` is 2."""
        ticket = ticket_of(next(self._tickets))
        person = customer.author.person if customer else Person(new_id(), "customer")
        device = customer.author.device if customer else new_device()
        author = Author(person, device, NOBODY)
        me = Participant(author.participant(ticket), person.id, "customer", CUSTOMER_RIGHTS)
        info = ChatInfo(person.id, "default", "support", "Support", new_chat_key())
        at = await self.log.open(
            author.draft(ticket, "opened", me, 0, data={"department": "support"}),
            author.draft(ticket, "message", me, 1, text=text),
            participant=me,
            info=encode_info(info),
            epoch=new_epoch(),
            origin=NOBODY,
            create=True,
        )
        assert at
        return ticket, Writer(author, me)

    async def assign(self, ticket: int, *, gen: int = 1, name: str = "Ann", n: int = 1) -> Writer:
        """An agent has the chat; their next `n` is n + 1."""
        author = Author(Person(new_id(), "agent", name), new_device(), NOBODY)
        me = Participant(author.participant(ticket), author.person.id, "agent", OWNER_RIGHTS, name)
        draft = author.draft(ticket, "assigned", me, n, data={"owner": me.id, "name": name, "gen": gen})
        await self.log.assign(draft, gen=gen, participant=me, origin=NOBODY)
        return Writer(author, me, gen)

    async def send(self, writer: Writer, ticket: int, n: int, text: str | None, kind: str = "message") -> Accepted:
        """Straight into the log, with nobody who looks behind an answer.

        Raises:
            ChatError: what the script said.
        """
        answer: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
        sets = (("state", "closing"), ("closed_at", "@at"), ("close_reason", "agent")) if kind == "closed" else ()
        draft = writer.author.draft(
            ticket,
            kind,
            writer.participant,
            n,
            text=text,
            data={"reason": "agent"} if kind == "closed" else None,
            right={"closed": "close", "note": "note"}.get(kind, "post"),
            audience="staff" if kind == "note" else "all",
            gen=writer.gen,
            sets=sets,
        )
        self.log.send(draft, NOBODY, answer.set_result)
        found = await answer
        if isinstance(found, ChatError):
            raise found
        return found

    async def live(self, ticket: int) -> LiveChat:
        """The chat as Redis has it."""
        return await self.log.head(ticket)

    async def entries(self, ticket: int) -> list[Entry]:
        """The chat as SQL has it."""
        return await self.store.entries(ticket, limit=10_000, staff=True)


@contextlib.asynccontextmanager
async def backstage(valkey: Valkey, database: Database) -> AsyncIterator[Backstage]:
    """An empty installation on this Valkey, with this database."""
    with valkey.redis() as redis:
        redis.flushall()
    engine = open_database(database.url)
    await transcripts.migrate.upgrade(engine)
    await chatserver.stores.migrate.upgrade(engine, site_name="Shop", site_origins=())
    async with linked(valkey.url) as link:
        try:
            yield Backstage(valkey, database, engine, link, Chats(ChatLog(link), Store(engine), Directory(engine)))
        finally:
            await engine.dispose()


__all__ = ["SEAL_KEY", "AllLeases", "Backstage", "Valkey", "Writer", "backstage", "running_valkey"]
