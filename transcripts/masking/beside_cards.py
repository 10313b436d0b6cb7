"""Expiry dates and security codes beside a card number: `4111 1111 1111 1111, exp 12/27, CVV 123`.

Only where there is a card: a voucher expires too. A security code that says what it is needs none (`rules.json`).
"""

import re
from collections.abc import Iterator

from transcripts.masking.found import Found
from transcripts.masking.table import RULES

_GAP = r"[\s!-/:-@\[-`{-~]"
_TABLE = RULES["beside"]
_WORDS = f"(?:{'|'.join(_TABLE['words'])})"
_LEAD = rf"{_GAP}{{0,4}}(?:{_WORDS}{_GAP}{{1,3}}){{0,6}}"
_EXPIRY = r"(?:0?[1-9]|1[0-2])\s?[/.\-]\s?(?:20)?[2-4]\d(?![\d./])|(?:0[1-9]|1[0-2])[2-4]\d(?!\d)"
_EXPIRY_AFTER = re.compile(rf"{_LEAD}({_EXPIRY})")
_CODE_AFTER = re.compile(rf"{_LEAD}(\d{{3,4}})(?![\da-z]|[.,:/\-]\d|\s?[$€£%])")
_FOLLOWS = re.compile(r" ?[a-z]|[ -]?\d{3}")  # 4111 1111 1111 1111 100 euros, or the next number
_EXPIRY_BEFORE = re.compile(
    r"(?<![\d./])((?:0?[1-9]|1[0-2])[/.\-](?:20)?[2-4]\d)"
    rf"{_GAP}{{1,4}}(?:{_WORDS}{_GAP}{{1,3}}|\d{{3,4}}{_GAP}{{1,3}}){{0,4}}\Z"
)
_EXPIRY_SAID = re.compile(
    rf"(?:{'|'.join(_TABLE['expiry'])})(?:{_GAP}{{1,3}}(?:{'|'.join(_TABLE['until'])})){{0,3}}{_GAP}{{0,3}}({_EXPIRY})"
)
_ITEMS = 3
_LOOK = 48

EXPIRY, CODE = "••/••", "•••"


def beside(text: str, cards: list[tuple[int, int]]) -> Iterator[Found]:
    """The expiry dates and security codes that belong to these cards."""
    for start, end in cards:
        yield from _after(text, end)
        look = max(0, start - _LOOK)
        if before := _EXPIRY_BEFORE.search(text[look:start]):
            yield Found(look + before.start(1), look + before.end(1), "card", EXPIRY)
    for said in _EXPIRY_SAID.finditer(text):
        yield Found(said.start(1), said.end(1), "card", EXPIRY)


def _after(text: str, place: int) -> Iterator[Found]:
    bare = True
    for _ in range(_ITEMS):
        if item := _EXPIRY_AFTER.match(text, place):
            shown = EXPIRY
        elif (item := _CODE_AFTER.match(text, place)) and not (bare and _FOLLOWS.match(text, item.end())):
            shown = CODE
        else:
            return
        yield Found(item.start(1), item.end(1), "card", shown)
        place, bare = item.end(), False
