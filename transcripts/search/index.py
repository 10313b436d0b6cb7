"""The index: what the search needs of a database engine. Everything that is not portable SQL is in its two kinds."""

import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import COLUMNS, CUT, NOTE_COLUMNS, Document
from transcripts.search.loading import count_chats
from transcripts.search.query import Clause
from transcripts.search.scope import Scope
from transcripts.search.where import Conditions, Where

_WHOLE = 2**30

_COMMON, _COMMON_SECONDS, _COMMON_KEPT = 500, 300.0, 10_000

PUBLIC, NOTES = "search_chats", "search_notes"
"""The tables of the index: for everybody, and for staff entries."""


class Term(NamedTuple):
    """A term, and whether it may go on."""

    text: str
    open: bool = False


class Index(ABC):
    """An inverted index of chats in two parts: for everybody, and for staff entries. Called in the caller's
    transaction.

    A question in the scope of a customer never reads the staff part.
    """

    def __init__(self) -> None:
        # Counting a word that 30,000 chats have takes milliseconds, so common words are not counted anew every time.
        self._common: dict[tuple[str, Term], tuple[int, float]] = {}
        self._often: dict[str, tuple[Mapping[str, int], float]] = {}
        self._chats = (0, 0.0)

    @abstractmethod
    async def begin(self, connection: AsyncConnection) -> None:
        """The first thing in a transaction that searches."""

    @abstractmethod
    async def put(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Replaces the documents of these chats."""

    async def remove(self, connection: AsyncConnection, tickets: Collection[int]) -> None:
        """Takes chats out of both parts."""
        for table in (PUBLIC, NOTES):
            question = text(f"DELETE FROM {table} WHERE {self.key} IN :tickets")
            await connection.execute(question.bindparams(bindparam("tickets", list(tickets), expanding=True)))

    @abstractmethod
    async def best(
        self,
        connection: AsyncConnection,
        anyof: Mapping[Clause, float],
        conditions: Conditions,
        limit: int,
        offset: int,
    ) -> list[int]:
        """Tickets that meet the conditions and have any of the clauses, the most promising first.

        `anyof` says what each clause tells (`ranking.weights`); an engine with a scoring of its own may ignore it. The
        order is the same for each page, and need not be exact: `ranking` looks at what is found.
        """

    @abstractmethod
    async def newest(
        self, connection: AsyncConnection, anyof: Mapping[Clause, int], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the newest first. `anyof` says in how many chats each clause is, about."""

    async def chats(self, connection: AsyncConnection) -> int:
        """How many chats there are, about: 10 ms to count 100,000."""
        count, until = self._chats
        if count < _COMMON or until < time.monotonic():
            count = await count_chats(connection)
            self._chats = (count, time.monotonic() + _COMMON_SECONDS)
        return count

    async def frequencies(
        self, connection: AsyncConnection, clauses: Collection[Clause], scope: Scope
    ) -> dict[Clause, int]:
        """In how many chats each clause may be found: an estimate, cheap."""
        rows = {clause: [self.terms_of(row, goes_on) for row, goes_on in clause.rows()] for clause in clauses}
        asked = {term for found in rows.values() for row in found for term in row}
        counts = dict.fromkeys(asked, 0)
        for table in tables(scope):
            for term, count in (await self._counts(connection, table, asked)).items():
                counts[term] += count
        # What is written in parts is stored joined as well, so the alternatives are mostly the same chats.
        return {clause: max(min(counts[term] for term in row) for row in found) for clause, found in rows.items()}

    def terms_of(self, row: Sequence[str], goes_on: bool) -> list[Term]:
        """The terms that a chat with the row has."""
        return terms(row, goes_on)

    async def _counts(self, connection: AsyncConnection, table: str, asked: Collection[Term]) -> dict[Term, int]:
        now = time.monotonic()
        kept = ((term, self._common.get((table, term))) for term in asked)
        found = {term: known[0] for term, known in kept if known is not None and known[1] > now}
        unknown = [term for term in asked if term not in found]
        if unknown:
            often, until = self._often.get(table, ({}, 0.0))
            if until < now:
                often = {
                    term: count for term, count in (await self.often(connection, table)).items() if count > _COMMON
                }
                self._often[table] = (often, now + _COMMON_SECONDS)
            found |= {term: often[term.text] for term in unknown if term.text in often and not term.open}
        if unknown := [term for term in unknown if term not in found]:
            counted = await self.count(connection, table, unknown)
            found |= counted
            if len(self._common) > _COMMON_KEPT:
                self._common.clear()
            until = now + _COMMON_SECONDS
            self._common |= {(table, term): (count, until) for term, count in counted.items() if count > _COMMON}
        return found

    async def said(self, connection: AsyncConnection, words: Collection[str]) -> set[str]:
        """Those of the words that some chat has now: no estimate."""
        asked = [Term(word) for word in words]
        counts = [await self.count(connection, table, asked) for table in (PUBLIC, NOTES)] if asked else []
        return {term.text for found in counts for term, count in found.items() if count}

    async def often(self, connection: AsyncConnection, table: str) -> Mapping[str, int]:
        """{term: in how many chats of one of the tables}, about, of terms that need not be counted."""
        return {}

    @abstractmethod
    async def count(self, connection: AsyncConnection, table: str, terms: Sequence[Term]) -> dict[Term, int]:
        """In how many chats of one of the tables each term is."""

    async def recent(
        self,
        connection: AsyncConnection,
        conditions: Conditions,
        limit: int,
        before: tuple[int, int] | None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """(opened_at, ticket) of all chats that meet the conditions, the newest first, from below `before` on."""
        where = self.where(conditions)
        if before is not None:
            where.add("(c.opened_at, c.ticket) < (:before_at, :before_ticket)")
            where.values |= {"before_at": before[0], "before_ticket": before[1]}
        question = (
            f"SELECT c.opened_at, c.ticket FROM chats c WHERE {where.sql} "
            "ORDER BY c.opened_at DESC, c.ticket DESC LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), {"limit": limit, "offset": offset})
        return [(opened_at, ticket) for opened_at, ticket in rows]

    async def allowed(self, connection: AsyncConnection, tickets: Collection[int], conditions: Conditions) -> set[int]:
        """Those of the tickets that meet the conditions."""
        if not tickets:
            return set()
        where = self.where(conditions)
        where.add_list("c.ticket", "of_these", tickets)
        rows = await connection.execute(where.question(f"SELECT c.ticket FROM chats c WHERE {where.sql}"))
        return {ticket for (ticket,) in rows}

    async def documents(self, connection: AsyncConnection, tickets: Collection[int], scope: Scope) -> list[Document]:
        """The stored terms of these chats, long ones cut."""
        return await self._documents(connection, tickets, notes=scope.sees_notes, cut=CUT)

    async def stored(self, connection: AsyncConnection, tickets: Collection[int]) -> list[Document]:
        """The documents of these chats as they were put, whole and with the staff's part: to put them again, longer."""
        return await self._documents(connection, tickets, notes=True, cut=_WHOLE)

    async def _documents(
        self, connection: AsyncConnection, tickets: Collection[int], *, notes: bool, cut: int
    ) -> list[Document]:
        if not tickets:
            return []
        public = await self.columns(connection, PUBLIC, COLUMNS, tickets, cut)
        noted = await self.columns(connection, NOTES, NOTE_COLUMNS, tickets, cut) if notes else {}
        return [Document(ticket, columns, noted.get(ticket)) for ticket, columns in public.items()]

    @abstractmethod
    async def columns(
        self, connection: AsyncConnection, table: str, names: Sequence[str], tickets: Collection[int], cut: int
    ) -> dict[int, dict[str, str]]:
        """{ticket: {column: its terms, so many characters of them}} of one of the tables."""

    @property
    @abstractmethod
    def key(self) -> str:
        """The name of the column that holds the ticket."""

    @abstractmethod
    def where(self, conditions: Conditions) -> Where:
        """The conditions in the engine's SQL."""


def tables(scope: Scope) -> tuple[str, ...]:
    """The tables that may be read for somebody."""
    return (PUBLIC, NOTES) if scope.sees_notes else (PUBLIC,)


def terms(row: Sequence[str], goes_on: bool) -> list[Term]:
    """The terms of a row, of which the last may go on."""
    return [Term(term, goes_on and place == len(row) - 1) for place, term in enumerate(row)]
