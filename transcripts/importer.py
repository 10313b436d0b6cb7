"""Bringing chats of another system into the record (docs/importing.md): closed, masked, sealed, indexed.

A chat is written as a whole or not at all, and its `external_id` is its lasting name: the same file again, after a
crash or with more lines, gives the same tickets and nothing twice.
"""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.database import read
from transcripts.errors import ImportLineError, TranscriptError
from transcripts.import_line import Item, Parsed, Read, batch_of, parse_line, read_line
from transcripts.masking import EVERYTHING, Masker
from transcripts.seal import Sealer
from transcripts.search import Search
from transcripts.store import Store

AT_ONCE = 400
"""Chats written in one transaction."""


@dataclass(frozen=True)
class Imported:
    """A chat that is in the record now. A line without an `external_id` has got one from its content."""

    external_id: str
    ticket: int


class People(Protocol):
    """The caller's customers and agents."""

    async def customers(self, people: list[dict[str, Any]]) -> list[str]:
        """Our ids for these customers, in order, made where they are new and then unverified.

        Each is `{"id", "name", "email"}`, any of them None; `id` is the site's external id. No id and no email: an
        anonymous customer.
        """

    async def agents(self, people: list[dict[str, Any]]) -> list[str]:
        """Our ids for these agents, in order. Each is `{"name", "email"}`. New ones cannot sign in."""


Allocate = Callable[[int], Awaitable[Sequence[int]]]
"""Gives that many new ticket numbers."""


async def import_chats(
    engine: AsyncEngine,
    items: Iterable[Item],
    *,
    allocate: Allocate,
    people: People,
    sealer: Sealer,
    read: Read = read_line,
    masker: Masker = EVERYTHING,
    on_progress: Callable[[int], None] | None = None,
    on_error: Callable[[ImportLineError], None] | None = None,
) -> AsyncIterator[Imported]:
    """Imports chats; yields each once it is durable, sealed and findable, in the order of the file.

    Args:
        engine: the database, migrated.
        items: the chats of the file (`import_line.numbered`, `foreign.items_of`).
        allocate: gives ticket numbers.
        people: gives customers' and agents' ids.
        sealer: seals.
        read: what reads the form they are written in (`foreign.SYSTEMS`).
        masker: what is masked; every built-in kind unless told.
        on_progress: called with the number of chats done, after each transaction.
        on_error: called for a line that cannot be read, which is then left out. Without it the import ends there with
            the error; what stood before is imported and yielded.

    Raises:
        ImportLineError: a bad line, named with its field. Nothing of it was written.
        StoreUnavailableError: the database does not answer. Run the import again.
    """
    work = _Import(engine, allocate, people, sealer)
    waiting: list[Parsed] = []
    number = 0
    failed: ImportLineError | None = None
    for number, item in enumerate(items, start=1):
        try:
            waiting.append(parse_line(item, work.now, read, masker))
        except ImportLineError as exc:
            if on_error is None:
                failed = exc
                break
            on_error(exc)
        if len(waiting) == AT_ONCE:
            for imported in await work.write(waiting):
                yield imported
            waiting = []
            if on_progress is not None:
                on_progress(number)
    for imported in await work.write(waiting):
        yield imported
    if failed is not None:
        raise failed
    if on_progress is not None:
        on_progress(number)


class _Import:
    """One run of an import."""

    def __init__(self, engine: AsyncEngine, allocate: Allocate, people: People, sealer: Sealer) -> None:
        self.now = time.time_ns() // 1_000_000
        self._engine = engine
        self._store = Store(engine)
        self._search = Search(engine)
        self._allocate = allocate
        self._people = people
        self._sealer = sealer

    async def write(self, parsed: list[Parsed]) -> list[Imported]:
        """Writes what is not there yet, and finishes what an earlier run may have left unsealed or unindexed."""
        if not parsed:
            return []
        names = list(dict.fromkeys(one.external_id for one in parsed))
        known = await self._store.tickets_of_external(names)
        fresh = {one.external_id: one for one in reversed(parsed) if one.external_id not in known}
        if fresh:
            await self._append([fresh[name] for name in names if name in fresh])
            known = await self._store.tickets_of_external(names)
        if missing := [name for name in names if name not in known]:
            raise TranscriptError(f"chat {missing[0]!r} could not be written")
        await self._finish(list(known.values()))
        return [Imported(one.external_id, known[one.external_id]) for one in parsed]

    async def _append(self, parsed: list[Parsed]) -> None:
        customers = await self._customers(parsed)
        agents = await self._agents(parsed)
        tickets = await self._allocate(len(parsed))
        batches = [
            batch_of(
                one,
                ticket=ticket,
                epoch=random.getrandbits(32),
                customer_id=customer_id,
                agent_id=agent_id,
            )
            for one, ticket, customer_id, agent_id in zip(parsed, tickets, customers, agents, strict=True)
        ]
        # A conflict can only be another import of the same file that was quicker; then its chats are the ones.
        await self._store.append(batches)

    async def _customers(self, parsed: list[Parsed]) -> list[str]:
        """One id a chat; the same person is asked for once."""
        asked: dict[Any, dict[str, Any]] = {}
        keys: list[Any] = []
        for one in parsed:
            person = one.customer
            external = None if person.id is None else str(person.id)
            key = (
                external if external is not None else ("email", person.email) if person.email else ("line", one.number)
            )
            keys.append(key)
            asked.setdefault(key, {"id": external, "name": person.name, "email": person.email})
        ids = dict(zip(asked, await self._people.customers(list(asked.values())), strict=True))
        return [ids[key] for key in keys]

    async def _agents(self, parsed: list[Parsed]) -> list[str | None]:
        asked: dict[tuple[str | None, str | None], dict[str, Any]] = {}
        for one in parsed:
            agent = one.line.agent
            if agent is not None and (agent.email or agent.name):
                asked.setdefault((agent.email, agent.name), {"name": agent.name, "email": agent.email})
        if not asked:
            return [None] * len(parsed)
        ids = dict(zip(asked, await self._people.agents(list(asked.values())), strict=True))
        agents = [one.line.agent for one in parsed]
        return [None if agent is None else ids.get((agent.email, agent.name)) for agent in agents]

    async def _finish(self, tickets: list[int]) -> None:
        chats = schema.chats.c
        unfinished = (chats.sealed_seq < chats.last_seq) | (chats.state == "closing")
        async with read(self._engine) as connection:
            question = select(chats.ticket).where(chats.ticket.in_(tickets))
            unsealed = list(await connection.scalars(question.where(unfinished)))
            unindexed = list(await connection.scalars(question.where(chats.indexed_seq < chats.last_seq)))
        if unsealed:
            await self._sealer.seal_many(unsealed)
        if unindexed:
            await self._search.index(unindexed)
