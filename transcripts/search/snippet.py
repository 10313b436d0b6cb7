"""The place in a chat that answers the query: its best matching entry, and the stretch of its text to show."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transcripts.search.analyser import PART, Word, codes, is_number, other_forms, terms, words
from transcripts.search.document import BREAK
from transcripts.search.loading import Line
from transcripts.search.query import Clause
from transcripts.search.ranking import Weights, needles, says_little

LENGTH = 180
"""Characters of a snippet, about two lines."""

Pieces = list[tuple[str, bool]]


@dataclass(frozen=True)
class Place:
    """The best entry (None: the match is not in what was said) and the pieces of its text: (text, whether it
    matches).
    """

    entry_seq: int | None
    snippet: Pieces


def best_place(lines: Sequence[Line], clauses: Sequence[Clause], weight: Weights, side: str | None) -> Place:
    """The entry with the most of the query; the earlier one where two have the same.

    Args:
        lines: a chat's entries in order, only such as the asker may see.
        clauses: what was looked for.
        weight: how much each clause tells.
        side: 'customer' or 'agent' if only what that side said counts.
    """
    asked = [[(weight[clause] * worth, needle) for needle, worth in needles(clause)] for clause in clauses]
    best, most = None, 0.0
    for line in lines if asked else ():
        if not line.text or (side is not None and (line.role == "customer") != (side == "customer")):
            continue
        score = _told(line.text, asked)
        if score > most:
            best, most = line, score
    if best is not None:
        text = best.text or ""
        return Place(best.seq, cut(text, _hits(text, clauses)))
    said_first = next((line.text for line in lines if line.text), "")
    return Place(None, cut(said_first, []))


def _told(text: str, asked: Iterable[list[tuple[float, str]]]) -> float:
    """What the text tells: of each clause's needles, the first that is in it, and they are the best first."""
    said = f" {' '.join((*terms(text), BREAK, *other_forms(text)))} "
    score = 0.0
    for wanted in asked:
        for value, needle in wanted:
            if needle in said:
                score += value
                break
    return score


def _hits(text: str, clauses: Sequence[Clause]) -> list[Word]:
    """Every stretch of the text that one of the clauses is found in; of grammar only if nothing else was asked for."""
    row, joined = words(text), codes(text)
    hits: list[Word] = []
    telling = [clause for clause in clauses if not says_little(clause)]
    for clause in telling or clauses:
        for wanted, goes_on in clause.rows():
            hits += _find(wanted, row, goes_on)
        hits += [code for code in joined if (code.term,) in clause.alternatives]
        if digits := clause.part.removeprefix(PART):
            hits += [word for word in (*row, *joined) if is_number(word.term) and digits in word.term]
    return hits


def _find(wanted: tuple[str, ...], row: list[Word], goes_on: bool) -> Iterable[Word]:
    if goes_on:
        return [word for word in row if word.term.startswith(wanted[0])]
    length = len(wanted)
    return [
        Word(" ".join(wanted), word.start, row[at + length - 1].end)
        for at, word in enumerate(row[: len(row) - length + 1])
        if word.term == wanted[0] and tuple(one.term for one in row[at : at + length]) == wanted
    ]


def cut(text: str, hits: Sequence[Word]) -> Pieces:
    """The stretch of the text with the most hits, in pieces; `…` where something was left out."""
    spans = _merged(hits)
    start, end = _window(text, spans)
    pieces: Pieces = []
    at = start
    for first, last in spans:
        if first < start or last > end:
            continue
        pieces += [(text[at:first], False), (text[first:last], True)]
        at = last
    pieces.append((text[at:end], False))
    if start > 0:
        pieces.insert(0, ("…", False))
    if end < len(text):
        pieces.append(("…", False))
    return [piece for piece in pieces if piece[0]]


def _merged(hits: Iterable[Word]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for hit in sorted(hits, key=lambda word: (word.start, word.end)):
        if spans and hit.start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], hit.end))
        else:
            spans.append((hit.start, hit.end))
    return spans


def _window(text: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    if len(text) <= LENGTH:
        return 0, len(text)
    if not spans:
        return 0, _word_end(text, LENGTH)
    # The densest stretch: begins a little before some hit and has the most hits in it.
    starts = [max(0, first - LENGTH // 4) for first, _ in spans]
    start = max(starts, key=lambda at: sum(at <= first and last <= at + LENGTH for first, last in spans))
    start = min(start, len(text) - LENGTH)
    if start > 0:
        space = text.find(" ", start, start + 20)
        first_hit = next((first for first, _ in spans if first >= start), len(text))
        start = space + 1 if 0 <= space < first_hit else start
    return start, _word_end(text, start + LENGTH)


def _word_end(text: str, end: int) -> int:
    if end >= len(text):
        return len(text)
    space = text.rfind(" ", end - 20, end)
    return space if space > 0 else end
