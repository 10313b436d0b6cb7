"""Turns text into the terms that the search stores and asks for, the same way on both sides, for every engine.

Accents are folded, English words stemmed, scripts without spaces cut into pairs of characters. Terms hold no spaces
and no ASCII punctuation, so any engine that splits at spaces keeps them whole. `terms` is for running text and keeps
its order; `codes` are the other ways to write what is in it: `112-7788` also as 1127788, `e-mail` also as email;
`parts` are what its numbers can also be found by.
"""

import re
import threading
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

import snowballstemmer

MAX_TERM = 40
"""Longer words are cut: nobody looks for them, and an index is not a place to store files in."""

PART = "№"
"""Begins a term that is the end of a longer number: any part of the number is the beginning of one of these."""

MIN_PART, _LONG_NUMBER, _LONGEST_NUMBER = 4, 6, 24


class Word(NamedTuple):
    """A term and the stretch of the text it stands for."""

    term: str
    start: int
    end: int


def words(text: str) -> list[Word]:
    """The terms of a text in order, with their places."""
    if text.isascii():
        lower = text.lower()
        return [Word(_term(found.group()), *found.span()) for found in _ASCII_WORD.finditer(lower)]
    found = [word for run in _wide_word().finditer(text) for word in _wide(run.group(), run.start())]
    return [word for word in found if word.term]  # a lone accent folds to nothing


def terms(text: str) -> list[str]:
    """The terms of a text in order."""
    if text.isascii():
        return list(map(_term, _ASCII_WORD.findall(text.lower())))
    return [word.term for word in words(text)]


def codes(text: str) -> list[Word]:
    """The joined and cut forms of numbers, codes and hyphenated words in a text: each can also be found by these."""
    if not _MAYBE_CODE.search(text):
        return []
    found = {(match.span(), fold(match.group())) for match in _DIGITS_IN_WORD.finditer(text)}
    for sign, pattern in _JOINED:
        if sign.search(text):
            found |= {(match.span(), join(match.group())) for match in pattern.finditer(text)}
    return sorted(Word(term, *span) for span, term in found if 0 < len(term) <= MAX_TERM)


def parts(text: str) -> list[str]:
    """The ends of the long numbers in a text, four digits and more, each with `PART` before it; dates are none."""
    return _parts(text, codes(text))


def other_forms(text: str) -> list[str]:
    """What a text can be found by beside its own terms: its codes and the parts of its numbers."""
    found = codes(text)
    return [*(code.term for code in found), *_parts(text, found)]


def _parts(text: str, found: list[Word]) -> list[str]:
    if not _MAYBE_LONG.search(text):
        return []
    plain = _DATE.sub(" ", text)
    if plain != text:
        found = codes(plain)
    in_one_piece = terms(plain) if _LONG_RUN.search(plain) or not plain.isascii() else ()
    numbers = [*in_one_piece, *(code.term for code in found)]
    long = dict.fromkeys(one for one in numbers if is_number(one) and _LONG_NUMBER <= len(one) <= _LONGEST_NUMBER)
    return list(dict.fromkeys(PART + one[at:] for one in long for at in range(len(one) - MIN_PART + 1)))


def is_number(term: str) -> bool:
    """Whether a term is nothing but digits."""
    return term.isascii() and term.isdigit()


def join(text: str) -> str:
    """A code without what separates its parts: `AB-112 7788` -> `ab1127788`; a hyphenated word is stemmed as one."""
    joined = "".join(fold(part) for part in _PART.findall(text))
    return _stem(joined) if joined.isalpha() else joined


@lru_cache(maxsize=100_000)
def fold(word: str) -> str:
    """A word in lower case without accents and in one of its compatible forms: `Größe` -> `grosse`, `ＡＢ` -> `ab`,
    `٣٤` -> `34`.
    """
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    bare = "".join(char for char in decomposed if not "\u0300" <= char <= "\u036f")
    # Some letters' compatible forms have spaces or signs in them (U+FE70, ½), which no term may have.
    folded = _NOT_IN_TERMS.sub("", unicodedata.normalize("NFKC", bare).casefold().translate(_LETTERS))
    return _WIDE_DIGIT.sub(lambda found: str(unicodedata.decimal(found.group())), folded)


def has_no_spaces(text: str) -> bool:
    """Whether the text is of a script that is written without spaces between words."""
    return bool(_UNSPACED.search(text))


