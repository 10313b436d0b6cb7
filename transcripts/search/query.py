"""The query language: what people type into a search field, understood or at least searched for.

    words "a phrase" prefix* -not   ticket: agent: customer: topic: department: order: product: rating: from: after:
    before: on:

Any input is valid: a filter whose value makes no sense is searched for as words, a quote that is never closed is no
quote. Words are wishes (more of them is better), phrases and filters are conditions.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from transcripts.search.analyser import MIN_PART, PART, Word, codes, fold, has_no_spaces, is_number, words
from transcripts.search.days import Days, parse_days
from transcripts.ticket import parse_ticket

MAX_CHARS = 1_000
"""More than this of a query is not read."""

MAX_CLAUSES = 40

_LONGEST_SPACED = 24

_NAMES = (
    "ticket",
    "agent",
    "customer",
    "topic",
    "department",
    "order",
    "product",
    "rating",
    "from",
    "after",
    "before",
    "on",
)
_TEXT_FILTERS = frozenset({"agent", "customer", "topic", "department", "order", "product"})
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"：": ":"})
_PIECE = re.compile(
    rf"""(?P<not>(?<!\S)-(?=\S))?
         (?:(?P<name>{"|".join(_NAMES)}):)?
         (?: "(?P<quoted>[^"]*)" | (?P<plain>[^\s"]+) | (?P<stray>") )""",
    re.VERBOSE | re.IGNORECASE,
)
_RATING = re.compile(r"(?P<sign>>=|<=|>|<|=)?(?P<number>[1-5])")


@dataclass(frozen=True)
class Clause:
    """Something to look for: any one of the alternatives, each a row of terms that stand next to each other.

    Attributes:
        prefix: the last term of the first alternative may go on.
        part: the beginning of a term that stands for a part of a number (`analyser.parts`), or nothing. It is worth
            less than an alternative.
        guesses: terms that may have been meant (`spelling`). They are worth less, too.
    """

    alternatives: tuple[tuple[str, ...], ...]
    prefix: bool = False
    part: str = ""
    guesses: tuple[str, ...] = ()

    def rows(self) -> Iterator[tuple[tuple[str, ...], bool]]:
        """Everything that it may be found by: (row of terms, whether the last of them may go on)."""
        for place, row in enumerate(self.alternatives):
            yield row, self.prefix and place == 0
        if self.part:
            yield (self.part,), True
        for guess in self.guesses:
            yield (guess,), False


@dataclass(frozen=True)
class Filter:
    """A condition on a field of the chat (`agent`, `topic` …): each clause must be found in it, or it is the value."""

    name: str
    value: str
    clauses: tuple[Clause, ...]
    negated: bool = False


@dataclass(frozen=True)
class Query:
    """A query, understood.

    Attributes:
        wishes: words; a chat needs one of them (if there are no phrases), more is better.
        phrases: all needed.
        unwanted: none may be there.
        filters: conditions on fields.
        tickets: if not empty, only these.
        ratings: if not None, only these.
        days: if bounded, only chats opened then.
        side: 'customer' or 'agent' if only what that side said counts.
        direct: the ticket number the query may mean as a whole or with one of its words.
    """

    wishes: tuple[Clause, ...] = ()
    phrases: tuple[Clause, ...] = ()
    unwanted: tuple[Clause, ...] = ()
    filters: tuple[Filter, ...] = ()
    tickets: tuple[int, ...] = ()
    ratings: frozenset[int] | None = None
    days: Days = field(default_factory=Days)
    side: str | None = None
    direct: tuple[int, ...] = ()

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """All that is looked for in the text."""
        return self.wishes + self.phrases


def parse(text: str) -> Query:
    """Understands a query. Never raises."""
    reader = _Reader()
    plain = text[:MAX_CHARS].translate(_QUOTES)
    for piece in _PIECE.finditer(plain):
        reader.take(piece)
    return reader.query(plain)


class _Reader:
    def __init__(self) -> None:
        self.wishes: list[Clause] = []
        self.phrases: list[Clause] = []
        self.unwanted: list[Clause] = []
        self.filters: list[Filter] = []
        self.tickets: list[int] = []
        self.ratings: frozenset[int] | None = None
        self.days = Days()
        self.side: str | None = None
        self.direct: list[int] = []
        self.digits: list[str] = []
        """The words just before, as long as they are numbers."""

    def take(self, piece: re.Match[str]) -> None:
        if piece["stray"]:
            return
        quoted = piece["quoted"] is not None
        value = piece["quoted"] if quoted else piece["plain"]
        if value.endswith(":") and value[:-1].lower() in _NAMES:
            return  # a filter that is still being typed
        negated = piece["not"] is not None
        if not (value.isascii() and value.isdigit() and not quoted and not negated and not piece["name"]):
            self._join_digits()
        if piece["name"] and self._filter(piece["name"].lower(), value, negated):
            return
        if negated:
            self.unwanted += map(_whole, _phrase(value) if quoted else _clauses(value))
        elif quoted:
            self.phrases += map(_whole, _phrase(value))
        else:
            self.wishes += _clauses(value)
            if value.isascii() and value.isdigit():
                self.digits.append(value)
            if (ticket := parse_ticket(value.strip(".,;:!?()"))) is not None:
                self.direct.append(ticket)

    def _join_digits(self) -> None:
        """`555 123 4567` may be one number that is written without spaces elsewhere."""
        whole = "".join(self.digits)
        if len(self.digits) > 1 and len(whole) <= _LONGEST_SPACED:
            self.wishes += [_number(Clause(((whole,),)))]
        self.digits.clear()

    def _filter(self, name: str, value: str, negated: bool) -> bool:
        """Whether the value made sense as that filter."""
        if name in _TEXT_FILTERS:
            clauses = tuple(_clauses(value))
            if clauses:
                self.filters.append(Filter(name, value, clauses, negated))
            return bool(clauses)
        if negated:
            return False
        match name:
            case "ticket":
                ticket = parse_ticket(value)
                self.tickets += [] if ticket is None else [ticket]
                return ticket is not None
            case "rating":
                ratings = _ratings(value)
                self.ratings = ratings if ratings is not None else self.ratings
                return ratings is not None
            case "from":
                side = fold(value)
                self.side = side if side in {"customer", "agent"} else self.side
                return side in {"customer", "agent"}
            case _:
                days = parse_days(name, value)
                self.days = self.days if days is None else self.days.within(days)
                return days is not None

    def query(self, whole: str) -> Query:
        self._join_digits()
        if (ticket := parse_ticket(whole)) is not None:  # "100 009", which falls into two words
            self.direct.append(ticket)
        return Query(
            wishes=_distinct(self.wishes),
            phrases=_distinct(self.phrases),
            unwanted=_distinct(self.unwanted),
            filters=tuple(self.filters[:MAX_CLAUSES]),
            tickets=tuple(dict.fromkeys(self.tickets)),
            ratings=self.ratings,
            days=self.days,
            side=self.side,
            direct=tuple(dict.fromkeys(self.direct)),
        )


