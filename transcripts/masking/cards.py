"""Payment card numbers: 13 to 19 digits of an issuer's range that pass the Luhn check (ISO/IEC 7812-1, annex B).

Up to three separators may stand between two digits, and words between the groups of a number that is grouped as on the
card. One in ten numbers passes Luhn by chance, so the shape decides too: inside a longer row of digits only what is
grouped like a card is one, and an order number (`order 4012888888881881`, `#…`, `AB4012888888881881`,
`112-7788231-1234567`) is left alone when it is written in one piece.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise

from stdnum import ean, luhn

from transcripts.masking.beside_cards import beside
from transcripts.masking.folding import Folded
from transcripts.masking.found import Found, last_four
from transcripts.masking.issuers import SHORTEST, issued_lengths
from transcripts.masking.labels import far_labels, labels_after, labels_before

# Punctuation and spaces; everything outside ASCII is folded into them. A bullet is what an earlier masking left.
_BETWEEN = re.compile(r"[\s!-/:-@\[-`{-~]{1,3}")
_WORDS_BETWEEN = re.compile(r"[^\d•]{1,24}")
_APART = re.compile(r"[a-z]|.{4}", re.DOTALL)  # more than what stands between the digits of one run

_CLASSIC = frozenset({(4, 6, 5), (4, 6, 4), (8, 8)})
# What people say with words in between: "4111 1111 and then 1111 1111".
_IN_WORDS = ((4, 4, 4, 4), (8, 8), (4, 6, 5), (4, 6, 4), (4, 12), (12, 4))
_FIRST_IN_WORDS = frozenset(shape[0] for shape in _IN_WORDS)
_PHONE_OR_PRICE = tuple("+$€£¥")
_WORD = 24
_EAN = 13

Places = list[tuple[int, int]]


def find_cards(folded: Folded) -> Iterator[Found]:
    """Card numbers, and the expiry dates and security codes beside them."""
    text = folded.text
    places = [place for run in _runs(folded) for place in _cards_in(text, run)]
    places += _split_by_words(folded, places)
    for start, end in places:
        yield Found(start, end, "card", last_four(text[start:end]))
    if places:
        yield from beside(text, places)


def _runs(folded: Folded) -> Iterator[Places]:
    """Groups of digits with nothing but a few separators between them, where they are enough for a card."""
    text, count = folded.text, 0
    run: Places = []
    for start, end in folded.groups:
        gap = text[run[-1][1] : start] if run else ""
        if run and not (gap == " " or gap == "-" or (len(gap) <= 3 and _BETWEEN.fullmatch(gap))):
            if count >= SHORTEST:
                yield run
            run, count = [], 0
        run.append((start, end))
        count += end - start
    if count >= SHORTEST:
        yield run


def _cards_in(text: str, groups: Places) -> Places:
    """The places of the cards in one run of digits, in order.

    First what is written like a card, then what somebody may have grouped by hand, then what is a card as a whole. Each
    step looks only at groups that are still free.
    """
    if _is_reserved(text, groups):
        return []
    run = _Run(text, groups)
    if not (numbers := list(run.numbers())):
        return []
    found = [*_take(run, numbers, _is_classic), *_take(run, numbers, _is_plausible), *_take_whole(run, numbers)]
    return sorted((run.at[first][0], run.at[last - 1][1]) for first, last in found)


class _Run:
    """A row of digit groups: `at` are their places in the text, `before` how many digits precede each of them."""

    def __init__(self, text: str, groups: Places) -> None:
        self.text = text
        self.at = groups
        self.before = [0, *accumulate(last - first for first, last in self.at)]
        self.free = [True] * len(self.at)
        self._digits = [int(char) for first, last in self.at for char in text[first:last]]
        # Luhn sums up to each digit: [0] for numbers whose last digit is on an even place, [1] for the others.
        self._sums = [
            [0, *accumulate(_luhn(digit, place % 2 != parity) for place, digit in enumerate(self._digits))]
            for parity in (0, 1)
        ]
        self._reserve()

    def length(self, first: int, end: int) -> int:
        """Digits in the groups first … end-1."""
        return self.before[end] - self.before[first]

    def shape(self, first: int, end: int) -> tuple[int, ...]:
        """The lengths of the groups first … end-1."""
        return tuple(self.length(group, group + 1) for group in range(first, end))

    def evenly_separated(self, first: int, end: int) -> bool:
        """Whether the same stands between all of the groups first … end-1."""
        return len({self.text[self.at[group][1] : self.at[group + 1][0]] for group in range(first, end - 1)}) <= 1

    def numbers(self) -> Iterator[tuple[int, int]]:
        """The groups (first, one past the last) that together are a number some issuer gives out and that passes Luhn.

        From left to right, and for one beginning the usual length first, so that the security code behind a card does
        not become part of it. At most six questions for each group, whatever the digits are.
        """
        group_ending_at = {place: group for group, place in enumerate(self.before)}
        for first, start in enumerate(self.before):
            if start + SHORTEST > len(self._digits):
                return
            a, b, c, d = self._digits[start : start + 4]
            for length in issued_lengths(a * 1000 + b * 100 + c * 10 + d):
                end = group_ending_at.get(start + length)
                if end is not None and self._passes_luhn(start, start + length) and not self._excused(first, end):
                    yield first, end

    def _passes_luhn(self, start: int, stop: int) -> bool:
        sums = self._sums[(stop - 1) % 2]
        return (sums[stop] - sums[start]) % 10 == 0

    def _reserve(self) -> None:
        for group in range(len(self.at) - 2):
            if _is_reserved(self.text, self.at[group : group + 3]):
                self.free[group : group + 3] = [False] * 3

    def _excused(self, first: int, end: int) -> bool:
        """Whether it is something else: what stands beside it says so, or it is a product's number."""
        if end - first > 1 and _is_classic(self, first, end):
            return False  # nobody groups order numbers like a card
        start, stop = self.at[first][0], self.at[end - 1][1]
        if self.text[start - 1 : start] in _PHONE_OR_PRICE:
            return True
        word = self.text.rfind(" ", max(0, start - _WORD), start) + 1 or start  # order D81-3855904-3208066
        if labels := labels_before(self.text, start) or labels_before(self.text, word):
            return all(label.kept for label in labels)
        if start and self.text[start - 1].isalpha():
            return True
        if end - first > 1:
            return False
        if stop - start == _EAN and ean.is_valid(self.text[start:stop]):
            return True
        return bool(far_labels(self.text, start)) or any(label.kept for label in labels_after(self.text, stop))


