"""Indexing chats and answering queries (docs/search.md)."""

import asyncio
import zlib
from collections.abc import Iterable, Sequence

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.bulk import execute_many
from transcripts.chat import Chat
from transcripts.database import is_postgresql, read, repeated, write
from transcripts.entry import Entry
from transcripts.rows import chat_of, data_of, entry_of
from transcripts.search.cursor import Cursor, read_cursor, write_cursor
from transcripts.search.days import zone_of
from transcripts.search.document import Document, Said, document_of
from transcripts.search.index import Conditions, Index
from transcripts.search.postgres_index import PostgresIndex
from transcripts.search.query import Clause, Query, parse
from transcripts.search.ranking import Ranked, rank, weights
from transcripts.search.results import Result, Results
from transcripts.search.scope import Scope
from transcripts.search.snippet import best_place
from transcripts.search.sqlite_index import SqliteIndex

WINDOW = 200
"""Candidates that are ranked at a time: about 6 ms."""

MANY = 10_000
"""Chats that the engine scores for one query: 1 to 2 µs each (measured over 30,000 chats). Words that more chats have
are left to the ranking where rarer ones are at hand; where there are none, the newest chats with the rarest are the
candidates.
"""

MAX_LIMIT = 100

_AT_ONCE = 200  # chats indexed in one transaction: about 30 ms of writing

_TICKET_HIT = 1_000.0

_ENDED = {"closing", "closed"}

_chats = schema.chats.c
_entries = schema.entries.c


