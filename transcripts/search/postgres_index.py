"""The index on PostgreSQL: two tables with a GIN index over our own terms, one for everybody and one for staff entries.

The terms are put into a `tsvector` as they are; no configuration, dictionary or extension of PostgreSQL has a say. GIN
finds which chats have a term; a term's place says nothing, only who said it (A: the customer, B: the others), so that
long chats lose nothing to the limits of places in a tsvector. Rows of terms (phrases) are looked for in `document`, the
terms of the columns as they follow each other. The fine order is made in `ranking`, as on SQLite.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import AGENT, BREAK, COLUMNS, CUSTOMER, NOTE_COLUMNS, Document
from transcripts.search.index import Conditions
from transcripts.search.query import Clause, Filter
from transcripts.search.scope import Scope
from transcripts.search.where import COLUMN_OF, Where, allowed_chats, recent_chats

_CUT = 20_000  # characters of a column that ranking looks at: a day of talking
_WHOLE = 2**30
_MOST_BYTES = 900_000  # of the terms of one chat: a tsvector ends at a megabyte. What comes after is not found

_COMMON, _COMMON_SECONDS, _COMMON_KEPT = 500, 300.0, 10_000

_NAMED = 2.0  # a clause that a name, the topic or the order number has, too, makes a chat more promising
_SIDES = {CUSTOMER: "A", AGENT: "B"}
_FIELDS = tuple(COLUMN_OF.values())


_PLANNING = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"
)


class PostgresIndex:
    """`Index` over GIN (PostgreSQL ≥ 13, without extensions)."""

    def __init__(self) -> None:
        # Counting reads every hit: 10 ms for a word that 100,000 chats have. Common words are not counted every time.
        self._common: dict[tuple[str, str], tuple[int, float]] = {}

    async def begin(self, connection: AsyncConnection) -> None:
        """The planner does not count what it takes to look into a `tsvector` that is not in the row: on its own it
        reads the whole table (measured: 28 instead of 2 ms for eight words over 1,000 chats).
        """
        await connection.execute(_PLANNING)

    async def put(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """Replaces the documents of these chats."""
        ordered = sorted(documents, key=lambda one: one.ticket)  # as everybody who locks rows
        public = [(one.ticket, _vector(one.public), _lines(one.public, COLUMNS)) for one in ordered]
        notes = [(one.ticket, _vector(one.notes), _lines(one.notes, NOTE_COLUMNS)) for one in ordered if one.notes]
        without = [(one.ticket,) for one in ordered if not one.notes]
        if public:
            await connection.exec_driver_sql(_put("search_chats"), public)
        if notes:
            await connection.exec_driver_sql(_put("search_notes"), notes)
        if without:
            await connection.exec_driver_sql("DELETE FROM search_notes WHERE ticket = $1", without)

    async def frequencies(
        self, connection: AsyncConnection, clauses: Collection[Clause], scope: Scope
    ) -> dict[Clause, int]:
        """In how many chats each clause may be found: an estimate, cheap."""
        counts: dict[str, int] = {}
        asked = {
            word for clause in clauses for place in range(len(clause.alternatives)) for word in _row(clause, place)
        }
        for table in ("search_chats", "search_notes") if scope.sees_notes else ("search_chats",):
            for word, count in (await self._counts(connection, table, asked)).items():
                counts[word] = counts.get(word, 0) + count
        result = {}
        for clause in clauses:
            # What is written in parts is stored joined as well, so the alternatives are mostly the same chats.
            rows = (_row(clause, place) for place in range(len(clause.alternatives)))
            result[clause] = max(min(counts[word] for word in row) for row in rows)
        return result

    async def _counts(self, connection: AsyncConnection, table: str, asked: set[str]) -> dict[str, int]:
        now = time.monotonic()
        found = {
            word: known[0]
            for word in asked
            if (known := self._common.get((table, word))) is not None and known[1] > now
        }
        if unknown := sorted(asked - found.keys()):
            question = text(
                f"SELECT word, (SELECT count(*) FROM {table} WHERE terms @@ CAST(word AS tsquery)) "
                "FROM unnest(CAST(:words AS text[])) AS word"
            )
            for word, count in await connection.execute(question, {"words": unknown}):
                found[word] = count
                if count > _COMMON:
                    if len(self._common) > _COMMON_KEPT:
                        self._common.clear()
                    self._common[table, word] = (count, now + _COMMON_SECONDS)
        return found

    async def best(
        self,
        connection: AsyncConnection,
        anyof: Mapping[Clause, float],
        conditions: Conditions,
        limit: int,
        offset: int,
    ) -> list[int]:
        """Tickets that meet the conditions and have any of the clauses: those first whose clauses tell most.

        Nothing but the index is read for this; how often a word was said is left to the ranking.
        """
        where = _Where(conditions)
        arms: list[str] = []

        def add(table: str, match: str, weight: float) -> None:
            told = (
                f"CAST({where.value(weight)} AS float8)"  # not written out, or each query were a statement of its own
            )
            arms.append(f"SELECT ticket AS hit, {told} AS told FROM {table} WHERE terms @@ {where.query(match)}")

        side = _SIDES.get(conditions.query.side or "", "")
        for clause, weight in anyof.items():
            add("search_chats", _any([clause], side=side), weight)
            if not side:
                add("search_chats", _named(clause), weight * (_NAMED - 1))
            if where.notes:
                add("search_notes", _any([clause]), weight)
        join = "JOIN chats c ON c.ticket = hit" if where else ""
        question = (
            f"SELECT hit FROM ({' UNION ALL '.join(arms)}) AS found {join} WHERE {where.sql} "
            "GROUP BY hit ORDER BY round(sum(told)::numeric, 6) DESC, hit DESC LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), {"limit": limit, "offset": offset})
        return [ticket for (ticket,) in rows]

    async def newest(
        self, connection: AsyncConnection, anyof: Collection[Clause], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the highest tickets first."""
        where = _Where(conditions)
        join = "JOIN chats c ON c.ticket = s.ticket" if where else ""

        def arm(table: str, match: str) -> str:
            return (
                f"(SELECT s.ticket AS hit FROM {table} s {join} WHERE s.terms @@ {where.query(match)} AND {where.sql} "
                "ORDER BY s.ticket DESC LIMIT :top)"
            )

        arms = [arm("search_chats", _any(anyof, side=_SIDES.get(conditions.query.side or "", "")))]
        if where.notes:
            arms.append(arm("search_notes", _any(anyof)))
        question = f"SELECT hit FROM ({' UNION '.join(arms)}) AS found ORDER BY hit DESC LIMIT :limit OFFSET :offset"
        values = {"limit": limit, "offset": offset, "top": limit + offset}
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