def _is_reserved(text: str, groups: Places) -> bool:
    """Whether they are an order number of one very large shop: 112-7788231-1234567."""
    return [end - start for start, end in groups] == [3, 7, 7] and text[groups[0][1]] == text[groups[1][1]] == "-"


def _luhn(digit: int, doubled: bool) -> int:
    return digit if not doubled else 2 * digit - 9 * (digit > 4)


def _is_classic(run: _Run, first: int, end: int) -> bool:
    """In one piece, or grouped as on the card: fours, American Express' 4-6-5, Diners Club's 4-6-4."""
    shape = run.shape(first, end)
    if len(shape) == 1 or shape in _CLASSIC:
        return True
    return set(shape[:-1]) == {4} and shape[-1] <= 4


def _is_plausible(run: _Run, first: int, end: int) -> bool:
    """Equal groups, or none shorter than three digits: not a date, not an amount, not a telephone's area code first."""
    shape = run.shape(first, end)
    if len(set(shape)) == 1:
        return shape[0] >= 4 or run.evenly_separated(first, end)  # 49.99, 39.99, 29.99, 19.99 are four prices
    return shape[0] >= 4 and min(shape) >= 3


def _take(run: _Run, numbers: Places, accept: Callable[[_Run, int, int], bool]) -> Iterator[tuple[int, int]]:
    """Takes the numbers of the accepted shape whose groups are still free, from left to right."""
    for first, end in numbers:
        if all(run.free[first:end]) and accept(run, first, end):
            run.free[first:end] = [False] * (end - first)
            yield first, end


def _take_whole(run: _Run, numbers: Places) -> Iterator[tuple[int, int]]:
    """Takes the numbers that fill the free groups between two taken ones, however they are grouped."""
    last = len(run.at)
    for first, end in numbers:
        alone = (first == 0 or not run.free[first - 1]) and (end == last or not run.free[end])
        if alone and all(run.free[first:end]) and run.evenly_separated(first, end):
            yield first, end


def _split_by_words(folded: Folded, taken: Places) -> Iterator[tuple[int, int]]:
    """Cards whose groups have words between them."""
    text, groups = folded.text, folded.groups
    ends = dict(taken)
    free = 0  # the first place that no card has taken
    for first, (start, end) in enumerate(groups):
        free = max(free, ends.get(start, 0))
        if start < free or end - start not in _FIRST_IN_WORDS or not issued_lengths(int(text[start : start + 4])):
            continue
        for shape in _IN_WORDS:
            part = groups[first : first + len(shape)]
            if tuple(end - start for start, end in part) == shape and _is_split_card(text, part):
                free = part[-1][1]
                yield start, free
                break


def _is_split_card(text: str, groups: Places) -> bool:
    gaps = [text[end:start] for (_, end), (start, _) in pairwise(groups)]
    if not all(_WORDS_BETWEEN.fullmatch(gap) for gap in gaps) or not any(map(_APART.search, gaps)):
        return False
    digits = "".join(text[start:end] for start, end in groups)
    if len(digits) not in issued_lengths(int(digits[:4])) or not luhn.is_valid(digits):
        return False
    return not any(label.kept for label in labels_before(text, groups[0][0]))
