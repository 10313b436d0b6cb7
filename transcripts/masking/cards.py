"""Payment card numbers: 13 to 19 digits of an issuer's range that pass the Luhn check (ISO/IEC 7812-1, annex B).

Digits of any script count, with up to three separators between two of them. One in ten numbers passes Luhn by chance,
so the shape decides too: inside a longer row of digits only what is grouped like a card is one, and an order number
(`order 4012888888881881`, `#…`, `AB4012888888881881`, `112-7788231-1234567`) is left alone when it is written in one
piece.
"""

import re
from collections.abc import Callable, Iterator
from itertools import accumulate

from transcripts.masking.issuers import SHORTEST, issued_lengths

_SEPARATORS = r"\s./\\_,\-\u00ad\u00b7\u2010-\u2015\u2212\uff0d\uff0e\uff0f\ufe63\u200b-\u200f\u2060\ufeff"
_RUN = re.compile(rf"\d(?:[{_SEPARATORS}]{{0,3}}\d)*")
_GROUP = re.compile(r"\d+")
_DIGIT = re.compile(r"\d")
_ASCII_DIGITS = b"0123456789"

_CARD_WORD = re.compile(
    r"(?:card|karte|carte|carta|tarjeta|cartao|cartão|kaart|visa|master|maestro|amex|express|diners|discover|jcb|cc|pan)"
    r"(?:[ \t]*(?:numbers?|nummer|num|no|nr|is|ist|[:.#=№-]))*[ \t]*$"
)
_ORDER_WORD = re.compile(
    r"(?:(?<![a-z])(?:order|bestell|auftrag|commande|pedido|ordine|invoice|rechnung|facture|factura|fattura|tracking"
    r"|sendung|shipment|booking|buchung|ticket|ref|serial|imei|isbn|ean|gtin|sku)[a-z]*"
    r"(?:[ \t]*(?:numbers?|nummer|num|no|nr|id|is|ist|[:.#=№-]))*|[#№])[ \t]*$"
)
_CONTEXT = 40  # characters looked at before a number; bounds the time of the two patterns above

Places = list[tuple[int, int]]


def mask_cards(text: str) -> str:
    """The text with each card number replaced by `•••• ` and its last four digits; the same object if there is none."""
    while True:
        masked = _mask_once(text)
        if masked is text:
            return text
        # The last four digits may begin another card with what follows them. Each round leaves nine digits fewer.
        text = masked


def _mask_once(text: str) -> str:
    if _fewer_digits_than_a_card(text):
        return text
    pieces: list[str] = []
    done = 0
    for run in _RUN.finditer(text):
        if run.end() - run.start() < SHORTEST:
            continue
        for first, last in _cards_in(text, run.start(), run.end()):
            pieces += [text[done:first], "•••• ", _last_four(text[first:last])]
            done = last
    return "".join([*pieces, text[done:]]) if pieces else text


def _fewer_digits_than_a_card(text: str) -> bool:
    # Nearly every text ends here, after 0.3 µs.
    if text.isascii():
        raw = text.encode()
        return len(raw) - len(raw.translate(None, _ASCII_DIGITS)) < SHORTEST
    return len(_DIGIT.findall(text)) < SHORTEST


def _last_four(number: str) -> str:
    return "".join(str(int(digit)) for digit in _DIGIT.findall(number)[-4:])


def _cards_in(text: str, start: int, end: int) -> Places:
    """The places of the cards in one run of digits, in order.

    First what is written like a card, then what somebody may have grouped by hand, then what is a card as a whole. Each
    step looks only at groups that are still free.
    """
    run = _Run(text, start, end)
    if run.before[-1] < SHORTEST:
        return []
    if not (numbers := list(run.numbers())):
        return []
    found = [*_take(run, numbers, _is_classic), *_take(run, numbers, _is_plausible), *_take_whole(run, numbers)]
    return sorted((run.at[first][0], run.at[last - 1][1]) for first, last in found)


class _Run:
    """A row of digit groups: `at` are their places in the text, `before` how many digits precede each of them."""

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.at = [group.span() for group in _GROUP.finditer(text, start, end)]
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
        """Takes away the groups that are an order number of one very large shop: 112-7788231-1234567."""
        for group in range(len(self.at) - 2):
            (_, a), (b, c), (d, _) = self.at[group : group + 3]
            dashes = self.text[a:b] == self.text[c:d] == "-"
            if dashes and self.shape(group, group + 3) == (3, 7, 7):
                self.free[group : group + 3] = [False] * 3

    def _excused(self, first: int, end: int) -> bool:
        """Whether what stands before the number says that it is something else: an order number, a telephone."""
        if end - first > 1 and _is_classic(self, first, end):
            return False  # nobody groups order numbers like a card
        start = self.at[first][0]
        context = self.text[max(0, start - _CONTEXT) : start].lower()
        if not context or _CARD_WORD.search(context):
            return False
        return context[-1] == "+" or context[-1].isalpha() or bool(_ORDER_WORD.search(context))


def _luhn(digit: int, doubled: bool) -> int:
    return digit if not doubled else 2 * digit - 9 * (digit > 4)


def _is_classic(run: _Run, first: int, end: int) -> bool:
    """In one piece, or grouped as on the card: fours, American Express' 4-6-5, Diners Club's 4-6-4."""
    shape = run.shape(first, end)
    if len(shape) == 1 or shape in {(4, 6, 5), (4, 6, 4), (8, 8)}:
        return True
    return set(shape[:-1]) == {4} and shape[-1] <= 4


def _is_plausible(run: _Run, first: int, end: int) -> bool:
    """Equal groups, or none shorter than three digits: not a date, not an amount, not a telephone's area code first."""
    shape = run.shape(first, end)
    return len(set(shape)) == 1 or (shape[0] >= 4 and min(shape) >= 3)


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
        if alone and all(run.free[first:end]):
            yield first, end
