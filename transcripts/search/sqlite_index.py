"""The index on SQLite: two FTS5 tables, one for everybody and one for staff entries.

FTS5 only finds: which chats have any of the words and meet the conditions, the most promising first. The fine order is
made in `ranking` from the terms of the best candidates, so another engine gives the same order.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import AGENT, COLUMNS, CUSTOMER, NOTE_COLUMNS, Document
from transcripts.search.index import NOTES, PUBLIC, Index, Term
from transcripts.search.query import Clause, Filter
from transcripts.search.where import COLUMN_OF, Conditions, Where

_PREFIX_TERMS = 1_000  # `a*` stands for a good part of the dictionary; nobody needs its exact frequency


class SqliteIndex(Index):
    """`Index` over FTS5 (SQLite ≥ 3.40)."""

    key = "rowid"

    async def begin(self, connection: AsyncConnection) -> None:
        """Nothing has to be said to FTS5."""

    async def put(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Replaces the documents of these chats."""
        tickets = [(document.ticket,) for document in documents]
        await connection.exec_driver_sql("DELETE FROM search_chats WHERE rowid = ?", tickets)
        await connection.exec_driver_sql("DELETE FROM search_notes WHERE rowid = ?", tickets)
        public = [(one.ticket, *(one.public[name] for name in COLUMNS)) for one in documents]
        await connection.exec_driver_sql(_insert(PUBLIC, COLUMNS), public)
        notes = [(one.ticket, *(one.notes[name] for name in NOTE_COLUMNS)) for one in documents if one.notes]
        if notes:
            await connection.exec_driver_sql(_insert(NOTES, NOTE_COLUMNS), notes)

    async def count(self, connection: AsyncConnection, table: str, terms: Sequence[Term]) -> dict[Term, int]:
        """In how many chats of one of the tables each term is."""
        counts = dict.fromkeys(terms, 0)
        whole = [term.text for term in terms if not term.open]
        question = text(f"SELECT term, doc FROM {table}_terms WHERE term IN :terms")
        rows = await connection.execute(question.bindparams(bindparam("terms", whole, expanding=True)))
        counts |= {Term(term): count for term, count in rows}
        beginning = (
            f"SELECT sum(doc) FROM (SELECT doc FROM {table}_terms WHERE term >= :stub AND term < :beyond LIMIT :terms)"
        )
        for term in terms:
            if term.open:
                values = {"stub": term.text, "beyond": term.text + "\U0010ffff", "terms": _PREFIX_TERMS}
                counts[term] = await connection.scalar(text(beginning), values) or 0
        return counts

    async def columns(
        self, connection: AsyncConnection, table: str, names: Sequence[str], tickets: Collection[int], cut: int
    ) -> dict[int, dict[str, str]]:
        """{ticket: {column: its terms, so many characters of them}} of one of the tables."""
        values = ", ".join(f"substr({name}, 1, {cut})" for name in names)
        question = text(f"SELECT rowid, {values} FROM {table} WHERE rowid IN :tickets")
        rows = await connection.execute(question.bindparams(bindparam("tickets", list(tickets), expanding=True)))
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}

    def where(self, conditions: Conditions) -> Where:
        """The conditions in FTS5's words."""
        return _Where(conditions)

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
        self, connection: AsyncConnection, anyof: Mapping[Clause, int], conditions: Conditions, limit: int, offset: int
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
        where = _Where(conditions, together=True, scored=scored)
        found = _any(anyof)
        public = where.hit(PUBLIC, _columns(conditions.query.side) + found)
        arms = [_arm(PUBLIC, public, f"bm25({PUBLIC}, {_WEIGHTS})" if scored else None, where)]
        if where.notes:
            arms.append(_arm(NOTES, where.hit(NOTES, found), f"bm25({NOTES})" if scored else None, where))
        question = (
            f"SELECT hit FROM ({' UNION ALL '.join(arms)}) GROUP BY hit "
            "ORDER BY min(score), hit DESC LIMIT :limit OFFSET :offset"
        )
        values = {"limit": limit, "offset": offset, "top": limit + offset}
        rows = await connection.execute(where.question(question), values)
        return [ticket for (ticket,) in rows]


_WEIGHTS = "1.0, 0.8, 2.0, 1.0, 3.0, 1.0, 4.0, 2.0, 2.0"  # of COLUMNS; only for the choice of candidates


