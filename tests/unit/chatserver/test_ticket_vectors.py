"""The check digit, by the vectors that the TypeScript side uses too."""

import pytest

from transcripts.ticket import is_ticket, parse_ticket, ticket_of

VECTORS = {10_000: 100_009, 10_001: 100_014, 10_002: 100_023, 12_345: 123_459, 99_999: 999_999}

# H. M. Damm's quasigroup of order 10, as published (2004); written down here to check the library that we use.
QUASIGROUP = (
    "0317598642",
    "7092154863",
    "4206871359",
    "1750983426",
    "6123045978",
    "3674209581",
    "5869720134",
    "8945362017",
    "9438617205",
    "2581436790",
)


def check_digit(digits: str) -> int:
    interim = 0
    for digit in digits:
        interim = int(QUASIGROUP[interim][int(digit)])
    return interim


@pytest.mark.parametrize(("counter", "ticket"), VECTORS.items())
def test_vectors(counter: int, ticket: int) -> None:
    assert ticket_of(counter) == ticket
    assert is_ticket(ticket)


def test_check_digit_is_damms() -> None:
    assert check_digit("572") == 4  # the example in the paper
    for counter in (*range(10_000, 11_000), 10**9 + 7, 10**16 + 61):
        assert ticket_of(counter) == counter * 10 + check_digit(str(counter))


def test_every_wrong_digit_and_every_swap_is_noticed() -> None:
    for counter in range(10_000, 10_300):
        digits = str(ticket_of(counter))
        for place, old in enumerate(digits):
            for new in "0123456789":
                changed = digits[:place] + new + digits[place + 1 :]
                assert new == old or parse_ticket(changed) is None
            swapped = digits[:place] + digits[place + 1 : place + 2] + old + digits[place + 2 :]
            assert swapped == digits or parse_ticket(swapped) is None
