"""What the words beside a number say that it is: `my PIN is 4711`, `482913 is your code`, `order no. 40128888`.

Words are looked up in the table; at most `_NEAR` characters are read on either side of a number, so the time is bounded
whatever the text is.
"""

import re
from functools import lru_cache

from transcripts.masking.table import (
    ABBREVIATIONS,
    BEFORE_ALONE,
    COPULAS,
    FILLERS,
    LABELS_BY_PHRASE,
    LABELS_BY_PREFIX,
    LAST_WORDS,
    LONGEST_PHRASE,
    PAYMENTS,
    PREFIXES,
    Label,
)

_NEAR = 64
_FILLERS_BETWEEN = 6
_WORDS_AFTER = 6  # "482913 is your Amazon verification code"
# A word, or what ends a sentence: a stop before a space, a line's end, a bracket.
_TOKEN = re.compile(r"[0-9]*[a-z][a-z0-9]*|[.!?;](?=\s)|[\n{}•]|[0-9]+")
_PUNCTUATION = " :#=-.,(\"'"
_NEXT_WORD = re.compile(r"[ =:-]{0,3}([a-z]+)")
_LETTER_PREFIX = re.compile(r"(?<![a-z0-9])[a-z]-\Z")  # G-482913

Labels = tuple[Label, ...]


def labels_before(text: str, start: int) -> Labels:
    """What the words before say that the number at `start` is; the label nearest to it wins."""
    before = text[max(0, start - _NEAR) : start]
    if before.endswith("-") and _LETTER_PREFIX.search(before):
        before = before[:-2]
    labels = _labels_at_end(before)
    # "#4012888888881881" alone is an order's number; "card #4012888888881881" is not.
    return labels or (LABELS_BY_PREFIX["order"] if before.rstrip(" ").endswith("#") else ())


def _labels_at_end(before: str) -> Labels:
    last = before.rstrip(_PUNCTUATION).rpartition(" ")[2]
    if last.isalpha() and last not in LAST_WORDS and not _prefix(last):
        return ()  # nearly always
    tokens = _TOKEN.findall(before)
    end = len(tokens)
    neutral: Labels = ()
    for _ in range(_FILLERS_BETWEEN):
        if not end:
            break
        last = tokens[end - 1]
        if last == "." and end > 1 and tokens[end - 2] in ABBREVIATIONS:
            end -= 1
            continue
        if last not in LAST_WORDS and not _prefix(last):
            break
        if labels := _phrase(tokens, end):
            if labels[0].kept or labels[0].kind:
                return neutral or labels if labels[0].kept else labels
            neutral = labels  # "the PIN of my card is"
        elif last not in FILLERS:
            break
        end -= 1
    return neutral


def _phrase(tokens: list[str], end: int) -> Labels:
    for length in range(min(LONGEST_PHRASE, end), 0, -1):
        if labels := LABELS_BY_PHRASE.get(" ".join(tokens[end - length : end])):
            if labels[0].alone and end > length and not _says_nothing(tokens[end - length - 1]):
                return ()
            return labels
    return LABELS_BY_PREFIX.get(_prefix(tokens[end - 1]), ())


@lru_cache(maxsize=4_096)
def _prefix(word: str) -> str:
    """The beginning of a word that is in the table."""
    if not word.startswith(PREFIXES):
        return ""
    return next(prefix for prefix in PREFIXES if word.startswith(prefix))


def _says_nothing(token: str) -> bool:
    return token in BEFORE_ALONE or not token.isalpha()


def labels_after(text: str, end: int) -> Labels:
    """What the words behind say that the number that ends at `end` is: `… is my PIN`."""
    next_word = _NEXT_WORD.match(text, end)
    if next_word is None or next_word[1] not in COPULAS:
        return ()  # nearly always
    tokens = _TOKEN.findall(text[end : end + _NEAR])[: _WORDS_AFTER + 1]
    for last in range(2, len(tokens) + 1):
        if not tokens[last - 1][0].isalnum():
            return ()
        # The longest phrase that begins in the middle is found when its last word is reached.
        if labels := _phrase(tokens[1:last], last - 1):
            longer = _phrase(tokens[1 : last + 1], last) if last < len(tokens) else ()
            return longer or labels
    return ()


def far_labels(text: str, start: int) -> Labels:
    """The far labels in the sentence before a number, unless somebody pays there."""
    tokens = _TOKEN.findall(text[max(0, start - _NEAR) : start])
    found: Labels = ()
    for end in range(len(tokens), 0, -1):
        token = tokens[end - 1]
        if not token[0].isalnum() and not (end > 1 and tokens[end - 2] in ABBREVIATIONS):
            break
        if token in PAYMENTS:
            return ()
        found += tuple(label for label in _phrase(tokens, end) if label.far)
    return found
