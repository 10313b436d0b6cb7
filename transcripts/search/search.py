"""Indexing chats and answering queries (docs/search.md)."""

import asyncio
import zlib
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.bulk import execute_many
from transcripts.chat import Chat
from transcripts.database import is_postgresql, read, repeated, write
from transcripts.search.answering import Answering
from transcripts.search.cursor import read_cursor
from transcripts.search.days import zone_of
from transcripts.search.document import Document, Said, document_of
from transcripts.search.index import Index
from transcripts.search.loading import load_chats, load_said
from transcripts.search.postgres_index import PostgresIndex
from transcripts.search.query import parse
from transcripts.search.results import Results
from transcripts.search.scope import Scope
from transcripts.search.spelling import Vocabulary, words_of
from transcripts.search.sqlite_index import SqliteIndex
from transcripts.search.where import Conditions

MAX_LIMIT = 100

_AT_ONCE = 200  # chats indexed in one transaction: about 30 ms of writing

_ENDED = {"closing", "closed"}

_chats = schema.chats.c


class Search:
    """Finds chats by what was said in them, whom they were with and what they were about."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._index: Index = PostgresIndex() if is_postgresql(engine) else SqliteIndex()
        self._vocabulary = Vocabulary()

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

    async def arrears(self, most: int) -> int:
        """How many chats have entries that the index does not know, counted up to `most`."""
        pending = select(_chats.ticket).where(_chats.indexed_seq < _chats.last_seq).limit(most)
        async with read(self._engine) as connection:
            return await connection.scalar(select(func.count()).select_from(pending.subquery())) or 0

    async def remove(self, tickets: Collection[int]) -> None:
        """Takes chats out of the index, and out of the vocabulary the words that nobody else has said.

        For what is erased. It is not on the list of `pending` afterwards unless entries are added.
        """
        listed = list(tickets)
        for start in range(0, len(listed), _AT_ONCE):
            await repeated(lambda some=listed[start : start + _AT_ONCE]: self._remove(some))  # type: ignore[misc]

    async def _remove(self, tickets: list[int]) -> None:
        async with write(self._engine) as connection:
            gone = words_of(await self._index.stored(connection, tickets))
            await self._index.remove(connection, tickets)
            await self._forget(connection, gone)

    async def stored(self, tickets: Sequence[int]) -> list[Document]:
        """What the index holds of these chats."""
        async with read(self._engine) as connection:
            return await self._index.stored(connection, tickets)

    async def _index_some(self, tickets: list[int]) -> int:
        async with read(self._engine) as connection:
            chats = await load_chats(connection, tickets)
            growing = [chat.ticket for chat in chats if chat.indexed_seq and chat.state not in _ENDED]
            new = await load_said(connection, growing, after_indexed=True)
            known = {one.ticket: one for one in await self._index.stored(connection, list(new))}
            whole = [chat.ticket for chat in chats if chat.ticket not in known or _takes_back(new[chat.ticket])]
            new |= await load_said(connection, whole, after_indexed=False)
        for ticket in whole:
            known.pop(ticket, None)
        documents = await asyncio.to_thread(_documents, chats, new, known)
        less = [ticket for ticket in whole if _takes_back(new.get(ticket, ()))]
        words = await repeated(lambda: self._put(chats, documents, less))
        self._vocabulary.keep(words)
        return len(chats)

    async def _put(self, chats: list[Chat], documents: list[Document], less: list[int]) -> set[str]:
        """`less`: chats of which something was taken back, so that words may be said by nobody any more."""
        async with write(self._engine) as connection:
            left = await _as_they_were(connection, chats)
            if not left:
                return set()
            chats = [chat for chat in chats if chat.ticket in left]
            documents = [document for document in documents if document.ticket in left]
            gone = words_of(await self._index.stored(connection, [one for one in less if one in left]))
            gone -= words_of(documents)
            await self._index.put(connection, documents)
            words = await self._vocabulary.add(connection, documents)
            await self._forget(connection, gone)
            known = [{"of_ticket": chat.ticket, "seq": chat.last_seq} for chat in chats]
            if known:
                await execute_many(connection, _MARK_INDEXED, known)
        return words

    async def _forget(self, connection: AsyncConnection, words: set[str]) -> None:
        await self._vocabulary.forget(connection, words - await self._index.said(connection, words))

    async def search(
        self,
        query: str,
        *,
        scope: Scope,
        limit: int = 20,
        cursor: str | None = None,
        tz: str = "UTC",
        facets: bool = False,
    ) -> Results:
        """The chats in `scope` that answer the query, best first, the newest first on ties; without words, the newest.

        Args:
            query: any text; the language is in docs/search.md.
            scope: what the asker may see. Nothing outside it can be found, counted or guessed.
            limit: results on a page, at most 100.
            cursor: `Results.next` of the page before.
            tz: IANA zone in which the days of `after:`, `before:` and `on:` and the months of facets begin and end.
            facets: count topics, agents and months, too.

        Raises:
            UnknownZoneError: no such zone.
        """
        understood, zone = parse(query), zone_of(tz)
        conditions = Conditions(understood, scope, understood.days.span(zone))
        place = read_cursor(cursor, zlib.crc32(repr((query, scope, tz)).encode(errors="replace")))
        limit = max(1, min(limit, MAX_LIMIT))
        async with read(self._engine) as connection:
            await self._index.begin(connection)
            answering = Answering(connection, self._index, self._vocabulary, zone, faceted=facets and cursor is None)
            return await answering.answer(query, conditions, place, limit)


async def _as_they_were(connection: AsyncConnection, chats: list[Chat]) -> set[int]:
    """Those of which nothing was erased since they were read: an erasure gives a chat a new epoch. What was said in the
    others is not written down again after it is gone; the next round reads them anew.
    """
    question = select(_chats.ticket, _chats.epoch).where(_chats.ticket.in_([chat.ticket for chat in chats]))
    if is_postgresql(connection):
        question = question.order_by(_chats.ticket).with_for_update()
    epochs = {ticket: epoch for ticket, epoch in await connection.execute(question)}
    return {chat.ticket for chat in chats if epochs.get(chat.ticket) == chat.epoch}


_MARK_INDEXED = update(schema.chats).where(_chats.ticket == bindparam("of_ticket")).values(indexed_seq=bindparam("seq"))


def _takes_back(said: Iterable[Said]) -> bool:
    """Whether something that was said before is not there any more."""
    return any(entry.kind == "redacted" for entry in said)


def _documents(chats: list[Chat], said: dict[int, list[Said]], before: dict[int, Document]) -> list[Document]:
    return [document_of(chat, said.get(chat.ticket, []), before.get(chat.ticket)) for chat in chats]
