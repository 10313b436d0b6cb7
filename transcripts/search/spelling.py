"""Words that may have been meant: what somebody typed with a slip, and nobody said.

The vocabulary is every word (stem) of the index, in a table that finds words which begin or end like another. One slip
(a letter too much, too few, wrong, or two of them swapped) leaves one of the two ends of a word whole, so what is meant
is among these.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.search.analyser import has_no_spaces
from transcripts.search.document import Document

SHORTEST, LONGEST = 4, 24
"""Of words that are looked after: a slip in a shorter one makes another word of it, and a longer one is none."""

_TWO_SLIPS = 7
"""From this length on, a word may have two slips."""

GUESSES = 3
"""For one word, at most."""

_CANDIDATES = 3_000  # looked at for one word: 3 ms
_TOLD_APART = 20  # how much more often a guess has to be said than the word that was typed, if anybody says that


def spelled(word: str) -> bool:
    """Whether it can be looked after: a word of an alphabet, of some length."""
    return SHORTEST <= len(word) <= LONGEST and word.isalpha() and (word.isascii() or not has_no_spaces(word))


def words_of(documents: Iterable[Document]) -> set[str]:
    """The words in these documents that are looked after."""
    found: set[str] = set()
    for one in documents:
        for column in (*one.public.values(), *(one.notes or {}).values()):
            found.update(column.split())
    return set(filter(spelled, found))


class Vocabulary:
    """The table of words."""

    def __init__(self) -> None:
        self._known: set[str] = set()  # of those that are in the table, some: most words come again and again

    async def add(self, connection: AsyncConnection, documents: Iterable[Document]) -> set[str]:
        """Writes the words of these documents; returns those it did not know. Tell `keep` when they are durable."""
        new = words_of(documents) - self._known
        rows = [{"word": word, "mirrored": word[::-1]} for word in sorted(new)]  # in one order: no two writers lock
        if rows:
            await connection.execute(_ADD, rows)
        return new

    def keep(self, words: Collection[str]) -> None:
        """These are in the table."""
        if len(self._known) > _KNOWN:
            self._known.clear()
        self._known |= set(words)

    async def forget(self, connection: AsyncConnection, words: Collection[str]) -> None:
        """Takes words out that nobody says any more."""
        self._known -= set(words)
        if words:
            await connection.execute(_REMOVE, [{"word": word} for word in sorted(words)])

    async def near(self, connection: AsyncConnection, word: str) -> list[str]:
        """The words that may have been meant, those that differ least first."""
        head, tail = (len(word) - 1) // 2, len(word) - 1 - (len(word) - 1) // 2
        slips = _slips(word)
        short = "length(word) BETWEEN :shortest AND :longest"
        question = text(
            f"SELECT word FROM (SELECT word FROM search_words WHERE word >= :head AND word < :past_head AND {short} "
            "LIMIT :most) AS a UNION SELECT word FROM (SELECT word FROM search_words "
            f"WHERE mirrored >= :tail AND mirrored < :past_tail AND {short} LIMIT :most) AS b"
        )
        mirrored = word[::-1][:tail]
        values = {
            **{"head": word[:head], "past_head": word[:head] + _LAST, "tail": mirrored, "past_tail": mirrored + _LAST},
            **{"shortest": len(word) - slips, "longest": len(word) + slips, "most": _CANDIDATES},
        }
        return nearest(word, await connection.scalars(question, values))


_ADD = text("INSERT INTO search_words (word, mirrored) VALUES (:word, :mirrored) ON CONFLICT DO NOTHING")
_REMOVE = text("DELETE FROM search_words WHERE word = :word")
_KNOWN = 200_000
_LAST = "\U0010ffff"


def nearest(word: str, candidates: Iterable[str]) -> list[str]:
    """Those of the candidates that are at most as many slips away as the word may have, the nearest first."""
    most = _slips(word)
    found = ((distance(word, one, most), one[0] != word[0], one) for one in set(candidates) if one != word)
    return [one for slips, _, one in sorted(found) if slips <= most]


def distance(one: str, other: str, most: int) -> int:
    """How many slips make one word of the other; more than `most` is only known to be more.

    A slip is a letter left out, added or replaced, or two neighbours swapped.
    """
    one, other = _ends_off(one, other)
    if abs(len(one) - len(other)) > most or (most == 1 and max(len(one), len(other)) > 2):
        return most + 1
    above: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        above, before, row = row, above, [at]
        for place, wanted in enumerate(other, start=1):
            cost = min(above[place] + 1, row[-1] + 1, above[place - 1] + (letter != wanted))
            if at > 1 and place > 1 and letter == other[place - 2] and one[at - 2] == wanted:
                cost = min(cost, before[place - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def guesses(near: Sequence[str], counts: Mapping[str, int], typed: int, word: str) -> tuple[str, ...]:
    """The best of the words that are near: few slips before many, what is said often before what is not.

    Args:
        near: as `nearest` gives them.
        counts: in how many chats each of them is.
        typed: in how many chats the word is as it was typed.
        word: that word.
    """
    said = [one for one in near if counts.get(one, 0) > typed * _TOLD_APART]
    slips = {one: distance(word, one, _slips(word)) for one in said}
    fewest = min(slips.values(), default=0)
    likely = [one for one in said if slips[one] == fewest]
    return tuple(sorted(likely, key=lambda one: (one[0] != word[0], -math.log2(counts[one]), one))[:GUESSES])


def _slips(word: str) -> int:
    return 2 if len(word) >= _TWO_SLIPS else 1


def _ends_off(one: str, other: str) -> tuple[str, str]:
    """Both without what they have in common at their ends."""
    start, least = 0, min(len(one), len(other))
    while start < least and one[start] == other[start]:
        start += 1
    end, most = 0, least - start
    while end < most and one[-1 - end] == other[-1 - end]:
        end += 1
    return one[start : len(one) - end], other[start : len(other) - end]
