"""Applies the rules to a text: first what costs nothing, then only the rules that can find something in it."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from transcripts.masking import passwords
from transcripts.masking.cards import find_cards
from transcripts.masking.folding import Folded
from transcripts.masking.found import Found, last_four
from transcripts.masking.numbers import find_numbers
from transcripts.masking.shapes import find_ibans, find_identities, find_ninos
from transcripts.masking.site_patterns import SitePattern
from transcripts.masking.table import RULES

KINDS: tuple[str, ...] = tuple(row["name"] for row in RULES["kinds"])
_NEVER_KEPT = frozenset(row["name"] for row in RULES["kinds"] if not row["may_keep"])


class Masked(NamedTuple):
    """A text without its secrets, and the kinds that were found in it."""

    text: str
    kinds: tuple[str, ...] = ()


class _Rule(NamedTuple):
    """`fewest` digits have to be in a text in which `find` can find something."""

    fewest: int
    find: Callable[[Folded], Iterable[Found]]


# In the order of their rights: what an earlier one has found, a later one leaves alone. An IBAN holds digits that may
# pass for a card by chance, and its own check is the stricter one.
_RULES = (
    _Rule(4, find_ibans),
    _Rule(13, find_cards),
    _Rule(3, find_numbers),
    _Rule(9, find_identities),
    _Rule(6, find_ninos),
)
_MOST_DIGITS = max(rule.fewest for rule in _RULES)
_LEAST_DIGITS = 3
_SHAPES = 9  # with fewer, only numbers whose digits stand close together

_ASCII_DIGITS = b"0123456789"
_DIGIT = re.compile(r"\d")
_THREE_DIGITS = re.compile(r"\d[ -]{0,2}\d[ -]{0,2}\d")

# What is left of one secret may begin another. A text that still changes after so many rounds was made to.
_ROUNDS = 4


class Masker:
    """The rules of an installation. `mask` is a pure function of the text, for one masker.

    Masking twice changes nothing. The time grows linearly with the text, whatever is in it.
    """

    def __init__(self, *, off: Collection[str] = (), patterns: Sequence[SitePattern] = ()) -> None:
        self.off = frozenset(off)
        self._patterns = tuple(patterns)
        self._hints = () if "password" in self.off else passwords.HINTS
        # By how many digits a text has.
        self._rules = [tuple(rule for rule in _RULES if rule.fewest <= digits) for digits in range(_MOST_DIGITS + 1)]

    @property
    def patterns(self) -> dict[str, str]:
        """The site's own patterns by name, as they were given."""
        return {one.name: one.pattern for one in self._patterns}

    def mask(self, text: str, keep: Collection[str] = ()) -> Masked:
        """The text with every secret masked: a payment card becomes `•••• ` and its last four digits.

        Args:
            text: any text; not changed where nothing is found (the very same object comes back).
            keep: kinds the author asked to leave alone, honoured only where the kind allows it.
        """
        # Nearly every text ends here, after 1 µs.
        if not self._patterns and _holds_no_number(text):
            lower = text.lower()
            for hint in self._hints:
                if hint in lower:
                    break
            else:
                return Masked(text)
        return self._mask(text, self.off.union(keep) - (_NEVER_KEPT - self.off))

    def _mask(self, text: str, skip: frozenset[str]) -> Masked:
        kinds: dict[str, None] = {}
        for _ in range(_ROUNDS):
            folded = Folded(text)
            places = self._find(folded, skip)
            if not places:
                return Masked(text, tuple(kinds))
            kinds.update(dict.fromkeys(found.kind for found in places))
            text = _replaced(folded, places)
        return Masked(_DIGIT.sub("•", text), tuple(kinds))

    def _find(self, folded: Folded, skip: frozenset[str]) -> list[Found]:
        """What to mask, in order, nothing twice."""
        found: list[Found] = []
        for rule in self._rules[min(_digits(folded.text), _MOST_DIGITS)]:
            found += rule.find(folded)
        for hint in self._hints:
            if hint in folded.text:
                found += passwords.find_passwords(folded)
                break
        for pattern in self._patterns:
            found += (
                Found(match.start(), match.end(), pattern.name, last_four(match[0]))
                for match in pattern.regex.finditer(folded.text)
            )
        return _without_overlaps([one for one in found if one.kind not in skip], len(folded.text)) if found else found


def _holds_no_number(text: str) -> bool:
    digits = _digits(text)
    return digits < _LEAST_DIGITS or (digits < _SHAPES and text.isascii() and not _THREE_DIGITS.search(text))


def _digits(text: str) -> int:
    if text.isascii():
        raw = text.encode()
        return len(raw) - len(raw.translate(None, _ASCII_DIGITS))
    return len(_DIGIT.findall(text))


def _without_overlaps(found: list[Found], length: int) -> list[Found]:
    taken = bytearray(length)
    kept = []
    for one in found:
        if not any(taken[one.start : one.end]):
            taken[one.start : one.end] = b"\1" * (one.end - one.start)
            kept.append(one)
    return sorted(kept)


def _replaced(folded: Folded, places: list[Found]) -> str:
    pieces, done = [], 0
    for start, end, _, shown in places:
        first, last = folded.span(start, end)
        pieces += [folded.original[done:first], shown]
        done = last
    return "".join([*pieces, folded.original[done:]])
