"""Numbers that are secret because of the words beside them: PINs, codes, accounts, and identity numbers that say so."""

import re
from collections.abc import Iterator

from transcripts.masking.folding import Folded
from transcripts.masking.found import SECRET, Found, last_four
from transcripts.masking.labels import Labels, far_labels, labels_after, labels_before
from transcripts.masking.shapes import passes_check
from transcripts.masking.table import CONJUNCTIONS, UNITS, Label

_LEAST, _MOST = 3, 20
# Never the part of a word, of an amount or of a date; `G-482913` is a number.
_NUMBER = re.compile(
    r"\d(?<![\da-z$€£•]\d)(?<!\d[.,/:]\d)(?:[ -]{0,2}\d){2,}(?![\d%€$£a-z]|[.,:/]\d| ?[$€£%])"
)  # fmt: skip
_FIRST_GROUP = re.compile(r"\d+")
_NEXT_WORD = re.compile(r" {0,2}([a-z]+)")
_BETWEEN_ACCOUNTS = re.compile(r"[\s,;/&]{0,3}([a-z]*)[\s:#]{0,2}")


def find_numbers(folded: Folded) -> Iterator[Found]:
    """Numbers with a label."""
    text, before = folded.text, None
    for number in _NUMBER.finditer(text):
        start, end = number.span()
        labels = labels_before(text, start) or labels_after(text, end)
        if not labels and before and _goes_on(text[before.end : start]):
            labels = (_ACCOUNT,)
        found = _of(text, start, end, labels) or _of_far(text, start, end, labels)
        before = found if found and found.kind == "account" else None
        if found:
            yield found


_ACCOUNT = Label("account", "account", (5, _MOST))


def _goes_on(between: str) -> bool:
    """`routing and account: 021000021 / 123456789`: the second has the label of the first."""
    match = _BETWEEN_ACCOUNTS.fullmatch(between)
    return match is not None and (not match[1] or match[1] in CONJUNCTIONS)


def _of(text: str, start: int, end: int, labels: Labels) -> Found | None:
    if not labels:
        return None  # nearly always
    for stop in (end, _FIRST_GROUP.match(text, start, end).end()):  # type: ignore[union-attr]  # it begins with a digit
        digits = sum(char.isdigit() for char in text[start:stop])
        for label in labels:
            if label.kind and label.digits[0] <= digits <= label.digits[1] and not _is_amount(text, stop):
                shown = SECRET if label.secret else last_four(text[start:stop])
                return Found(start, stop, label.kind, shown)
    return None


def _of_far(text: str, start: int, end: int, labels: Labels) -> Found | None:
    """Identity numbers whose label stands further away: their check digit has to be right."""
    if labels:
        return None
    digits = text[start:end].replace(" ", "").replace("-", "")
    far = far_labels(text, start) if len(digits) in (9, 12) else ()
    if any(label.kept for label in far):
        return None
    for label in far:
        if label.kind and len(digits) == label.digits[0] and passes_check(label.kind, digits):
            return Found(start, end, label.kind, last_four(digits))
    return None


def _is_amount(text: str, end: int) -> bool:
    word = _NEXT_WORD.match(text, end)
    return word is not None and word[1] in UNITS