def _arm(table: str, found: str, score: str | None, where: "_Where") -> str:
    """One table's best (or newest) hits. Each arm is cut before the two are put together: joining many costs more.

    The order within equal scores is that of the whole, or pages would overlap.
    """
    join = f"JOIN chats c ON c.ticket = {table}.rowid" if where or table == NOTES else ""
    order = "score, hit DESC" if score else f"{table}.rowid DESC"  # FTS5 walks backwards through row ids for nothing
    return (
        f"SELECT hit, score FROM (SELECT {table}.rowid AS hit, {score or 0} AS score FROM {table} {join} "
        f"WHERE {found} AND {where.sql} ORDER BY {order} LIMIT :top)"
    )


def _insert(table: str, columns: Sequence[str]) -> str:
    places = ", ".join("?" for _ in range(len(columns) + 1))
    return f"INSERT INTO {table} (rowid, {', '.join(columns)}) VALUES ({places})"


class _Where(Where):
    """What FTS5 can tell together with a hit is asked there (`hit`): by itself it would be asked of all chats."""

    def __init__(self, conditions: Conditions, *, together: bool = False, scored: bool = False) -> None:
        """`together`: something is looked for anyway. `scored`: by what is looked for, so nothing is added to it."""
        self._together, self._scored = together, scored
        self._and: list[str] = []
        self._not: list[str] = []
        self._noted: list[str] = []
        self._bounded = together and not scored and None not in conditions.span
        super().__init__(conditions)

    def hit(self, table: str, match: str) -> str:
        """That a row of one of the tables matches, and of its chat all that FTS5 tells with that."""
        conditions: list[str] = []
        if table == PUBLIC:
            match = " NOT ".join([f"({' AND '.join([match, *self._and])})", *self._not])
        else:
            conditions = self._noted
        if self._bounded:  # FTS5 knows tickets and no days: the newest hits would be those of other months
            days = "FROM chats WHERE opened_at >= :span_from AND opened_at < :span_before"
            conditions = [
                *conditions,
                f"{table}.rowid BETWEEN (SELECT min(ticket) {days}) AND (SELECT max(ticket) {days})",
            ]
        return " AND ".join([f"{table} MATCH {self.value(match)}", *conditions])

    def in_fields(self, filters: Sequence[Filter], *, needed: bool) -> str:
        match = " AND ".join(
            f"({COLUMN_OF[one.name]} : ({' AND '.join(_any([clause]) for clause in one.clauses)}))" for one in filters
        )
        found = f"c.ticket IN (SELECT rowid FROM search_chats WHERE search_chats MATCH {self.value(match)})"
        if not needed or not self._together or self._scored:
            return found
        self._and.append(f"({match})")
        self._noted.append(found)
        return ""

    def said(self, clause: Clause, side: str | None, *, exact: bool) -> str:
        match = _any([clause])
        public = self.value(_columns(side) + match)
        found = f"c.ticket IN (SELECT rowid FROM search_chats WHERE search_chats MATCH {public})"
        if self.notes:
            note = self.value(match)
            found += f" OR c.ticket IN (SELECT rowid FROM search_notes WHERE search_notes MATCH {note})"
        return f"({found})"

    def not_said(self, clause: Clause) -> str:
        if not self._together:
            return super().not_said(clause)
        unwanted = _any([clause])
        self._not.append(unwanted)
        if not self.notes:
            return ""
        # Where only a note has what is looked for, the chat may still have the other.
        match = self.value(unwanted)
        self._noted.append(f"NOT c.ticket IN (SELECT rowid FROM search_chats WHERE search_chats MATCH {match})")
        return f"NOT c.ticket IN (SELECT rowid FROM search_notes WHERE search_notes MATCH {match})"


def _columns(side: str | None) -> str:
    return {CUSTOMER: "{customer} : ", AGENT: "{agent} : "}.get(side or "", "")


def _any(clauses: Iterable[Clause]) -> str:
    """The clauses as an FTS5 expression, in brackets. Terms have no quotes in them (analyser), so nothing can break
    out.
    """
    parts: list[str] = []
    for clause in clauses:
        parts += [f'"{" ".join(row)}"' + (" *" if goes_on else "") for row, goes_on in clause.rows()]
    return "(" + " OR ".join(parts) + ")"
