"""The index on SQLite: two FTS5 tables, one for everybody and one for staff entries.

FTS5 only finds: which chats have any of the words and meet the conditions, the most promising first. The fine order is
made in `ranking` from the terms of the best candidates, so another engine gives the same order.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import AGENT, COLUMNS, CUSTOMER, NOTE_COLUMNS, Document
from transcripts.search.index import Conditions
from transcripts.search.query import Clause, Filter
from transcripts.search.scope import Scope
from transcripts.search.where import COLUMN_OF, Where, allowed_chats, recent_chats

_CUT = 20_000  # characters of a column that ranking looks at: a day of talking
_WHOLE = 2**30
_PREFIX_TERMS = 1_000  # `a*` stands for a good part of the dictionary; nobody needs its exact frequency

_COMMON, _COMMON_SECONDS, _COMMON_KEPT = 500, 300.0, 10_000


class SqliteIndex:
    """`Index` over FTS5 (SQLite ≥ 3.40)."""

    def __init__(self) -> None:
        # Counting a word that 30,000 chats have takes FTS5 2 ms, so common words are not counted anew every time.
        self._common: dict[tuple[str, str], tuple[int, float]] = {}

    async def begin(self, connection: AsyncConnection) -> None:
        """Nothing has to be said to FTS5."""

    async def put(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Replaces the documents of these chats."""
        tickets = [(document.ticket,) for document in documents]
        await connection.exec_driver_sql("DELETE FROM search_chats WHERE rowid = ?", tickets)
        await connection.exec_driver_sql("DELETE FROM search_notes WHERE rowid = ?", tickets)
        public = [(one.ticket, *(one.public[name] for name in COLUMNS)) for one in documents]
        await connection.exec_driver_sql(_insert("search_chats", COLUMNS), public)
        notes = [(one.ticket, *(one.notes[name] for name in NOTE_COLUMNS)) for one in documents if one.notes]
        if notes:
            await connection.exec_driver_sql(_insert("search_notes", NOTE_COLUMNS), notes)

    async def frequencies(
        self, connection: AsyncConnection, clauses: Collection[Clause], scope: Scope
    ) -> dict[Clause, int]:
        """In how many chats each clause may be found: an estimate, cheap."""
        terms = {term for clause in clauses for term in clause.terms()}
        counts: dict[str, int] = dict.fromkeys(terms, 0)
        for table in _tables(scope):
            for term, count in (await self._term_frequencies(connection, table, terms)).items():
                counts[term] += count
        result = {}
        for clause in clauses:
            # What is written in parts is stored joined as well, so the alternatives are mostly the same chats.
            result[clause] = max(min(counts[term] for term in row) for row in clause.alternatives)
            if clause.prefix:
                result[clause] = await self._prefix_frequency(connection, clause.alternatives[0][-1], scope)
        return result

    async def _term_frequencies(self, connection: AsyncConnection, table: str, terms: set[str]) -> dict[str, int]:
        now = time.monotonic()
        found = {
            term: known[0]
            for term in terms
            if (known := self._common.get((table, term))) is not None and known[1] > now
        }
        if unknown := sorted(terms - found.keys()):
            question = text(f"SELECT term, doc FROM {table}_terms WHERE term IN :terms")
            rows = await connection.execute(question.bindparams(bindparam("terms", unknown, expanding=True)))
            for term, count in rows:
                found[term] = count
                if count > _COMMON:
                    if len(self._common) > _COMMON_KEPT:
                        self._common.clear()
                    self._common[table, term] = (count, now + _COMMON_SECONDS)
        return found

    async def _prefix_frequency(self, connection: AsyncConnection, stub: str, scope: Scope) -> int:
        total = 0
        for table in _tables(scope):
            terms = f"SELECT doc FROM {table}_terms WHERE term >= :stub AND term < :beyond LIMIT :terms"
            question = text(f"SELECT sum(doc) FROM ({terms})")
            values = {"stub": stub, "beyond": stub + "\U0010ffff", "terms": _PREFIX_TERMS}
            total += await connection.scalar(question, values) or 0
        return total

    async def best(
        self,
        connection: AsyncConnection,
        anyof: Mapping[Clause, float],
        conditions: Conditions,
        limit: int,
        offset: int,
    ) -> list[int]:
        """Tickets that meet the conditions and have any of the clauses, the most promising first."""
        return await self._hits(connection, anyof, conditions, limit, offset, scored=True)

    async def newest(
        self, connection: AsyncConnection, anyof: Collection[Clause], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the highest tickets first."""
        return await self._hits(connection, anyof, conditions, limit, offset, scored=False)

    async def _hits(
        self,
        connection: AsyncConnection,
        anyof: Collection[Clause],
        conditions: Conditions,
        limit: int,
        offset: int,
        *,
        scored: bool,
    ) -> list[int]:
        where = _Where(conditions)
        values = {
            "public": _columns(conditions.query.side) + _any(anyof),
            "note": _any(anyof),
            "limit": limit,
            "offset": offset,
            "top": limit + offset,
        }
        arms = [_arm("search_chats", "public", f"bm25(search_chats, {_WEIGHTS})" if scored else None, where)]
        if where.notes:
            arms.append(_arm("search_notes", "note", "bm25(search_notes)" if scored else None, where))
        else:
            del values["note"]
        question = (
            f"SELECT hit FROM ({' UNION ALL '.join(arms)}) GROUP BY hit "
            "ORDER BY min(score), hit DESC LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), values)
        return [ticket for (ticket,) in rows]

    async def recent(
        self,
        connection: AsyncConnection,
        conditions: Conditions,
        limit: int,
        before: tuple[int, int] | None,
        offset: int = 0,
    ) -> list[tuple[int, int]]:
        """(opened_at, ticket) of all chats that meet the conditions, the newest first, from below `before` on."""
        return await recent_chats(connection, _Where(conditions), limit, before, offset)

    async def allowed(self, connection: AsyncConnection, tickets: Collection[int], conditions: Conditions) -> set[int]:
        """Those of the tickets that meet the conditions."""
        return await allowed_chats(connection, _Where(conditions), tickets)

    async def documents(self, connection: AsyncConnection, tickets: Collection[int], scope: Scope) -> list[Document]:
        """The stored terms of these chats, long ones cut."""
        public = await _stored(connection, "search_chats", COLUMNS, tickets, _CUT)
        notes = await _stored(connection, "search_notes", NOTE_COLUMNS, tickets, _CUT) if scope.sees_notes else {}
        return [Document(ticket, columns, notes.get(ticket)) for ticket, columns in public.items()]

    async def stored(self, connection: AsyncConnection, tickets: Collection[int]) -> list[Document]:
        """The documents of these chats as they were put."""
        public = await _stored(connection, "search_chats", COLUMNS, tickets, _WHOLE)
        notes = await _stored(connection, "search_notes", NOTE_COLUMNS, tickets, _WHOLE)
        return [Document(ticket, columns, notes.get(ticket)) for ticket, columns in public.items()]


_WEIGHTS = "1.0, 0.8, 2.0, 1.0, 3.0, 1.0, 4.0, 2.0, 2.0"  # of COLUMNS; only for the choice of candidates


def _arm(table: str, match: str, score: str | None, where: "_Where") -> str:
    """One table's best (or newest) hits. Each arm is cut before the two are put together: joining many costs more.

    The order within equal scores is that of the whole, or pages would overlap.
    """
    join = f"JOIN chats c ON c.ticket = {table}.rowid" if where else ""
    order = "score, hit DESC" if score else f"{table}.rowid DESC"  # FTS5 walks backwards through row ids for nothing
    return (
        f"SELECT hit, score FROM (SELECT {table}.rowid AS hit, {score or 0} AS score FROM {table} {join} "
        f"WHERE {table} MATCH :{match} AND {where.sql} ORDER BY {order} LIMIT :top)"
    )


def _tables(scope: Scope) -> tuple[str, ...]:
    return ("search_chats", "search_notes") if scope.sees_notes else ("search_chats",)


def _insert(table: str, columns: Sequence[str]) -> str:
    places = ", ".join("?" for _ in range(len(columns) + 1))
    return f"INSERT INTO {table} (rowid, {', '.join(columns)}) VALUES ({places})"


async def _stored(
    connection: AsyncConnection, table: str, columns: Sequence[str], tickets: Collection[int], cut: int
) -> dict[int, dict[str, str]]:
    values = ", ".join(f"substr({name}, 1, {cut})" for name in columns)
    question = text(f"SELECT rowid, {values} FROM {table} WHERE rowid IN :tickets")
    rows = await connection.execute(question.bindparams(bindparam("tickets", list(tickets), expanding=True)))
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in rows}


class _Where(Where):
    def in_field(self, one: Filter) -> str:
        match = f"{COLUMN_OF[one.name]} : ({' AND '.join(_any([clause]) for clause in one.clauses)})"
        return f"c.ticket IN (SELECT rowid FROM search_chats WHERE search_chats MATCH {self.value(match)})"

    def said(self, clause: Clause, side: str | None) -> str:
        match = _any([clause])
        public = self.value(_columns(side) + match)
        found = f"c.ticket IN (SELECT rowid FROM search_chats WHERE search_chats MATCH {public})"
        if self.notes:
            note = self.value(match)
            found += f" OR c.ticket IN (SELECT rowid FROM search_notes WHERE search_notes MATCH {note})"
        return f"({found})"


def _columns(side: str | None) -> str:
    return {CUSTOMER: "{customer} : ", AGENT: "{agent} : "}.get(side or "", "")


def _any(clauses: Iterable[Clause]) -> str:
    """The clauses as an FTS5 expression, in brackets. Terms have no quotes in them (analyser), so nothing can break
    out.
    """
    parts: list[str] = []
    for clause in clauses:
        for place, row in enumerate(clause.alternatives):
            parts.append(f'"{" ".join(row)}"' + (" *" if clause.prefix and place == 0 else ""))
    return "(" + " OR ".join(parts) + ")"
