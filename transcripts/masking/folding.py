"""The form in which texts are compared: lower case, ASCII digits and punctuation, no accents, nothing invisible.

So no rule has to know about full-width digits, non-breaking spaces or characters of no width. Every character of a
folded text knows its place in the original, so what is found there is replaced in the original.
"""

import re
import unicodedata
from array import array

# Inside a number they are nothing: soft hyphen, joiners, marks of direction, variation selectors, a keycap's frame.
_INVISIBLE = {
    0x00AD, 0x034F, 0x061C, 0x180E, 0x20E3, 0xFEFF,
    *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10),
}  # fmt: skip
_GROUP = re.compile(r"\d+")
_BULLET = 0x2022  # what the mask itself leaves


class _Table(dict[int, str | None]):
    """Code point → folded character, None for nothing; filled as characters are met, for `str.translate`."""

    def __missing__(self, code: int) -> str | None:
        self[code] = folded = _fold(code)
        return folded


def _fold(code: int) -> str | None:
    char = chr(code)
    if char.isascii():
        return char.lower()
    if code in _INVISIBLE:
        return None
    if code == _BULLET:
        return char
    if char == "№":
        return "#"
    if (digit := unicodedata.decimal(char, None)) is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKD", char)
    if len(plain) == 1 or all(unicodedata.category(mark).startswith("M") for mark in plain[1:]):
        char = plain[0]
    if char.isspace():
        return " "
    if len(lower := char.lower()) == 1:
        char = lower
    if char.isalnum() or unicodedata.category(char)[0] == "M" or unicodedata.category(char) == "Sc" or char.isascii():
        return char
    return "-" if unicodedata.category(char) == "Pd" or char == "\u2212" else "."


_TABLE = _Table()


class Folded:
    """A text in the form in which it is compared."""

    def __init__(self, original: str) -> None:
        self.original = original
        self._at: array[int] | None = None
        if original.isascii():
            self.text = original.lower()
        else:
            self.text = original.translate(_TABLE)
            if len(self.text) != len(original):
                self._at = array("L", (place for place, char in enumerate(original) if _TABLE[ord(char)] is not None))
        self.groups = [group.span() for group in _GROUP.finditer(self.text)]  # where digits stand together

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where the folded characters start … end-1 stand in the original."""
        if self._at is None:
            return start, end
        # With what is invisible behind them.
        return self._at[start], self._at[end] if end < len(self._at) else len(self.original)

    def written(self, start: int, end: int) -> str:
        """How they stand there."""
        first, last = self.span(start, end)
        return self.original[first:last]