@lru_cache(maxsize=100_000)
def _term(word: str) -> str:
    folded = fold(word)
    if folded.endswith(("'s", "’s")):
        folded = folded[:-2]
    return _stem(folded.replace("'", "").replace("’", "")[:MAX_TERM])


def _stem(word: str) -> str:
    if len(word) < 3 or not (word.isascii() and word.isalpha()):
        return word
    stemmer = getattr(_local, "stemmer", None)
    if stemmer is None:  # not safe to share between threads
        stemmer = _local.stemmer = snowballstemmer.stemmer("english")
    return str(stemmer.stemWord(word))


_local = threading.local()


def _wide(text: str, start: int) -> list[Word]:
    """The words of a run of word characters that may mix scripts."""
    if not has_no_spaces(text):
        return [Word(_term(text), start, start + len(text))]
    result: list[Word] = []
    for piece in _UNSPACED_PIECES.finditer(text):
        run, at = piece.group(), start + piece.start()
        if has_no_spaces(run):
            result += _pairs(run, at)
        else:
            result.append(Word(_term(run), at, at + len(run)))
    return result


def _pairs(run: str, start: int) -> list[Word]:
    """`ABC` -> AB, BC, C: the last character stands alone so that every single one begins some term."""
    folded = fold(run)
    if len(folded) != len(run):  # half-width forms melt together; then the places are those of the whole run
        return [Word(folded[at : at + 2], start, start + len(run)) for at in range(len(folded))]
    return [Word(folded[at : at + 2], start + at, min(start + at + 2, start + len(run))) for at in range(len(run))]


@cache
def _wide_word() -> re.Pattern[str]:
    # `\w` has no combining marks, without which most Indic scripts fall to pieces. Built when first needed: 30 ms.
    marks = "".join(chr(code) for code in range(0x300, 0x1E900) if unicodedata.category(chr(code)) in {"Mn", "Mc"})
    return re.compile(rf"(?:[^\W_]|[{marks}])+(?:['’](?i:s|t|re|ve|ll|d|m)\b)?")


_NOT_IN_TERMS = re.compile(r"[^\S]|[\x00-&(-/:-@\[-`{-\x7f]")  # the apostrophe still has to be looked at
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'(?:s|t|re|ve|ll|d|m)\b)?")
_PART = re.compile(r"[^\W_]+")
_WIDE_DIGIT = re.compile(r"(?![0-9])\d")
_MAYBE_LONG = re.compile(r"\d\D?\d\D?\d\D?\d")
_LONG_RUN = re.compile(rf"\d{{{_LONG_NUMBER}}}")
_DATE = re.compile(r"\d(?<!\d\d)(?:\d{3}[-./]\d{1,2}[-./]\d{1,2}|\d?[-./]\d{1,2}[-./](?:\d{4}|\d{2}))(?!\d|[-./]\d)")

# Han, kana, Hangul, and the scripts of South-East Asia that have no spaces.
_NO_SPACES = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003134f"
)
_UNSPACED = re.compile(f"[{_NO_SPACES}]")
_UNSPACED_PIECES = re.compile(f"[{_NO_SPACES}]+|[^{_NO_SPACES}]+")

# The look-behind keeps each pattern from beginning in the middle of a word: time stays linear. It stands behind the
# first digit, because a search for a digit passes over letters quickly.
_MAYBE_CODE = re.compile(r"[\d\-_\u2010-\u2013]")
# What has to be in a text that has such a code, and the code.
_JOINED = (
    (
        re.compile(r"[-_\u2010-\u2013]"),
        re.compile(r"(?<![^\W_])[^\W_]++(?:[-_\u2010-\u2013][^\W_]++)+"),  # AB-1234, e-mail
    ),
    (
        re.compile(r"\d[-./\u2010-\u2013]\d"),
        re.compile(r"\d(?<![^\W_]\d)\d*+(?:[-./\u2010-\u2013]\d++)+"),  # 112-7788, 22.11.2025
    ),
    (
        re.compile(r"\d[ \u00a0]\d"),  # without a space it is one of those before
        re.compile(r"\d(?<![^\W_]\d)\d*+(?:[-./ \u00a0\u2010-\u2013]\d++)+"),  # 100 009
    ),
)
_DIGITS_IN_WORD = re.compile(
    r"\d(?:(?<=[^\W\d_]\d)\d{2,}|(?<!\d\d)\d{2,}(?=[^\W\d_]))",  # the 1234 of AB1234
)

# Letters that Unicode does not take apart.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})
