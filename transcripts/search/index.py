"""What the search needs of a database engine. Everything that is not portable SQL stays behind this."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import Document
from transcripts.search.query import Clause, Query
from transcripts.search.scope import Scope


@dataclass(frozen=True)
class Conditions:
    """Which chats count at all: what the asker may see, and the query's filters, phrases, unwanted words and days.

    `span` is (from, before) for the opening of the chat, ms UTC, None: open.
    """

    query: Query
    scope: Scope
    span: tuple[int | None, int | None]


class Index(Protocol):
    """An inverted index of chats in two parts: for everybody, and for staff entries. Called in the caller's
    transaction.

    A question in the scope of a customer never reads the staff part.
    """

    async def begin(self, connection: AsyncConnection) -> None:
        """The first thing in a transaction that searches."""

    async def put(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Replaces the documents of these chats."""

    async def frequencies(
        self, connection: AsyncConnection, clauses: Collection[Clause], scope: Scope
    ) -> dict[Clause, int]:
        """In how many chats each clause may be found: an estimate, cheap."""

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

    async def newest(
        self, connection: AsyncConnection, anyof: Collection[Clause], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the newest first."""

    async def recent(
        self,
        connection: AsyncConnection,
        conditions: Conditions,
        limit: int,
        before: tuple[int, int] | None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """(opened_at, ticket) of all chats that meet the conditions, the newest first, from below `before` on."""

    async def allowed(self, connection: AsyncConnection, tickets: Collection[int], conditions: Conditions) -> set[int]:
        """Those of the tickets that meet the conditions."""

    async def documents(self, connection: AsyncConnection, tickets: Collection[int], scope: Scope) -> list[Document]:
        """The stored terms of these chats, long ones cut."""

    async def stored(self, connection: AsyncConnection, tickets: Collection[int]) -> list[Document]:
        """The documents of these chats as they were put, whole and with the staff's part: to put them again, longer."""
