"""The fine order of candidates: BM25 over what was said and what the chat is called, more of the query above less,
words that stand together above words apart. Pure functions on stored terms, the same for every engine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transcripts.search.common_words import common_words
from transcripts.search.document import AGENT, BREAK, CUSTOMER, CUT, Document
from transcripts.search.query import Clause

_K1, _B = 0.9, 0.4  # as usual for long texts: the third mention of a word says little more than the second
_NAMED = 2.0  # a word in a name, the topic or a number weighs as much as two in the text
_ASKED = 1.25  # what the customer says is what the chat is about; agents say much the same in every chat
_TOGETHER = 0.4  # of the rarer word's weight, for two words that follow each other as in the query
_ORDER_HIT = 100.0  # somebody typed a chat's order number: nothing else can be meant
_GUESSED = 0.6  # of a word's weight, for what it may have meant, or a number that it may be a part of
_COMMON = 0.15  # of a word's weight, if it says little in any chat

Weights = Mapping[Clause, float]


@dataclass(frozen=True)
class Ranked:
    """A candidate and its score."""

    ticket: int
    score: float


def weights(clauses: Sequence[Clause], frequencies: Mapping[Clause, int], chats: int) -> dict[Clause, float]:
    """How much each clause tells: the rarer, the more (BM25's idf, never negative)."""
    found = {clause: min(frequencies[clause], chats) for clause in clauses}
    told = {clause: math.log(1 + (chats - count + 0.5) / (count + 0.5)) for clause, count in found.items()}
    return {clause: value * (_COMMON if says_little(clause) else 1.0) for clause, value in told.items()}


def says_little(clause: Clause) -> bool:
    """Whether it is a word of grammar, or of looking for a chat."""
    return not clause.prefix and all(len(row) == 1 and row[0] in common_words() for row in clause.alternatives)


def rank(
    documents: Sequence[Document],
    clauses: Sequence[Clause],
    weight: Weights,
    side: str | None,
    needed: Sequence[Clause] = (),
) -> list[Ranked]:
    """The documents that have any of the clauses and all of those needed, with their scores, in no order."""
    if not documents:
        return []
    # Counting in strings is the cheap way: 300 chats times ten words times three strings are 6 ms.
    asked = [(weight[clause], needles(clause)) for clause in clauses]
    pairs = [] if any(clause.prefix for clause in clauses) else _pairs(clauses, weight)
    total = sum(value for value, _ in asked) or 1.0
    orders = [f" {' '.join(row)} " for clause in clauses for row in clause.alternatives if _like_an_order(row)]
    phrases = [[needle for needle, _ in needles(clause)] for clause in needed]
    texts = [_texts(document, side) for document in documents]
    mean = sum(len(own) + len(said) for own, said, _ in texts) / len(texts) or 1.0
    ranked: list[Ranked] = []
    for document, (own, said, named) in zip(documents, texts, strict=True):
        norm = _K1 * (1 - _B + _B * (len(own) + len(said)) / mean)
        score = matched = 0.0
        everything = own + said + named
        for value, wanted in asked:
            count = best = 0.0
            for needle, worth in wanted:
                if needle in everything:  # most of them are not
                    found = _ASKED * own.count(needle) + said.count(needle) + _NAMED * named.count(needle)
                    count += worth * found
                    best = max(best, worth)
            if count:
                score += value * count * (_K1 + 1) / (count + norm)
                matched += value * best
        if not matched or (phrases and not _has_all(phrases, own, said, named)):
            continue
        score += sum(value for value, pair in pairs if pair in own or pair in said or pair in named)
        score *= matched / total
        if orders and any(order in f" {document.public['orders']} " for order in orders):
            score += _ORDER_HIT
        ranked.append(Ranked(document.ticket, round(score, 4)))
    return ranked


def _has_all(phrases: Sequence[Sequence[str]], *texts: str) -> bool:
    if max(map(len, texts)) >= CUT:
        return True  # it may be in what we do not see
    return all(any(needle in text for needle in phrase for text in texts) for phrase in phrases)


def needles(clause: Clause) -> list[tuple[str, float]]:
    """What to look for in a string of terms with a space around each, and what it is worth."""
    exact = len(clause.alternatives)
    return [
        (f" {' '.join(row)}{'' if goes_on else ' '}", 1.0 if place < exact else _GUESSED)
        for place, (row, goes_on) in enumerate(clause.rows())
    ]


def _texts(document: Document, side: str | None) -> tuple[str, str, str]:
    """The terms of what the customer said, of what others said, and of what the chat is called: what counts of them."""
    public, notes = document.public, document.notes or {}
    own, others = f" {public[CUSTOMER]} ", f" {public[AGENT]} {BREAK} {notes.get('note', '')} "
    if side == CUSTOMER:
        return own, "", ""
    if side == AGENT:
        return "", others, ""
    names = [terms for column, terms in public.items() if terms and column not in {CUSTOMER, AGENT}]
    if notes:
        names.append(notes["codes"])
    return own, others, f" {f' {BREAK} '.join(names)} "


def _pairs(clauses: Sequence[Clause], weight: Weights) -> list[tuple[float, str]]:
    return [
        (
            _TOGETHER * min(weight[first], weight[second]),
            f" {' '.join((*first.alternatives[0], *second.alternatives[0]))} ",
        )
        for first, second in pairwise(clauses)
    ]


def _like_an_order(row: tuple[str, ...]) -> bool:
    code = "".join(row)
    return len(code) >= 5 and any(char.isdigit() for char in code)


def frequencies_in(documents: Sequence[Document], clauses: Sequence[Clause]) -> dict[Clause, int]:
    """In how many of the documents each clause is."""
    whole = [" ".join(_texts(document, None)) for document in documents]
    return {
        clause: sum(any(needle in text for needle, _ in wanted) for text in whole)
        for clause, wanted in ((clause, needles(clause)) for clause in clauses)
    }