class Search:
    """Finds chats by what was said in them, whom they were with and what they were about."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._index: Index = PostgresIndex() if is_postgresql(engine) else SqliteIndex()

    async def index(self, tickets: Sequence[int]) -> int:
        """Brings the index up to date for these chats, open or closed; returns how many of them there are.

        Of an open chat, only the entries that the index does not know are read and analysed; one that has ended is
        analysed anew as a whole, once. Safe to repeat and to run from several processes: a chat that grows meanwhile
        stays on the list of `pending`.
        """
        done = 0
        for start in range(0, len(tickets), _AT_ONCE):
            done += await self._index_some(list(tickets[start : start + _AT_ONCE]))
        return done

    async def index_pending(self, limit: int = _AT_ONCE) -> int:
        """Indexes up to `limit` chats that have entries the index does not know; returns how many it were."""
        return await self.index([ticket for ticket, _ in await self.pending(limit=limit)])

    async def pending(self, *, limit: int, after: int = 0) -> list[tuple[int, int]]:
        """(ticket, last seq) of chats that have entries the index does not know, above the ticket `after`, in order."""
        question = select(_chats.ticket, _chats.last_seq).where(_chats.indexed_seq < _chats.last_seq)
        async with read(self._engine) as connection:
            rows = await connection.execute(question.where(_chats.ticket > after).order_by(_chats.ticket).limit(limit))
            return [(ticket, last_seq) for ticket, last_seq in rows]

    async def _index_some(self, tickets: list[int]) -> int:
        async with read(self._engine) as connection:
            chats = await _load_chats(connection, tickets)
            growing = [chat.ticket for chat in chats if chat.indexed_seq and chat.state not in _ENDED]
            new = await _load_said(connection, growing, after_indexed=True)
            known = {one.ticket: one for one in await self._index.stored(connection, list(new))}
            whole = [chat.ticket for chat in chats if chat.ticket not in known or _takes_back(new[chat.ticket])]
            new |= await _load_said(connection, whole, after_indexed=False)
        for ticket in whole:
            known.pop(ticket, None)
        documents = await asyncio.to_thread(_documents, chats, new, known)
        await repeated(lambda: self._put(chats, documents))
        return len(chats)

    async def _put(self, chats: list[Chat], documents: list[Document]) -> None:
        async with write(self._engine) as connection:
            await self._index.put(connection, documents)
            known = [{"of_ticket": chat.ticket, "seq": chat.last_seq} for chat in chats]
            if known:
                await execute_many(connection, _MARK_INDEXED, known)

    async def search(
        self, query: str, *, scope: Scope, limit: int = 20, cursor: str | None = None, tz: str = "UTC"
    ) -> Results:
        """The chats in `scope` that answer the query, best first, the newest first on ties; without words, the newest.

        Args:
            query: any text; the language is in docs/search.md.
            scope: what the asker may see. Nothing outside it can be found, counted or guessed.
            limit: results on a page, at most 100.
            cursor: `Results.next` of the page before.
            tz: IANA zone in which the days of `after:`, `before:` and `on:` begin and end.

        Raises:
            UnknownZoneError: no such zone.
        """
        understood = parse(query)
        conditions = Conditions(understood, scope, understood.days.span(zone_of(tz)))
        place = read_cursor(cursor, zlib.crc32(repr((query, scope, tz)).encode()))
        limit = max(1, min(limit, MAX_LIMIT))
        if not understood.clauses:
            return await self._newest(conditions, place, limit)
        return await self._ranked(conditions, place, limit)

    async def _newest(self, conditions: Conditions, place: Cursor, limit: int) -> Results:
        async with read(self._engine) as connection:
            await self._index.begin(connection)
            found = await self._index.recent(connection, conditions, limit + 1, place.before)
            page = [Ranked(ticket, 0.0) for _, ticket in found[:limit]]
            results = await self._results(connection, page, conditions, {})
        more = len(found) > limit
        following = write_cursor(Cursor(place.query, before=found[limit - 1])) if more else None
        return Results(results, following)

    async def _ranked(self, conditions: Conditions, place: Cursor, limit: int) -> Results:
        clauses = conditions.query.clauses
        async with read(self._engine) as connection:
            await self._index.begin(connection)
            frequencies = await self._index.frequencies(connection, clauses, conditions.scope)
            weight = weights(clauses, frequencies, await _count(connection))
            rest = await self._still_allowed(connection, place.rest, conditions)
            window = place.window
            full = True
            while not rest and full:  # a page further than the candidates ranked so far
                rest, full = await self._window(connection, conditions, frequencies, weight, window)
                window += 1
            page, left = rest[:limit], rest[limit:]
            results = await self._results(connection, page, conditions, weight)
            if not left and page and full:
                left, full = await self._window(connection, conditions, frequencies, weight, window)
                window += 1
        following = Cursor(place.query, window, tuple((one.ticket, one.score) for one in left)) if left else None
        return Results(results, write_cursor(following) if following else None)

    async def _window(
        self,
        connection: AsyncConnection,
        conditions: Conditions,
        frequencies: dict[Clause, int],
        weight: dict[Clause, float],
        window: int,
    ) -> tuple[list[Ranked], bool]:
        """The candidates of one window in their final order, and whether there may be another window after it."""
        query, scope = conditions.query, conditions.scope
        tickets, more = await self._candidates(connection, conditions, frequencies, weight, window * WINDOW)
        documents = await self._index.documents(connection, tickets, scope)
        ranked = await asyncio.to_thread(rank, documents, query.clauses, weight, query.side)
        direct = await self._index.allowed(connection, query.direct, conditions)
        ranked = [one for one in ranked if one.ticket not in direct]
        if window == 0:
            ranked += [Ranked(ticket, _TICKET_HIT) for ticket in direct]
        opened = await _opened_at(connection, [one.ticket for one in ranked])
        ranked.sort(key=lambda one: (-one.score, -opened[one.ticket], -one.ticket))
        return ranked, more

    async def _candidates(
        self,
        connection: AsyncConnection,
        conditions: Conditions,
        frequencies: dict[Clause, int],
        weight: dict[Clause, float],
        offset: int,
    ) -> tuple[list[int], bool]:
        """Tickets to rank, and whether there may be more after them."""
        query, index = conditions.query, self._index
        if conditions.scope.customer_id is not None:
            # One person's chats are few: all are looked at, without asking an index that holds everybody's.
            recent = await index.recent(connection, conditions, WINDOW, None, offset)
            return [ticket for _, ticket in recent], len(recent) == WINDOW
        rare, common = _by_rarity(query, frequencies)
        if not rare:
            found = await index.newest(connection, common[:1], conditions, WINDOW, offset) if common else []
            return found, len(found) == WINDOW
        telling = {clause: weight[clause] for clause in rare}
        found = await index.best(connection, telling, conditions, WINDOW, offset)
        if len(found) == WINDOW or not common or offset:
            return found, len(found) == WINDOW
        # Few chats have the rare words: the newest with the rarest of the common ones come after them, and that is all.
        newest = await index.newest(connection, common[:1], conditions, WINDOW, 0)
        return list(dict.fromkeys([*found, *newest])), False

    async def _still_allowed(
        self, connection: AsyncConnection, rest: Sequence[tuple[int, float]], conditions: Conditions
    ) -> list[Ranked]:
        allowed = await self._index.allowed(connection, [ticket for ticket, _ in rest], conditions)
        return [Ranked(ticket, score) for ticket, score in rest if ticket in allowed]

    async def _results(
        self, connection: AsyncConnection, page: Sequence[Ranked], conditions: Conditions, weight: dict[Clause, float]
    ) -> tuple[Result, ...]:
        tickets = [one.ticket for one in page]
        chats = {chat.ticket: chat for chat in await _load_chats(connection, tickets)}
        entries = await _load_entries(connection, tickets, notes=conditions.scope.sees_notes)
        return await asyncio.to_thread(_shown, page, chats, entries, conditions.query, weight)


_MARK_INDEXED = update(schema.chats).where(_chats.ticket == bindparam("of_ticket")).values(indexed_seq=bindparam("seq"))


def _by_rarity(query: Query, frequencies: dict[Clause, int]) -> tuple[list[Clause], list[Clause]]:
    """The clauses that choose the candidates: those worth scoring, and those that too many chats have, rarest first."""
    # A phrase is a condition, so the rarest one alone finds everything that can be an answer.
    wanted = query.phrases or query.wishes
    anyof = sorted((clause for clause in wanted if frequencies[clause]), key=lambda clause: frequencies[clause])
    if query.phrases:
        anyof = anyof[:1]
    total = 0
    for place, clause in enumerate(anyof):
        total += frequencies[clause]
        if total > MANY:
            return anyof[:place], anyof[place:]
    return anyof, []


def _takes_back(said: Iterable[Said]) -> bool:
    """Whether something that was said before is not there any more."""
    return any(entry.kind == "redacted" for entry in said)


def _documents(chats: list[Chat], said: dict[int, list[Said]], before: dict[int, Document]) -> list[Document]:
    return [document_of(chat, said.get(chat.ticket, []), before.get(chat.ticket)) for chat in chats]


def _shown(
    page: Sequence[Ranked],
    chats: dict[int, Chat],
    entries: dict[int, list[Entry]],
    query: Query,
    weight: dict[Clause, float],
) -> tuple[Result, ...]:
    shown: list[Result] = []
    for one in page:
        chat = chats[one.ticket]
        place = best_place(entries.get(one.ticket, []), query.clauses, weight, query.side)
        shown.append(
            Result(
                ticket=chat.ticket,
                external_id=chat.external_id,
                score=one.score,
                state=chat.state,
                opened_at=chat.opened_at,
                closed_at=chat.closed_at,
                topic=chat.topic,
                order=chat.order,
                department=chat.department,
                customer_name=chat.customer_name,
                agent_name=chat.owner_name,
                rating=chat.rating,
                entry_seq=place.entry_seq,
                snippet=place.snippet,
            )
        )
    return tuple(shown)


async def _count(connection: AsyncConnection) -> int:
    return await connection.scalar(select(func.count()).select_from(schema.chats)) or 0


async def _load_chats(connection: AsyncConnection, tickets: list[int]) -> list[Chat]:
    rows = await connection.execute(select(schema.chats).where(_chats.ticket.in_(tickets)).order_by(_chats.ticket))
    return [chat_of(row) for row in rows.mappings()]


async def _load_entries(connection: AsyncConnection, tickets: list[int], *, notes: bool) -> dict[int, list[Entry]]:
    question = select(schema.entries).where(_entries.ticket.in_(tickets))
    if not notes:
        question = question.where(_entries.audience == "all")
    rows = await connection.execute(question.order_by(_entries.ticket, _entries.seq))
    entries: dict[int, list[Entry]] = {}
    for row in rows.mappings():
        entries.setdefault(row["ticket"], []).append(entry_of(row))
    return entries


async def _load_said(connection: AsyncConnection, tickets: list[int], *, after_indexed: bool) -> dict[int, list[Said]]:
    """What was said in these chats: all of it, or what the index does not know yet."""
    names = (_entries.kind, _entries.audience, _entries.role, _entries.author_name, _entries.text, _entries.data)
    question = select(_entries.ticket, *names).where(_entries.ticket.in_(tickets))
    if after_indexed:
        question = question.where(_chats.ticket == _entries.ticket, _entries.seq > _chats.indexed_seq)
    said: dict[int, list[Said]] = {}
    rows = await connection.execute(question.order_by(_entries.ticket, _entries.seq))
    for ticket, kind, audience, role, name, words, data in rows:
        said.setdefault(ticket, []).append(Said(kind, audience, role, name, words, data_of(data)))
    return said


async def _opened_at(connection: AsyncConnection, tickets: list[int]) -> dict[int, int]:
    rows = await connection.execute(select(_chats.ticket, _chats.opened_at).where(_chats.ticket.in_(tickets)))
    return {ticket: opened_at for ticket, opened_at in rows}
