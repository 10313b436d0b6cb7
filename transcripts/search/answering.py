"""One answer: which chats are candidates, what each word tells, in which order they come, and what is shown of them.

Staff is answered from the index. A customer's own chats are few: all of them are looked at, and how rare a word is and
what may have been meant by it is found in them alone, so nobody else's chats have a say in what a customer sees.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.chat import Chat
from transcripts.search.cursor import Cursor, write_cursor
from transcripts.search.document import Document
from transcripts.search.facets import facets_of
from transcripts.search.index import Index
from transcripts.search.loading import Line, load_chats, load_facts, load_lines
from transcripts.search.query import Clause, Query
from transcripts.search.ranking import Ranked, frequencies_in, rank, says_little, weights
from transcripts.search.results import Facets, Result, Results
from transcripts.search.snippet import best_place
from transcripts.search.spelling import Vocabulary, guesses, nearest, spelled, words_of
from transcripts.search.suggestion import suggestion
from transcripts.search.where import Conditions

WINDOW = 200
"""Candidates that are ranked at a time: about 6 ms."""

FACETED = 1_000
"""Candidates whose topics, agents and months are counted: about 5 ms."""

MANY = 10_000
"""Chats that the engine scores for one query: 1 to 2 µs each (measured over 30,000 chats). Words that more chats have
are left to the ranking where rarer ones are at hand; where there are none, the newest chats with the rarest are the
candidates.
"""

_RARE = 2  # chats that have a word as it was typed: from there on nobody asks whether it was meant otherwise
_LOOKED_UP = 3  # words of one query: 5 ms each
_NEAR = 24  # words of which we ask how often they are said

_TICKET_HIT = 1_000.0

Weights = dict[Clause, float]


@dataclass(frozen=True)
class Understood:
    """A query with what its words tell, and what may have been meant by those that nobody says."""

    conditions: Conditions
    frequencies: dict[Clause, int]
    weight: Weights

    @property
    def guesses(self) -> dict[str, tuple[str, ...]]:
        """{term of the query: terms that may have been meant}."""
        wishes = self.conditions.query.wishes
        return {clause.alternatives[0][0]: clause.guesses for clause in wishes if clause.guesses}


@dataclass(frozen=True)
class Candidates:
    """Tickets to rank, and whether there may be more after them; what is counted, which begins with these, and whether
    there may be more after that.
    """

    ranked: list[int]
    full: bool
    counted: list[int]
    more: bool


@dataclass(frozen=True)
class Window:
    """Some of the candidates, ranked; whether there may be more after them; and what can be counted of all of them."""

    ranked: list[Ranked]
    full: bool
    facets: Facets | None = None


class Answering:
    """Answers one query in one transaction."""

    def __init__(
        self, connection: AsyncConnection, index: Index, vocabulary: Vocabulary, zone: tzinfo, *, faceted: bool
    ) -> None:
        self._connection = connection
        self._index = index
        self._vocabulary = vocabulary
        self._zone = zone
        self._faceted = faceted

    async def answer(self, query: str, conditions: Conditions, place: Cursor, limit: int) -> Results:
        """The page that begins at `place`."""
        if conditions.query.clauses:
            return await self._ranked(query, conditions, place, limit)
        return await self._newest(conditions, place, limit)

    async def _newest(self, conditions: Conditions, place: Cursor, limit: int) -> Results:
        most = max(FACETED, limit) if self._faceted else limit
        found = await self._index.recent(self._connection, conditions, most + 1, place.before)
        page = [Ranked(ticket, 0.0) for _, ticket in found[:limit]]
        results, _ = await self._shown(page, Understood(conditions, {}, {}))
        following = write_cursor(Cursor(place.query, before=found[limit - 1])) if len(found) > limit else None
        facets = await self._facets([ticket for _, ticket in found[:most]], more=len(found) > most)
        return Results(results, following, facets=facets)

    async def _ranked(self, query: str, conditions: Conditions, place: Cursor, limit: int) -> Results:
        understood = await self._understand(conditions)
        rest = await self._still_allowed(place.rest, conditions)
        number, full, facets = place.window, True, None
        while not rest and full:  # a page further than the candidates ranked so far
            window = await self._window(understood, number)
            rest, full, number = window.ranked, window.full, number + 1
            facets = facets or window.facets
        page, left = rest[:limit], rest[limit:]
        results, texts = await self._shown(page, understood)
        if not left and page and full:
            window = await self._window(understood, number)
            left, number = window.ranked, number + 1
        following = Cursor(place.query, number, tuple((one.ticket, one.score) for one in left)) if left else None
        meant = suggestion(query, understood.guesses, texts) if understood.guesses else None
        return Results(results, write_cursor(following) if following else None, meant, facets)

    async def _understand(self, conditions: Conditions) -> Understood:
        if conditions.scope.customers is not None:
            return await self._understand_own(conditions)
        clauses, scope = conditions.query.clauses, conditions.scope
        typed = await self._index.frequencies(self._connection, clauses, scope)
        meant: dict[Clause, Clause] = {}
        unknown = {clause: word for clause in conditions.query.wishes if (word := _word_of(clause))}
        for clause, word in unknown.items():
            if typed[clause] <= _RARE and len(meant) < _LOOKED_UP:
                near = (await self._vocabulary.near(self._connection, word))[:_NEAR]
                asked = {Clause(((one,),)): one for one in near}
                counts = await self._index.frequencies(self._connection, list(asked), scope)
                meant[clause] = _guessed(clause, near, {one: counts[by] for by, one in asked.items()}, typed[clause])
        frequencies = typed
        if any(clause.guesses for clause in meant.values()):
            conditions = _with(conditions, meant)
            frequencies = await self._index.frequencies(self._connection, conditions.query.clauses, scope)
        return _understood(conditions, frequencies, typed, await self._index.chats(self._connection))

    async def _understand_own(self, conditions: Conditions) -> Understood:
        newest = await self._index.recent(self._connection, conditions, WINDOW, None)
        own = await self._index.documents(self._connection, [ticket for _, ticket in newest], conditions.scope)
        return await asyncio.to_thread(_understood_in, own, conditions)

    async def _window(self, understood: Understood, number: int) -> Window:
        """The candidates of one window in their final order."""
        conditions, weight = understood.conditions, understood.weight
        query, scope = conditions.query, conditions.scope
        candidates = await self._candidates(understood, number * WINDOW)
        documents = await self._index.documents(self._connection, candidates.ranked, scope)
        ranked = await asyncio.to_thread(rank, documents, query.clauses, weight, query.side, query.phrases)
        direct = await self._index.allowed(self._connection, query.direct, conditions)
        ranked = [one for one in ranked if one.ticket not in direct]
        if number == 0:
            ranked += [Ranked(ticket, _TICKET_HIT) for ticket in direct]
        counted = {one.ticket for one in ranked}.union(candidates.counted[len(candidates.ranked) :])
        facts = await load_facts(self._connection, counted)
        ranked.sort(key=lambda one: (-one.score, -facts[one.ticket][0], -one.ticket))
        if not self._faceted or number:
            return Window(ranked, candidates.full)
        found = facets_of((facts[ticket] for ticket in counted), self._zone, more=candidates.more)
        return Window(ranked, candidates.full, found)

    async def _candidates(self, understood: Understood, offset: int) -> Candidates:
        conditions, index, connection = understood.conditions, self._index, self._connection
        if conditions.scope.customers is not None:
            recent = await index.recent(connection, conditions, WINDOW, None, offset)
            own = [ticket for _, ticket in recent]
            return Candidates(own, len(own) == WINDOW, own, len(own) == WINDOW)
        most = FACETED if self._faceted and not offset else WINDOW
        rare, common = _by_rarity(conditions.query, understood.frequencies)
        rarest = {clause: understood.frequencies[clause] for clause in common[:1]}
        if rare:
            telling = {clause: understood.weight[clause] for clause in rare}
            found = await index.best(connection, telling, conditions, most, offset)
        else:
            found = await index.newest(connection, rarest, conditions, most, offset) if common else []
        if len(found) >= WINDOW or not common or offset or not rare:
            return Candidates(found[:WINDOW], len(found) >= WINDOW, found, len(found) == most)
        # Few chats have the rare words: the newest with the rarest of the common ones come after them, and that is all.
        newest = await index.newest(connection, rarest, conditions, WINDOW, 0)
        both = list(dict.fromkeys([*found, *newest]))
        return Candidates(both, False, both, len(newest) == WINDOW)

    async def _still_allowed(self, rest: Sequence[tuple[int, float]], conditions: Conditions) -> list[Ranked]:
        allowed = await self._index.allowed(self._connection, [ticket for ticket, _ in rest], conditions)
        return [Ranked(ticket, score) for ticket, score in rest if ticket in allowed]

    async def _facets(self, tickets: Sequence[int], *, more: bool) -> Facets | None:
        if not self._faceted:
            return None
        facts = await load_facts(self._connection, tickets)
        return facets_of(facts.values(), self._zone, more=more)

    async def _shown(self, page: Sequence[Ranked], understood: Understood) -> tuple[tuple[Result, ...], list[str]]:
        """The results, and the texts in which a word can be looked up."""
        tickets, conditions = [one.ticket for one in page], understood.conditions
        chats = {chat.ticket: chat for chat in await load_chats(self._connection, tickets)}
        lines = await load_lines(self._connection, tickets, notes=conditions.scope.sees_notes)
        results = await asyncio.to_thread(_results, page, chats, lines, conditions.query, understood.weight)
        return results, list(_texts(chats.values(), lines)) if understood.guesses else []


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


def _word_of(clause: Clause) -> str | None:
    """The word that may be misspelled."""
    if clause.prefix or len(clause.alternatives) > 1 or len(clause.alternatives[0]) > 1 or says_little(clause):
        return None
    (word,) = clause.alternatives[0]
    return word if spelled(word) else None


def _guessed(clause: Clause, near: list[str], counts: dict[str, int], typed: int) -> Clause:
    return replace(clause, guesses=guesses(near, counts, typed, clause.alternatives[0][0]))


def _with(conditions: Conditions, meant: dict[Clause, Clause]) -> Conditions:
    wishes = tuple(meant.get(clause, clause) for clause in conditions.query.wishes)
    return replace(conditions, query=replace(conditions.query, wishes=wishes))


def _understood(
    conditions: Conditions, frequencies: dict[Clause, int], typed: dict[Clause, int], chats: int
) -> Understood:
    # What somebody did say tells as much as it ever does, whatever else it may have meant.
    telling = {clause: typed.get(replace(clause, guesses=())) or count for clause, count in frequencies.items()}
    return Understood(conditions, frequencies, weights(conditions.query.clauses, telling, chats))


def _understood_in(own: Sequence[Document], conditions: Conditions) -> Understood:
    typed = frequencies_in(own, conditions.query.clauses)
    meant: dict[Clause, Clause] = {}
    known: set[str] | None = None
    for clause in conditions.query.wishes:
        if not typed[clause] and (word := _word_of(clause)):
            known = words_of(own) if known is None else known
            near = nearest(word, known)[:_NEAR]
            counts = frequencies_in(own, [Clause(((one,),)) for one in near])
            said = {by.alternatives[0][0]: count for by, count in counts.items()}
            meant[clause] = _guessed(clause, near, said, 0)
    conditions = _with(conditions, meant)
    return _understood(conditions, frequencies_in(own, conditions.query.clauses), typed, len(own))


def _texts(chats: Iterable[Chat], lines: dict[int, list[Line]]) -> Iterable[str]:
    for chat in chats:
        yield from (text for text in (chat.topic, chat.customer_name, chat.owner_name, chat.product) if text)
        yield from (text for line in lines.get(chat.ticket, ()) for text in (line.text, line.name) if text)


def _results(
    page: Sequence[Ranked],
    chats: dict[int, Chat],
    lines: dict[int, list[Line]],
    query: Query,
    weight: Weights,
) -> tuple[Result, ...]:
    shown: list[Result] = []
    for one in page:
        chat = chats[one.ticket]
        place = best_place(lines.get(one.ticket, []), query.clauses, weight, query.side)
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
