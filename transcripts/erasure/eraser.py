"""Erases chats, entries and people: in SQL, in every other place, on the disk; looks again; says so.

Killed at any point, the same call again ends the same: what is erased stays erased, and the places are cleaned and read
each time.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Delete, LargeBinary, Text, Update, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.append import append_in
from transcripts.database import read, repeated, write
from transcripts.entry import ChatBatch
from transcripts.erasure import interrupted
from transcripts.erasure.certificate import Certificate, Searched
from transcripts.erasure.chat import bodies_of, check_entries, ended_chat, erased_chat, redacted
from transcripts.erasure.database import database_files, holds
from transcripts.erasure.places import Look, Place
from transcripts.erasure.rules import RECORD, Rule, Subject, samples_of
from transcripts.erasure.run import Run
from transcripts.errors import ErasureError, HoleError
from transcripts.holds import SamePeople, each_alone
from transcripts.holds import check as check_holds
from transcripts.ids import new_id
from transcripts.seal import Sealer
from transcripts.search import Search

BATCH = 50
"""Chats at a time: what is said of them is in memory, and whoever shares the process waits for no more than these."""

_TRIES = 3
_PAUSE_SECONDS = 0.5

_chats = schema.chats.c


@dataclass(frozen=True)
class Plan:
    """What an erasure would change: {ticket: entries that have a body}, {table: rows}."""

    subject: Subject
    entries: dict[int, int]
    rows: dict[str, int]


@dataclass(frozen=True)
class Swept:
    """What became of the chats that were to go. Without a certificate there was nothing to do.

    `left` says why a chat has stayed as it is, or is not clean everywhere yet.
    """

    certificate: Certificate | None
    left: dict[int, str]


Keep = Callable[[AsyncConnection, Certificate], Awaitable[None]]
"""Writes the certificate down, in the transaction that ends the erasure: it is kept, or the erasure has not ended."""


async def _with_the_caller(connection: AsyncConnection, certificate: Certificate) -> None:
    """Keeps nothing."""


LeftPeople = Callable[[AsyncConnection, Sequence[str] | None], Awaitable[Sequence[str]]]
"""Customers of whom nothing is left but who they are; asked for all, and again for those who are about to go."""


async def _nobody(connection: AsyncConnection, among: Sequence[str] | None) -> Sequence[str]:
    return ()


class Eraser:
    """Erases in one database and the places that keep copies of it."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        *,
        rules: Sequence[Rule] = RECORD,
        places: Sequence[Place] = (),
        keep: Keep = _with_the_caller,
        same: SamePeople = each_alone,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._engine, self._sealer, self._search = engine, sealer, Search(engine)
        self._rules, self._keep, self._now = tuple(rules), keep, now
        self._places = (database_files(engine, self._rules), *places)
        self._same = same

    async def plan(self, subject: Subject) -> Plan:
        """What would be erased; changes nothing.

        Raises:
            ErasureError: a chat or an entry that is not there, or a chat that has not ended.
            HeldError: a chat or a customer on legal hold.
        """
        async with read(self._engine) as connection:
            await check_holds(connection, subject.tickets, subject.customers, same=self._same)
            for ticket in subject.tickets:
                await ended_chat(connection, ticket)
            await check_entries(connection, subject)
            entries = {ticket: len(await bodies_of(connection, subject, ticket)) for ticket in subject.tickets}
            rows: dict[str, int] = {}
            for rule in self._rules:
                where = rule.where(subject)
                if where is not None:
                    count = select(func.count()).select_from(rule.table).where(where)
                    _note(rows, rule, await connection.scalar(count) or 0)
        return Plan(subject, entries, rows)

    async def erase(self, subject: Subject) -> Certificate:
        """Erases, cleans every place and reads it; the signed certificate.

        Raises:
            ErasureError: as `plan`; or something is not in SQL yet (nothing is changed then); or something was still
                found on the disk (what is said in SQL is gone; run it again).
            StoreUnavailableError: the database does not answer.
        """
        await self.plan(subject)
        for place in self._places:
            await place.settle(subject.tickets)
        run = Run(subject.customers)
        # First: when their chats are gone, so is what they have called themselves there, and mail waits under it.
        people = replace(subject, tickets=(), entries=())
        run.look_for(await self._samples(people))
        run.count(await repeated(lambda: self._erase_people(people)))
        for some in _batches(subject.tickets):
            await self._erase_chats(Subject(some, subject.entries), run)
        return await self._end(run)

    async def interrupted_people(self, called: str) -> tuple[str, ...]:
        """The customers of an erasure that was interrupted, by how they were called in it."""
        async with read(self._engine) as connection:
            return await interrupted.people(connection, called=called, key=self._sealer.key)

    async def sweep(
        self,
        tickets: Sequence[int],
        *,
        left_people: LeftPeople = _nobody,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Swept:
        """Erases whole chats, many in one run: every place is cleaned and read once, at the end. Chats of which an
        interrupted erasure has left traces are cleaned along.

        What is held, has not ended or is busy stays as it is, and does not hold up the others.

        Args:
            tickets: the chats.
            left_people: who goes with the last of their chats; asked when the chats are gone.
            on_progress: called with the number of chats done and of all, between batches. What it raises ends the run
                there; the next one cleans what this one has erased.

        Raises:
            ErasureError: something was still found on the disk.
            StoreUnavailableError: the database does not answer.
        """
        run, left = Run(), dict[int, str]()
        async with read(self._engine) as connection:
            begun = await interrupted.chats(connection)
        for some in _batches(begun):
            await self._clean_up(some, run, left)
        for done in range(0, len(tickets), BATCH):
            on_progress(done, len(tickets))
            ready = []
            for ticket in tickets[done : done + BATCH]:
                with _leaving(ticket, left):
                    await self.plan(Subject((ticket,)))
                    for place in self._places:
                        await place.settle((ticket,))
                    ready.append(ticket)
            await self._erase_chats(Subject(tuple(ready)), run, left)
        on_progress(len(tickets), len(tickets))
        async with read(self._engine) as connection:
            people = await left_people(connection, None)
        for at in range(0, len(people), BATCH):
            on_progress(len(tickets), len(tickets))
            await self._erase_left(people[at : at + BATCH], left_people, run)
        return Swept(await self._end(run) if run.tickets else None, left)

    async def _erase_chats(self, subject: Subject, run: Run, left: dict[int, str] | None = None) -> None:
        """A batch of chats: in SQL, then wherever else they are. With `left` one that cannot be erased is noted there,
        and the others go on.
        """
        # Nobody indexes these chats any more while we work: what they say would be written behind our back.
        await self._search.index(subject.tickets)
        erased = []
        for ticket in subject.tickets:
            with _leaving(ticket, left):
                alone = Subject((ticket,), subject.entries)
                samples = await self._samples(alone)
                run.count(await repeated(lambda alone=alone: self._erase_chat(alone)))  # type: ignore[misc]
                run.look_for(samples)
                erased.append(ticket)
        await self._clean_up(erased, run, left)

    async def _clean_up(self, tickets: Sequence[int], run: Run, left: dict[int, str] | None = None) -> None:
        """What SQL has no longer goes from the other places and the search, and the seal says so."""
        for ticket in tickets:
            with _leaving(ticket, left):
                for place in self._places:
                    await place.erase((ticket,))
                await self._sealer.seal(ticket)
                run.tickets[ticket] = None
        await self._search.index(tickets)

    async def _samples(self, subject: Subject) -> Iterable[bytes]:
        """What has to be gone afterwards, as bytes."""
        found: dict[bytes, None] = {}
        async with read(self._engine) as connection:
            for rule in self._rules:
                where = rule.where(subject)
                columns = [one for one in rule.table.c if _goes(rule, one)]
                if where is None or not columns:
                    continue
                for row in await connection.execute(select(*columns).where(where)):
                    found.update(dict.fromkeys(sample for value in row for sample in samples_of(value)))
        if not subject.entries:
            for document in await self._search.stored(subject.tickets):
                values = (*document.public.values(), *(document.notes or {}).values())
                found.update(dict.fromkeys(sample for value in values for sample in samples_of(value)))
        return found

    async def _erase_chat(self, alone: Subject) -> dict[str, int]:
        """One transaction: bodies and salts go, `redacted` entries say which. Under a new epoch, so that whoever still
        has the chat as it was begins again with what is left. Until the run ends the chat counts as interrupted.
        """
        (ticket,) = alone.tickets
        async with write(self._engine) as connection:
            chat = await ended_chat(connection, ticket, lock=True)
            # Once more: it may have been placed since we looked.
            await check_holds(connection, (ticket,), same=self._same)
            bodies = await bodies_of(connection, alone, ticket)
            if bodies:
                entries = redacted(chat, bodies, self._now())
                appended = await append_in(connection, [ChatBatch(ticket=ticket, epoch=chat.epoch, entries=entries)])
                if ticket not in appended.durable:
                    raise ErasureError(
                        f"chat #{ticket} cannot be changed: {appended.conflicts.get(ticket, 'it is busy')}"
                    )
            rows = await self._apply(connection, alone)
            epoch = secrets.randbelow(2**32 - 1) + 1
            await connection.execute(update(schema.chats).where(_chats.ticket == ticket).values(epoch=epoch))
            await interrupted.begin_chats(connection, (ticket,), now=self._now())
        return rows

    async def _erase_people(self, people: Subject) -> dict[str, int]:
        async with write(self._engine) as connection:
            await check_holds(connection, customers=people.customers, same=self._same)
            await interrupted.begin_people(
                connection, people.customers, called=people.called, key=self._sealer.key, now=self._now()
            )
            return await self._apply(connection, people)

    async def _erase_left(self, some: Sequence[str], left_people: LeftPeople, run: Run) -> None:
        """Those of them who still have nothing left. Their chats count as interrupted until the run ends: whoever is
        killed here leaves the next run a reason to clean the disk.
        """
        samples = await self._samples(Subject(customers=tuple(some)))

        async def erase() -> tuple[Subject, list[int], dict[str, int]]:
            async with write(self._engine) as connection:
                people = Subject(customers=tuple(await left_people(connection, some)))
                chats = select(_chats.ticket).where(_chats.customer_id.in_(people.customers)).order_by(_chats.ticket)
                tickets = list(await connection.scalars(chats))
                await interrupted.begin_chats(connection, tickets, now=self._now())
                return people, tickets, await self._apply(connection, people)

        people, tickets, rows = await repeated(erase)
        run.look_for(samples if people.customers else ())
        run.count(rows)
        run.customers += people.customers
        run.tickets |= dict.fromkeys(tickets)

    async def _apply(self, connection: AsyncConnection, subject: Subject) -> dict[str, int]:
        rows: dict[str, int] = {}
        for rule in self._rules:
            where = rule.where(subject)
            if where is None:
                continue
            change: Delete | Update = delete(rule.table)
            if rule.wiped is not None:
                change = update(rule.table).values(**rule.values(self._now()))
            _note(rows, rule, (await connection.execute(change.where(where))).rowcount)
        return rows

    async def _end(self, run: Run) -> Certificate:
        """The disk, once for all; then nothing is left to do, and the certificate says so."""
        looks = await self._cleaned(run.samples)
        certificate = await self._certificate(run, looks)
        async with write(self._engine) as connection:
            await interrupted.end(connection, run.tickets, run.customers)
            await self._keep(connection, certificate)
        return certificate

    async def _cleaned(self, samples: Sequence[bytes]) -> list[Look]:
        """Cleans every place and reads it, again while somebody who was reading held it up."""
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(_PAUSE_SECONDS)
            for place in self._places:
                await place.scrub()
            looks = [await place.look(samples) for place in self._places]
            left = {sample for look in looks for sample in look.found}
            async with read(self._engine) as connection:
                # What another chat says, too, is in the files by right. (Each entry's salt is its own.)
                left = {sample for sample in left if not await holds(connection, sample)}
            if not left:
                return looks
        where = ", ".join(look.place for look in looks if left.intersection(look.found))
        raise ErasureError(f"it is erased, but {len(left)} of {len(samples)} samples are still in raw files ({where})")

    async def _certificate(self, run: Run, looks: Iterable[Look]) -> Certificate:
        async with read(self._engine) as connection:
            chats = tuple([await erased_chat(connection, ticket) for ticket in run.tickets])
        return Certificate(
            id=new_id(),
            erased_at=self._now(),
            chats=chats,
            customers=run.customers,
            rows=run.rows,
            samples=len(run.samples),
            searched=tuple(Searched(one.place, one.files, one.size, 0, one.unread) for one in looks),
        ).signed(self._sealer.key)


def _note(rows: dict[str, int], rule: Rule, count: int) -> None:
    """How many rows of a table are concerned: two rules for the same table are about the same ones."""
    rows[rule.table.name] = max(rows.get(rule.table.name, 0), count)


@contextmanager
def _leaving(ticket: int, left: dict[int, str] | None) -> Iterator[None]:
    """With `left` it notes why this chat cannot be erased; without, that is the caller's to know."""
    try:
        yield
    except (ErasureError, HoleError) as exc:
        if left is None:
            raise
        left[ticket] = str(exc)


def _batches(tickets: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for at in range(0, len(tickets), BATCH):
        yield tuple(tickets[at : at + BATCH])


def _goes(rule: Rule, column: Column[Any]) -> bool:
    """Whether the column holds text or bytes that will be gone."""
    return isinstance(column.type, (Text, LargeBinary)) and (rule.wiped is None or column.name in rule.wiped)
