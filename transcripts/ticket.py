"""Ticket numbers: a counter and one Damm check digit.

The check digit finds every single wrong digit and every swap of two neighbours (H. M. Damm, 2004), so a number read
over the phone is either right or refused. A ticket number is a name, never a credential.
"""

import re
import unicodedata

from stdnum import damm

FIRST_COUNTER = 10_000
"""Counters start here, so that the first ticket, 100009, already has six digits."""

_MAX_DIGITS = 18  # fits a signed 64-bit column
_NOISE = re.compile(r"[\s\u00ad\u200b-\u200f\u2060\ufeff\-\u2010-\u2015\u2212]+")


def ticket_of(counter: int) -> int:
    """The ticket number of a counter: 10000 -> 100009.

    Raises:
        ValueError: the counter is below `FIRST_COUNTER`.
    """
    if counter < FIRST_COUNTER:
        raise ValueError(f"counters start at {FIRST_COUNTER}, not {counter}")
    digits = str(counter)
    return int(digits + str(damm.calc_check_digit(digits)))


def is_ticket(number: int) -> bool:
    """Whether the number has the length and the check digit of a ticket."""
    return number >= FIRST_COUNTER * 10 and len(str(number)) <= _MAX_DIGITS and bool(damm.is_valid(str(number)))


def parse_ticket(text: str) -> int | None:
    """The ticket number a person meant, or None when the check digit does not hold.

    Accepts `#100 009`, spaces and dashes of any kind, and digits and hash signs of any script (`＃１００００９`).
    """
    plain = _NOISE.sub("", text).removeprefix("#").removeprefix("＃")
    if not plain or len(plain) > _MAX_DIGITS:
        return None
    digits = [unicodedata.decimal(char, None) for char in plain]
    if None in digits:
        return None
    number = int("".join(str(digit) for digit in digits))
    return number if is_ticket(number) else None
