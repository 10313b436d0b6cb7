"""The index on PostgreSQL: two tables with a GIN index over our own terms, one for everybody and one for staff entries.

The terms are put into a `tsvector` as they are; no configuration, dictionary or extension of PostgreSQL has a say. GIN
finds which chats have a term; a term's place says nothing, only who said it (A: the customer, B: the others), so that
long chats lose nothing to the limits of places in a tsvector. Two terms that follow each other are a term of their own,
short because several pairs share one. So few chats are left in which a row of terms (a phrase) is then looked for, in
`document`, the terms of the columns as they follow each other; without it, a phrase of common words would be looked for
in half of all documents. The fine order is made in `ranking`, as on SQLite.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from string import ascii_letters, digits
from zlib import crc32

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.document import AGENT, BREAK, COLUMNS, CUSTOMER, NOTE_COLUMNS, Document
from transcripts.search.index import Index, Term, terms
from transcripts.search.query import Clause, Filter
from transcripts.search.where import COLUMN_OF, Conditions, Where

_MOST_BYTES = 900_000  # of the terms of one chat: a tsvector ends at a megabyte. What comes after is not found

_NAMED = 2.0  # a clause that a name, the topic or the order number has, too, makes a chat more promising
_SIDES = {CUSTOMER: "A", AGENT: "B"}
_MARKS = {CUSTOMER: "1A", AGENT: "2B"}
_FIELDS = tuple(COLUMN_OF.values())


_PLANNING = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


class PostgresIndex(Index):
    """`Index` over GIN (PostgreSQL ≥ 13, without extensions)."""

    key = "ticket"

    async def begin(self, connection: AsyncConnection) -> None:
        """The planner does not count what it takes to look into a `tsvector` that is not in the row: on its own it
        reads the whole table (measured: 28 instead of 2 ms for eight words over 1,000 chats). Starting others to help
        takes longer than any of our questions.
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

    async def count(self, connection: AsyncConnection, table: str, terms: Sequence[Term]) -> dict[Term, int]:
        """In how many chats of one of the tables each term is."""
        matches = [_match(term.text, goes_on=term.open) for term in terms]
        question = text(
            f"SELECT (SELECT count(*) FROM {table} WHERE terms @@ CAST(word AS tsquery)) "
            "FROM unnest(CAST(:words AS text[])) WITH ORDINALITY AS w(word, place) ORDER BY place"
        )
        counts = await connection.scalars(question, {"words": matches})
        return dict(zip(terms, counts, strict=True))

    async def columns(
        self, connection: AsyncConnection, table: str, names: Sequence[str], tickets: Collection[int], cut: int
    ) -> dict[int, dict[str, str]]:
        """{ticket: {column: its terms, so many characters of them}} of one of the tables."""
        lines = "unnest(string_to_array(document, E'\\n')) WITH ORDINALITY AS l(line, place)"
        short = f"array_to_string(ARRAY(SELECT left(line, :cut) FROM {lines} ORDER BY place), E'\\n')"
        value = f"CASE WHEN octet_length(document) <= :cut THEN document ELSE {short} END"  # 0.1 ms for each long one
        of_these = "ticket = ANY(CAST(:tickets AS bigint[]))"
        question = text(f"SELECT ticket, {value} FROM {table} WHERE {of_these} ORDER BY ticket")
        rows = await connection.execute(question, {"tickets": list(tickets), "cut": cut})
        return {
            ticket: {name: line.strip(" ") for name, line in zip(names, document.split("\n"), strict=True)}
            for ticket, document in rows
        }

    def where(self, conditions: Conditions) -> Where:
        """The conditions as tsqueries."""
        return _Where(conditions)

    def terms_of(self, row: Sequence[str], goes_on: bool) -> list[Term]:
        """The terms that a chat with the row has: its own, and its pairs."""
        return _terms_of(row, goes_on)

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
        join = f"JOIN chats c ON c.ticket = hit WHERE {where.sql}" if where else ""
        # The hits first: the planner would rather look into each chat of a month whether it has one of the words.
        question = (
            f"WITH found AS MATERIALIZED (SELECT hit, round(sum(told) * 1e6) AS told FROM ({' UNION ALL '.join(arms)}) "
            f"AS arms GROUP BY hit) SELECT hit FROM found {join} "
            "ORDER BY told DESC, hit DESC LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), {"limit": limit, "offset": offset})
        return [ticket for (ticket,) in rows]

    async def newest(
        self, connection: AsyncConnection, anyof: Collection[Clause], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the highest tickets first."""
        where = _Where(conditions)

        def arm(table: str, match: str) -> str:
            found = f"SELECT ticket FROM {table} WHERE terms @@ {where.query(match)}"
            if not where:
                return f"({found} ORDER BY ticket DESC LIMIT :top)"
            # The hits first: going through the newest chats, the planner would look into each whether it has the word.
            return (
                f"(WITH found AS MATERIALIZED ({found}) SELECT ticket FROM found JOIN chats c USING (ticket) "
                f"WHERE {where.sql} ORDER BY ticket DESC LIMIT :top)"
            )

        arms = [arm("search_chats", _any(anyof, side=_SIDES.get(conditions.query.side or "", "")))]
        if where.notes:
            arms.append(arm("search_notes", _any(anyof)))
        question = (
            f"SELECT hit FROM ({' UNION '.join(arms)}) AS found(hit) ORDER BY hit DESC LIMIT :limit OFFSET :offset"
        )
        values = {"limit": limit, "offset": offset, "top": limit + offset}
        rows = await connection.execute(where.question(question), values)
        return [ticket for (ticket,) in rows]


class _Where(Where):
    def query(self, match: str) -> str:
        """A tsquery's place in the statement."""
        return f"CAST(CAST({self.value(match)} AS text) AS tsquery)"

    def in_field(self, one: Filter) -> str:
        column = COLUMN_OF[one.name]
        match = " & ".join(_any([clause], field=column) for clause in one.clauses)
        rows = self._rows(one.clauses, f"split_part(document, E'\\n', {COLUMNS.index(column) + 1})")
        return f"c.ticket IN (SELECT ticket FROM search_chats WHERE terms @@ {self.query(match)}{rows})"

    def said(self, clause: Clause, side: str | None, *, exact: bool) -> str:
        spoken = _SIDES.get(side or "", "")
        place = f"split_part(document, E'\\n', {COLUMNS.index(side) + 1})" if side and spoken else "document"
        # Two neighbours are a term; where it is that of another pair, the ranking finds out without reading thousands.
        told = not exact and all(len(row) <= 2 for row, _ in clause.rows())
        arms = [("search_chats", _any([clause], side=spoken), "" if told else self._rows([clause], place))]
        if self.notes:
            arms.append(("search_notes", _any([clause]), "" if told else self._rows([clause], "document")))
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
                rows = (self.value(f" {' '.join(row)}{'' if goes_on else ' '}") for row, goes_on in clause.rows())
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
        mark = _MARKS.get(name, "3")
        for term in dict.fromkeys(columns.get(name, "").split(" ")):
            if term and term != BREAK:
                marks.setdefault(term, set()).add(mark)
                if name in _FIELDS:
                    marks[f"/{name}/{term}"] = {"3"}
    for name, column in columns.items():
        for pair in _pairs(column.split(" ")):
            marks.setdefault(pair, set()).add(_MARKS.get(name, "3"))
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


def _any(clauses: Iterable[Clause], *, side: str = "", field: str = "") -> str:
    """The clauses as a tsquery, in brackets: all terms of a row, wherever they are. With `field`, in that one only."""
    rows = (
        [Term(f"/{field}/{term.text}", term.open) for term in terms(row, goes_on)] if field else _terms_of(row, goes_on)
        for clause in clauses
        for row, goes_on in clause.rows()
    )
    matches = (" & ".join(_match(term.text, goes_on=term.open, side=side) for term in row) for row in rows)
    return f"({' | '.join(f'({match})' for match in matches)})"


def _terms_of(row: Sequence[str], goes_on: bool) -> list[Term]:
    whole = row[:-1] if goes_on else row
    return [*terms(row, goes_on), *(Term(pair) for pair in _pairs(whole))]


def _pairs(row: Sequence[str]) -> Iterator[str]:
    """Neighbours as one term each: one of 2 to the power of 18, so a chat of 500 pairs has 1 of 500 by chance."""
    for first, second in pairwise(row):
        if first and second and first != BREAK and second != BREAK:
            number = crc32(f"{first} {second}".encode(errors="replace"))
            yield _PAIR + "".join(_DIGITS[number >> shift & 63] for shift in (0, 6, 12))


_PAIR = "⁀"  # in no term of the analyser's
_DIGITS = ascii_letters + digits + "-_"


def _match(term: str, *, goes_on: bool, side: str = "") -> str:
    """A term as a tsquery."""
    marks = ("*" if goes_on else "") + side
    return _quoted(term) + (f":{marks}" if marks else "")


def _named(clause: Clause) -> str:
    return " | ".join(_any([clause], field=field) for field in _FIELDS)


def _quoted(term: str) -> str:
    return "'" + term.replace("\\", "\\\\").replace("'", "''") + "'"
