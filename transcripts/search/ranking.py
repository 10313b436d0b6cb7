"""The fine order of candidates: BM25 over weighted columns, more of the query above less, words that stand together
above words apart. Pure functions on stored terms, the same for every engine.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transcripts.search.document import AGENT, CUSTOMER, Document
from transcripts.search.query import Clause

_K1, _B = 1.2, 0.5
_SAID = {CUSTOMER: 1.0, AGENT: 0.9}
_NAMED = {
    "customer_name": 2.0,
    "agent_name": 1.0,
    "topic": 3.0,
    "department": 1.0,
    "orders": 4.0,
    "product": 2.0,
    "codes": 1.5,
}
_NOTES = {"note": 0.9, "codes": 1.5}
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
    return {
        clause: math.log(1 + (chats - frequencies[clause] + 0.5) / (frequencies[clause] + 0.5))
        if frequencies[clause] < chats
        else math.log(1 + 0.5 / (chats + 0.5))
        for clause in clauses
    }


def rank(documents: Sequence[Document], clauses: Sequence[Clause], weight: Weights, side: str | None) -> list[Ranked]:
    """The documents that have any of the clauses, with their scores, in no order."""
    if not documents:
        return []
    lengths = [_length(document) for document in documents]
    mean = sum(lengths) / len(lengths) or 1.0
    total = sum(weight.values()) or 1.0
    ranked: list[Ranked] = []
    for document, length in zip(documents, lengths, strict=True):
        norm = _K1 * (1 - _B + _B * length / mean)
        padded = _padded(document, side)
        found = {clause: _frequency(clause, padded) for clause in clauses}
        matched = [clause for clause in clauses if found[clause]]
        if not matched:
            continue
        score = sum(weight[clause] * found[clause] * (_K1 + 1) / (found[clause] + norm) for clause in matched)
        score += _neighbours(clauses, weight, padded)
        coverage = sum(weight[clause] for clause in matched) / total
        ranked.append(Ranked(document.ticket, round(score * (0.3 + 0.7 * coverage) + _order_hit(clauses, document), 4)))
    return ranked


def _length(document: Document) -> int:
    return sum(len(document.public[name]) for name in _SAID) + len((document.notes or {}).get("note", ""))


def _padded(document: Document, side: str | None) -> list[tuple[str, float]]:
    """(terms between spaces, weight) of the columns that count."""
    if side is not None:
        columns = [(document.public[side], _SAID[side])]
    else:
        columns = [(document.public[name], factor) for name, factor in (_SAID | _NAMED).items()]
    if document.notes is not None and side != CUSTOMER:
        columns += [(document.notes[name], factor) for name, factor in _NOTES.items()]
    return [(f" {terms} ", factor) for terms, factor in columns if terms]


def _frequency(clause: Clause, padded: list[tuple[str, float]]) -> float:
    return sum(factor * terms.count(needle) for needle in _needles(clause) for terms, factor in padded)


def _needles(clause: Clause) -> list[str]:
    return [
        f" {' '.join(row)}" + ("" if clause.prefix and place == 0 else " ")
        for place, row in enumerate(clause.alternatives)
    ]


def _neighbours(clauses: Sequence[Clause], weight: Weights, padded: list[tuple[str, float]]) -> float:
    score = 0.0
    for first, second in pairwise(clauses):
        if first.prefix or second.prefix:
            continue
        pair = f" {' '.join((*first.alternatives[0], *second.alternatives[0]))} "
        if any(pair in terms for terms, _ in padded):
            score += _TOGETHER * min(weight[first], weight[second])
    return score


def _order_hit(clauses: Sequence[Clause], document: Document) -> float:
    orders = f" {document.public['orders']} "
    if orders == "  ":
        return 0.0
    for clause in clauses:
        for row in clause.alternatives:
            code = "".join(row)
            if len(code) >= 5 and any(char.isdigit() for char in code) and f" {' '.join(row)} " in orders:
                return _ORDER_HIT
    return 0.0