class _Where(Where):
    def query(self, match: str) -> str:
        """A tsquery's place in the statement."""
        return f"CAST(CAST({self.value(match)} AS text) AS tsquery)"

    def in_field(self, one: Filter) -> str:
        column = COLUMN_OF[one.name]
        match = " & ".join(_any([clause], field=column) for clause in one.clauses)
        rows = self._rows(one.clauses, f"split_part(document, E'\\n', {COLUMNS.index(column) + 1})")
        return f"c.ticket IN (SELECT ticket FROM search_chats WHERE terms @@ {self.query(match)}{rows})"

    def said(self, clause: Clause, side: str | None) -> str:
        spoken = _SIDES.get(side or "", "")
        place = f"split_part(document, E'\\n', {COLUMNS.index(side) + 1})" if side and spoken else "document"
        arms = [("search_chats", _any([clause], side=spoken), self._rows([clause], place))]
        if self.notes:
            arms.append(("search_notes", _any([clause]), self._rows([clause], "document")))
        found = (
            f"c.ticket IN (SELECT ticket FROM {table} WHERE terms @@ {self.query(match)}{rows})"
            for table, match, rows in arms
        )
        return f"({' OR '.join(found)})"

    def _rows(self, clauses: Iterable[Clause], place: str) -> str:
        """That the terms of each clause stand next to each other, where that says more than that they are there."""
        conditions = ""
        for clause in clauses:
            if any(len(row) > 1 for row in clause.alternatives):
                rows = (self.value(f" {' '.join(row)} ") for row in clause.alternatives)
                conditions += f" AND ({' OR '.join(f'strpos({place}, {row}) > 0' for row in rows)})"
        return conditions


def _put(table: str) -> str:
    return (
        f"INSERT INTO {table} (ticket, terms, document) VALUES ($1, $2, $3) "
        "ON CONFLICT (ticket) DO UPDATE SET terms = excluded.terms, document = excluded.document"
    )


def _vector(columns: Mapping[str, str]) -> str:
    """The tsvector of a chat: each term with who said it, and for the fields again as `/field/term`.

    The fields come first: what is over the limit is somebody's endless talk.
    """
    marks: dict[str, set[str]] = {}
    for name in (*_FIELDS, CUSTOMER, AGENT, "note", "codes"):
        mark = {CUSTOMER: "1A", AGENT: "2B"}.get(name, "3")
        for term in dict.fromkeys(columns.get(name, "").split(" ")):
            if term and term != BREAK:
                marks.setdefault(term, set()).add(mark)
                if name in _FIELDS:
                    marks[f"/{name}/{term}"] = {"3"}
    parts: list[str] = []
    room = _MOST_BYTES
    for term, places in marks.items():
        room -= len(term.encode()) + 16
        if room < 0:
            break
        parts.append(f"{_quoted(term)}:{','.join(sorted(places))}")
    return " ".join(parts)


def _lines(columns: Mapping[str, str], names: Sequence[str]) -> str:
    """The columns in order, a line each; spaces around every term, so that a row of terms is found whole."""
    return "\n".join(f" {columns[name]} " for name in names)


async def _stored(
    connection: AsyncConnection, table: str, names: Sequence[str], tickets: Collection[int], cut: int
) -> dict[int, dict[str, str]]:
    lines = "unnest(string_to_array(document, E'\\n')) WITH ORDINALITY AS l(line, place)"
    values = f"ARRAY(SELECT left(line, :cut) FROM {lines} ORDER BY place)"
    of_these = "ticket = ANY(CAST(:tickets AS bigint[]))"
    question = text(f"SELECT ticket, {values} FROM {table} WHERE {of_these} ORDER BY ticket")
    rows = await connection.execute(question, {"tickets": list(tickets), "cut": cut})
    return {ticket: dict(zip(names, (line.strip(" ") for line in stored), strict=True)) for ticket, stored in rows}


def _any(clauses: Iterable[Clause], *, side: str = "", field: str = "") -> str:
    """The clauses as a tsquery, in brackets: all terms of a row, wherever they are. With `field`, in that one only."""
    rows = (
        " & ".join(_row(clause, place, side=side, field=field))
        for clause in clauses
        for place in range(len(clause.alternatives))
    )
    return f"({' | '.join(f'({row})' for row in rows)})"


def _row(clause: Clause, place: int, *, side: str = "", field: str = "") -> list[str]:
    """One alternative of a clause: each term as a tsquery."""
    marks = ("*" if clause.prefix and place == 0 else "") + side
    terms = [f"/{field}/{term}" if field else term for term in clause.alternatives[place]]
    return [_quoted(term) + (f":{marks}" if marks else "") for term in terms]


def _named(clause: Clause) -> str:
    return " | ".join(_any([clause], field=field) for field in _FIELDS)


def _quoted(term: str) -> str:
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"
