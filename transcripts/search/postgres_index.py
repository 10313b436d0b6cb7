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
from transcripts.search.index import NOTES, PUBLIC, Index, Term, terms
from transcripts.search.query import Clause, Filter
from transcripts.search.where import COLUMN_OF, Conditions, Where

_MOST_BYTES = 900_000  # of the terms of one chat: a tsvector ends at a megabyte. What comes after is not found

_LOOK_INSIDE = 8  # looking into a chat costs as much as so many hits of the index: 5 µs
_FURTHER = 3  # than expected: so many chats are looked into, before the index is asked

_NAMED = 2.0  # a clause that a name, the topic or the order number has, too, makes a chat more promising
_SIDES = {CUSTOMER: "A", AGENT: "B"}
_MARKS = {CUSTOMER: "1A", AGENT: "2B"}
_FIELDS = tuple(COLUMN_OF.values())


_PLANNING = text(
    "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true), "
    "set_config('max_parallel_workers_per_gather', '0', true)"
)


_OFTEN = text(
    "SELECT term, CAST(share * reltuples AS bigint) FROM pg_class JOIN pg_namespace AS n ON n.oid = relnamespace "
    "JOIN pg_stats ON schemaname = nspname AND tablename = relname AND attname = 'terms' CROSS JOIN LATERAL "
    "unnest(CAST(CAST(most_common_elems AS text) AS text[]), most_common_elem_freqs) AS often(term, share) "
    "WHERE pg_class.oid = to_regclass(:table) AND term IS NOT NULL AND reltuples > 0"
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

    async def often(self, connection: AsyncConnection, table: str) -> dict[str, int]:
        """{term: in how many chats of one of the tables}, of the most common ones: what the server found out about the
        table by itself, for its planner.
        """
        return {term: count for term, count in await connection.execute(_OFTEN, {"table": table})}

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

        The index alone says this; how often a word was said is left to the ranking. What only a chat itself can tell
        (who said a word, whether three words stand in a row) is asked last, of one after the other until there are
        enough.
        """
        where = _Where(conditions, hits=anyof)
        arms: list[str] = []

        def add(table: str, match: str, weight: float) -> None:
            told = (
                f"CAST({where.value(weight)} AS float8)"  # not written out, or each query were a statement of its own
            )
            arms.append(f"SELECT ticket, {told} AS told FROM {table} AS hit WHERE {where.hit(table, match)}")

        side = _SIDES.get(conditions.query.side or "", "")
        if side:
            where.said_by(anyof, side)
        for clause, weight in anyof.items():
            add(PUBLIC, _any([clause]), weight)
            if not side:
                add(PUBLIC, _named(clause), weight * (_NAMED - 1))
            if where.notes:
                add(NOTES, _any([clause]), weight)
        order = "ORDER BY told DESC, ticket DESC"
        # The hits first: the planner would rather look into each chat of a month whether it has one of the words.
        question = (
            "WITH found AS MATERIALIZED (SELECT ticket, round(sum(told) * 1e6) AS told "
            f"FROM ({' UNION ALL '.join(arms)}) AS arms GROUP BY ticket) "
            f"SELECT ticket FROM (SELECT c.ticket, told FROM {where.those('found')} {order} OFFSET 0) AS c "
            f"WHERE {where.late or 'true'} {order} LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), {"limit": limit, "offset": offset})
        return [ticket for (ticket,) in rows]

    async def newest(
        self, connection: AsyncConnection, anyof: Mapping[Clause, int], conditions: Conditions, limit: int, offset: int
    ) -> list[int]:
        """The same without scoring: the highest tickets first.

        What most chats have is found soonest by looking into one after the other of those that meet the conditions;
        where that leads far (it was only said long ago), and for what fewer chats have, the index tells.
        """
        often = max(anyof.values())
        expected = (limit + offset) * await self.chats(connection) // max(often, 1)
        if expected * _LOOK_INSIDE < often:
            most = _FURTHER * expected
            found, looked_at = await self._newest_of(connection, list(anyof), conditions, limit, offset, most)
            if len(found) == limit or looked_at < most:
                return found
        where = _Where(conditions, hits=anyof)
        side = _SIDES.get(conditions.query.side or "", "")
        arms = [f"SELECT ticket FROM {PUBLIC} AS hit WHERE {where.hit(PUBLIC, _any(anyof, side=side))}"]
        if where.notes:
            arms.append(f"SELECT ticket FROM {NOTES} AS hit WHERE {where.hit(NOTES, _any(anyof))}")
        question = (
            f"WITH found AS MATERIALIZED ({' UNION '.join(arms)}) SELECT ticket FROM (SELECT c.ticket FROM "
            f"{where.those('found')} ORDER BY ticket DESC OFFSET 0) AS c WHERE {where.late or 'true'} "
            "ORDER BY ticket DESC LIMIT :limit OFFSET :offset"
        )
        rows = await connection.execute(where.question(question), {"limit": limit, "offset": offset})
        return [ticket for (ticket,) in rows]

    async def _newest_of(
        self,
        connection: AsyncConnection,
        anyof: Collection[Clause],
        conditions: Conditions,
        limit: int,
        offset: int,
        most: int,
    ) -> tuple[list[int], int]:
        """The newest that have a clause, of the `most` newest that meet the conditions; and how many those are."""
        where = _Where(conditions, hits=anyof, inside=True)
        side = _SIDES.get(conditions.query.side or "", "")
        has = [where.inside(PUBLIC, where.hit(PUBLIC, _any(anyof, side=side)))]
        if where.notes:
            has.append(where.inside(NOTES, where.hit(NOTES, _any(anyof))))
        these = f"SELECT c.ticket FROM {where.those('chats')} ORDER BY ticket DESC LIMIT :most"
        question = (
            f"WITH these AS MATERIALIZED ({these}) SELECT ARRAY("
            f"SELECT ticket FROM these AS c WHERE ({' OR '.join(has)}) AND {where.late or 'true'} "
            "ORDER BY ticket DESC LIMIT :limit OFFSET :offset), (SELECT count(*) FROM these)"
        )
        values = {"limit": limit, "offset": offset, "most": most}
        found, looked_at = (await connection.execute(where.question(question), values)).one()
        return found, looked_at


class _Where(Where):
    """What the index can tell together with a hit is asked there (`hit`), what it can tell otherwise of `those` found,
    and at last (`late`) what a chat has to be read for.
    """

    def __init__(self, conditions: Conditions, hits: Collection[Clause] = (), *, inside: bool = False) -> None:
        """`hits`: one of these is looked for anyway. `inside`: in one chat after the other, not by the index."""
        self._hits = tuple(hits)
        self._inside = inside
        self._with_hit: list[str] = []
        self._noted: list[str] = []
        self._late: list[str] = []
        super().__init__(conditions)

    def hit(self, table: str, match: str) -> str:
        """That the row `hit` of one of the tables matches, and of its chat all that the index tells with that."""
        if table == PUBLIC:
            return f"terms @@ {self.query(' & '.join([f'({match})', *self._with_hit]))}"
        return " AND ".join([f"terms @@ {self.query(match)}", *self._noted])

    def inside(self, table: str, hit: str) -> str:
        """The same of the row of `c.ticket`."""
        return f"coalesce((SELECT {hit} FROM {table} AS hit WHERE ticket = c.ticket), false)"

    def those(self, source: str) -> str:
        """The rows of a table or a query, as `c`, that meet what is asked before any chat is read."""
        conditions = f"WHERE {super().sql}" if self else ""
        if source == "chats" or not self.reads_rows:
            return f"{source} AS c {conditions}"
        return f"{source} JOIN chats AS c USING (ticket) {conditions}"

    @property
    def late(self) -> str:
        """Conditions on `c.ticket`; empty if there are none."""
        return " AND ".join(self._late)

    @property
    def sql(self) -> str:
        """All conditions."""
        return " AND ".join(part for part in (super().sql, self.late) if part)

    def query(self, match: str) -> str:
        """A tsquery's place in the statement."""
        return f"CAST(CAST({self.value(match)} AS text) AS tsquery)"

    def said_by(self, clauses: Iterable[Clause], side: str) -> None:
        """That this side said one of the clauses: the index does not know the sides."""
        said = [("search_chats", f"terms @@ {self.query(_any(clauses, side=side))}")]
        if self.notes:
            said.append(("search_notes", f"terms @@ {self.query(_any(clauses))}"))
        self._read(said)

    def in_fields(self, filters: Sequence[Filter], *, needed: bool) -> str:
        match = " & ".join(_any([clause], field=COLUMN_OF[one.name]) for one in filters for clause in one.clauses)
        rows = " AND ".join(filter(None, (self._rows(one.clauses, _line(COLUMN_OF[one.name])) for one in filters)))
        if rows and needed:
            self._read([("search_chats", rows)])
            rows = ""
        if needed and self._hits and not self._inside:
            self._with_hit.append(match)
            self._noted.append(f"hit.ticket IN (SELECT ticket FROM search_chats WHERE terms @@ {self.query(match)})")
            return ""
        return _in("search_chats", f"terms @@ {self.query(match)}", rows)

    def said(self, clause: Clause, side: str | None, *, exact: bool) -> str:
        spoken = _SIDES.get(side or "", "")
        place = _line(side) if side and spoken else "document"
        places = {"search_chats": place} | ({"search_notes": "document"} if self.notes else {})
        # Two neighbours are a term; where it is that of another pair, the ranking finds out without reading more.
        if not exact and any(len(row) > 2 for row, _ in clause.rows()):
            self._read([(table, self._rows([clause], where)) for table, where in places.items()])
        if not exact and self._hits == (clause,):
            return ""
        found: list[str] = []
        for table, where in places.items():
            match = _any([clause], side=spoken if table == "search_chats" else "")
            found.append(_in(table, f"terms @@ {self.query(match)}", self._rows([clause], where) if exact else ""))
        return f"({' OR '.join(found)})"

    def not_said(self, clause: Clause) -> str:
        if not self._hits or any(len(row) > 1 for row in clause.alternatives):
            return super().not_said(clause)
        # What has both is told at once; everything that has the unwanted one may be half of all chats.
        unwanted = _any([clause])
        self._with_hit.append(f"!{unwanted}")
        if not self.notes:
            return ""
        # Where only a note has what is looked for, the chat may still have the other.
        has = f"SELECT terms @@ {self.query(unwanted)} FROM search_chats AS said WHERE said.ticket = hit.ticket"
        self._noted.append(f"({has}) IS NOT TRUE")
        return f"NOT {_in('search_notes', f'terms @@ {self.query(unwanted)}')}"

    def _read(self, conditions: Iterable[tuple[str, str]]) -> None:
        """That one of these holds, each of a row of its table. Subqueries that give a value are not turned into joins,
        which would ask all chats at once.
        """
        values = (
            f"coalesce((SELECT {condition} FROM {table} WHERE ticket = c.ticket), false)"
            for table, condition in conditions
        )
        self._late.append(f"({' OR '.join(values)})")

    def _rows(self, clauses: Iterable[Clause], place: str) -> str:
        """That the terms of each clause stand next to each other, where that says more than that they are there."""
        conditions: list[str] = []
        for clause in clauses:
            if any(len(row) > 1 for row in clause.alternatives):
                rows = (self.value(f" {' '.join(row)}{'' if goes_on else ' '}") for row, goes_on in clause.rows())
                conditions.append(f"({' OR '.join(f'strpos({place}, {row}) > 0' for row in rows)})")
        return " AND ".join(conditions)


def _line(column: str) -> str:
    """One column of a document."""
    return f"split_part(document, E'\\n', {COLUMNS.index(column) + 1})"


def _in(table: str, *conditions: str) -> str:
    return f"c.ticket IN (SELECT ticket FROM {table} WHERE {' AND '.join(filter(None, conditions))})"


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
