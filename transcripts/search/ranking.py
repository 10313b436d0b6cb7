"""The fine order of candidates: BM25 over what was said and what the chat is called, more of the query above less,
words that stand together above words apart. Pure functions on stored terms, the same for every engine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transcripts.search.document import AGENT, BREAK, CUSTOMER, Document
from transcripts.search.query import Clause

_K1, _B = 0.9, 0.4  # as usual for long texts: the third mention of a word says little more than the second
_NAMED = 2.0  # a word in a name, the topic or a number weighs as much as two in the text
_TOGETHER = 0.4  # of the rarer word's weight, for two words that follow each other as in the query
_ORDER_HIT = 100.0  # somebody typed a chat's order number: nothing else can be meant

Weights = Mapping[Clause, float]


@dataclass(frozen=True)
class Ranked:
    """A candidate and its score."""

    ticket: int
    score: float


def weights(clauses: Sequence[Clause], frequencies: Mapping[Clause, int], chats: int) -> dict[Clause, float]:
    """How much each clause tells: the rarer, the more (BM25's idf, never negative)."""
    found = {clause: min(frequencies[clause], chats) for clause in clauses}
    return {clause: math.log(1 + (chats - count + 0.5) / (count + 0.5)) for clause, count in found.items()}


def rank(documents: Sequence[Document], clauses: Sequence[Clause], weight: Weights, side: str | None) -> list[Ranked]:
    """The documents that have any of the clauses, with their scores, in no order."""
    if not documents:
        return []
    # Counting in strings is the cheap way: 300 chats times ten words times two strings are 5 ms.
    asked = [(weight[clause], needles(clause)) for clause in clauses]
    pairs = [] if any(clause.prefix for clause in clauses) else _pairs(clauses, weight)
    total = sum(value for value, _ in asked) or 1.0
    orders = [f" {' '.join(row)} " for clause in clauses for row in clause.alternatives if _like_an_order(row)]
    texts = [_texts(document, side) for document in documents]
    mean = sum(len(said) for said, _ in texts) / len(texts) or 1.0
    ranked: list[Ranked] = []
    for document, (said, named) in zip(documents, texts, strict=True):
        norm = _K1 * (1 - _B + _B * len(said) / mean)
        score = matched = 0.0
        for value, wanted in asked:
            count = 0.0
            for needle in wanted:
                count += said.count(needle) + _NAMED * named.count(needle)
            if count:
                score += value * count * (_K1 + 1) / (count + norm)
                matched += value
        if not matched:
            continue
        score += sum(value for value, pair in pairs if pair in said)
        score *= matched / total
        if orders and any(order in f" {document.public['orders']} " for order in orders):
            score += _ORDER_HIT
        ranked.append(Ranked(document.ticket, round(score, 4)))
    return ranked


def needles(clause: Clause) -> list[str]:
    """What to look for in a string of terms with a space around each."""
    rows = [f" {' '.join(row)} " for row in clause.alternatives]
    return [rows[0].rstrip(), *rows[1:]] if clause.prefix else rows


def _texts(document: Document, side: str | None) -> tuple[str, str]:
    """The terms of what was said and of what the chat is called, as far as they count."""
    public, notes = document.public, document.notes or {}
    if side == CUSTOMER:
        return f" {public[CUSTOMER]} ", ""
    if side == AGENT:
        return f" {public[AGENT]} {BREAK} {notes.get('note', '')} ", ""
    said = f" {public[CUSTOMER]} {BREAK} {public[AGENT]} {BREAK} {notes.get('note', '')} "
    names = [terms for column, terms in public.items() if terms and column not in {CUSTOMER, AGENT}]
    if notes:
        names.append(notes["codes"])
    return said, f" {f' {BREAK} '.join(names)} "


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