def _distinct(clauses: list[Clause]) -> tuple[Clause, ...]:
    return tuple(dict.fromkeys(clauses))[:MAX_CLAUSES]


def _clauses(value: str) -> list[Clause]:
    """The clauses of one stretch without spaces, or of a filter's value (which may have spaces)."""
    if value.endswith("*") and (stub := value.rstrip("*")):
        return _prefix(stub)
    found = words(value)
    if "@" in value and " " not in value and len(_without_lone_ends(value, found)) > 1:
        return _phrase(value)  # an address is one thing
    joined = codes(value)
    clauses: list[Clause] = []
    place = 0
    while place < len(found):
        code = max((one for one in joined if one.start == found[place].start), key=lambda one: one.end, default=None)
        inside = [word for word in found[place:] if code is not None and word.end <= code.end]
        if code is not None and inside:
            alternatives = (tuple(word.term for word in inside), (code.term,))
            clauses.append(_number(Clause(tuple(dict.fromkeys(alternatives)))))
            place += len(inside)
            continue
        run = _run_of_pairs(value, found[place:])
        clauses += _unspaced(run) if run else [_number(Clause(((found[place].term,),)))]
        place += max(1, len(run))
    return clauses


def _number(clause: Clause) -> Clause:
    """The clause, and if it is a number, what it is as a part of a longer one."""
    last = clause.alternatives[-1]
    if len(last) == 1 and is_number(last[0]) and len(last[0]) >= MIN_PART:
        return replace(clause, part=PART + last[0])
    return clause


def _whole(clause: Clause) -> Clause:
    """The clause as it stands, not as a part of a longer number."""
    return replace(clause, part="")


def _prefix(stub: str) -> list[Clause]:
    found = words(stub)
    if not found:
        return []
    *before, last = found
    whole = fold(stub[last.start : last.end])
    if len(whole) < 2 and not has_no_spaces(whole):
        return _clauses(stub)  # `a*` would be a good part of the dictionary
    if before:  # `wi-fi*`
        return [*_clauses(stub[: last.start]), *_prefix(stub[last.start :])]
    # The index knows stems: `returns*` has to find "return" too.
    return [Clause(tuple(dict.fromkeys([(whole,), (last.term,)])), prefix=True)]


def _phrase(value: str) -> list[Clause]:
    row = tuple(word.term for word in _without_lone_ends(value, words(value)))
    if not row:
        return []
    if len(row) == 1:
        return _clauses(value) or [Clause((row,))]
    return [Clause((row,))]


def _run_of_pairs(value: str, found: list[Word]) -> list[Word]:
    """The words at the beginning that come from one run of a script without spaces."""
    run: list[Word] = []
    for word in found:
        if not has_no_spaces(value[word.start : word.end]) or (run and word.start > run[-1].end - 1):
            break
        run.append(word)
    return run


def _unspaced(run: list[Word]) -> list[Clause]:
    pairs = [word.term for word in run if len(word.term) == 2] or [run[0].term]
    if len(run) == 1 and len(pairs[0]) == 1:
        return [Clause(((pairs[0],),), prefix=True)]  # every character begins some pair
    if len(pairs) <= 3:
        return [Clause((tuple(pairs),))]
    return [Clause(((pair,),)) for pair in pairs]  # a sentence: more of it is better


def _without_lone_ends(value: str, found: list[Word]) -> list[Word]:
    """A phrase must not ask for the lone last character of a run: in a longer run it is part of a pair."""
    return [
        word
        for place, word in enumerate(found)
        if not (len(word.term) == 1 and has_no_spaces(word.term) and place > 0 and found[place - 1].end == word.end)
    ]


def _ratings(value: str) -> frozenset[int] | None:
    found = _RATING.fullmatch(value.strip())
    if found is None:
        return None
    number = int(found["number"])
    match found["sign"]:
        case ">=":
            return frozenset(range(number, 6))
        case ">":
            return frozenset(range(number + 1, 6))
        case "<=":
            return frozenset(range(1, number + 1))
        case "<":
            return frozenset(range(1, number))
    return frozenset({number})
