"""Passwords: what stands behind `password is`, `password:`, or before `is my password`.

A word that people say of passwords ("wrong", "not working") is none, and without `is` or a colon only what looks like
one is: with a digit or a special character in it.
"""

import re
from collections.abc import Iterator

from transcripts.masking.folding import Folded
from transcripts.masking.found import Found
from transcripts.masking.table import RULES

SHOWN = "••••••"

_TABLE = RULES["password"]
HINTS: tuple[str, ...] = tuple(_TABLE["hints"])
_ONLY_MARKED = frozenset[str](_TABLE["only_marked"])
_STOPS = frozenset[str](_TABLE["stops"])


def _any(name: str) -> str:
    return f"(?:{'|'.join(map(re.escape, _TABLE[name]))})"


_SAID = re.compile(rf"(?<![a-z0-9])({_any('words')})(?![a-z0-9])")
# "password for the shop is", "password = ", "password "
_MARK = re.compile(
    rf"(?:\s{{1,3}}{_any('for')}(?:\s{{1,3}}[a-z']{{1,20}}){{1,3}}?)?"
    rf"(?:\s{{0,3}}(?P<strong>[:=]|-?-?>|=>)\s{{0,3}}|\s{{1,3}}(?P<is>{_any('is')})\s{{0,2}}:?\s{{1,3}})|\s{{1,3}}"
)
_QUOTED = re.compile(r"([\"'`])([^\"'`\n•]{1,64})\1")
_VALUE = re.compile(r"[(\[]?([^\s•]{1,64})")
_BEFORE = re.compile(
    rf"(?<!\S)([^\s•]{{4,64}})\s{{1,3}}{_any('is')}\s{{1,3}}(?:{_any('my')}\s{{1,3}})?(?:{_any('which')}\s{{1,3}})?\Z"
)
_SHORTEST = 3
_LOOK_BACK = 112

_TAIL = ".,;:?)]\"'"
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_SENTENCE_GOES_ON = re.compile(rf"[ \t]+(?!{_any('goes_on')}(?![a-z]))[^\s•]")
_SPECIAL = re.compile(r"[\d!@#$%^&*_=+?~<>|\\]")
# Addresses, dates, amounts: what has digits and special characters, too.
_KNOWN = re.compile(
    r"\S+@\S+\.\S+|https?:\S*|www\.\S*|\d{1,4}[./-]\d{1,2}(?:[./-]\d{1,4})?|\d+[.,:]\d+\S{0,2}"
    r"|\d+(?:st|nd|rd|th|x)|#\S*"
)


def find_passwords(folded: Folded) -> Iterator[Found]:
    """Passwords whose author says that they are."""
    text, done = folded.text, 0
    for said in _SAID.finditer(text):
        if said.start() < done:
            continue
        place = _value_after(folded, said[1], said.end()) or _value_before(text, said.start(), said.end())
        if place:
            done = max(done, place[1])
            yield Found(*place, "password", SHOWN)


def _value_after(folded: Folded, word: str, place: int) -> tuple[int, int] | None:
    text = folded.text
    mark = _MARK.match(text, place)
    if mark is None or (word in _ONLY_MARKED and not mark["strong"] and not mark["is"]):
        return None
    if (mark["strong"] or mark["is"]) and (quoted := _QUOTED.match(text, mark.end())):
        return quoted.span(2)
    value = _VALUE.match(text, mark.end())
    if value is None:
        return None
    start, end = value.start(1), value.start(1) + len(value[1].rstrip(_TAIL))
    secret = text[start:end]
    said = secret.rstrip("!" + _TAIL)
    if len(secret) < _SHORTEST or said in _STOPS or _SAID.fullmatch(said) or not any(map(str.isalnum, said)):
        return None
    if mark["strong"] or (mark["is"] and not _WORD.fullmatch(said)):
        return start, end
    if mark["is"]:
        return None if _SENTENCE_GOES_ON.match(text, end) else (start, end)
    shouted = secret.endswith("!") and folded.written(start, start + 1).isupper()  # password Sunshine!
    return (start, end) if shouted or _looks_secret(said) else None


def _value_before(text: str, end: int, stop: int) -> tuple[int, int] | None:
    if _SENTENCE_GOES_ON.match(text, stop):
        return None  # "Hello! Is my password safe?"
    look = max(0, end - _LOOK_BACK)
    before = _BEFORE.search(text[look:end])
    if before is None or not _looks_secret(before[1].rstrip(_TAIL)):
        return None
    return look + before.start(1), look + before.end(1)


def _looks_secret(word: str) -> bool:
    return len(word) >= 4 and _SPECIAL.search(word) is not None and _KNOWN.fullmatch(word) is None
