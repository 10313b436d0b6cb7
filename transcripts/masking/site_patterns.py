"""Patterns of a site's own numbers, such as `EMP-\\d{6}`: a part of the language of regular expressions in which no
text can take long.

Allowed are characters, classes (`[A-Z0-9]`, `\\d`, `\\w`, `\\s`), groups, `|`, `?`, `{n}` and `{n,m}`. There is no
`*`, no `+`, no `.`, no reference and no look-around, so what a pattern finds has a greatest length; and the number of
ways in which it can be read is bounded. Python and JavaScript read this part in the same way.
"""

import re
from dataclasses import dataclass

_FEWEST, _LONGEST = 3, 64
_MOST_WAYS = 200
_QUANTIFIER = re.compile(r"\{(\d{1,2})(?:,(\d{1,2}))?\}|(\?)")
_CLASS = re.compile(r"\[\^?(?:[A-Za-z0-9 _#/:.,@&%-]|\\[dws\\\]\[^./-])+\]")
_ESCAPE = re.compile(r"\\(?:[dws]|[^A-Za-z0-9\s])")
_LITERAL = re.compile(r"[A-Za-z0-9 _#/:,@&%=~'\"!;<>-]|[^\x00-\x7f]")
NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")


class PatternError(ValueError):
    """Why a pattern is not taken."""


@dataclass(frozen=True)
class SitePattern:
    """A pattern with the name of its kind; `regex` is for folded texts."""

    name: str
    pattern: str
    regex: re.Pattern[str]


def site_pattern(name: str, pattern: str) -> SitePattern:
    """Reads a pattern.

    Raises:
        PatternError: says what is wrong with it.
    """
    if not NAME.fullmatch(name):
        raise PatternError(f"{name!r} is no name: 2 to 32 small letters, digits and _")
    if not pattern.isascii():
        raise PatternError("only ASCII characters, please: texts are compared without accents")
    reader = _Reader(pattern)
    size = reader.alternatives()
    if reader.place < len(pattern):
        raise PatternError(f"{pattern[reader.place]!r} at character {reader.place + 1} is not understood")
    if size.least < _FEWEST:
        raise PatternError(f"it finds texts of {size.least} characters, {_FEWEST} are the fewest")
    folded = re.sub(r"\\.|[A-Z]", lambda part: part[0] if part[0][0] == "\\" else part[0].lower(), pattern)
    try:
        regex = re.compile(rf"(?<![a-z0-9])(?:{folded})(?![a-z0-9])", re.ASCII)
    except re.error as exc:
        raise PatternError(f"it does not compile: {exc}") from exc
    return SitePattern(name, pattern, regex)


@dataclass(frozen=True)
class _Size:
    """How long what is found can be, and in how many ways the pattern can be read."""

    least: int
    most: int
    ways: int

    def checked(self) -> "_Size":
        if self.most > _LONGEST:
            raise PatternError(f"it finds texts of more than {_LONGEST} characters")
        if self.ways > _MOST_WAYS:
            raise PatternError("it can be read in too many ways, so some texts would take very long; make it stricter")
        return self


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.place = 0

    def alternatives(self, depth: int = 0) -> _Size:
        size = self._sequence(depth)
        while self._peek() == "|":
            self.place += 1
            other = self._sequence(depth)
            size = _Size(min(size.least, other.least), max(size.most, other.most), size.ways + other.ways).checked()
        return size

    def _sequence(self, depth: int) -> _Size:
        size = _Size(0, 0, 1)
        while self._peek() not in ("", "|", ")"):
            part = self._quantified(self._atom(depth))
            size = _Size(size.least + part.least, size.most + part.most, size.ways * part.ways).checked()
        return size

    def _atom(self, depth: int) -> _Size:
        if self._peek() == "(":
            if depth == 4:
                raise PatternError("its groups are nested too deeply")
            self.place += 3 if self._pattern.startswith("(?:", self.place) else 1
            if self._peek() == "?":
                raise PatternError("of groups that begin with (? only (?:…) is allowed")
            size = self.alternatives(depth + 1)
            if self._peek() != ")":
                raise PatternError("a ) is missing")
            self.place += 1
            return size
        for one in (_CLASS, _ESCAPE, _LITERAL):
            if match := one.match(self._pattern, self.place):
                self.place = match.end()
                return _Size(1, 1, 1)
        char = self._peek()
        why = (
            "has no greatest length: write {n,m}"
            if char in "*+"
            else "is not allowed here; \\ before it makes it a character"
        )
        raise PatternError(f"{char!r} at character {self.place + 1} {why}")

    def _quantified(self, size: _Size) -> _Size:
        match = _QUANTIFIER.match(self._pattern, self.place)
        if match is None:
            return size
        self.place = match.end()
        low, high = (0, 1) if match[3] else (int(match[1]), int(match[2] or match[1]))
        if low > high:
            raise PatternError(f"{match[0]} has its numbers the wrong way round")
        ways = sum(min(size.ways, _MOST_WAYS) ** count for count in range(low, high + 1))
        return _Size(size.least * low, size.most * high, ways).checked()

    def _peek(self) -> str:
        return self._pattern[self.place : self.place + 1]
