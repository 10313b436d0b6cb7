"""Which numbers card networks give out: the first digits and the lengths.

ISO/IEC 7812-1 with the networks' published ranges as of 2025. Where a network uses single six-digit ranges, their first
four digits stand for them: a little wide, on the safe side.
"""

_RANGES: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (4000, 4999, (13, 16, 19)),  # Visa
    (5100, 5599, (16,)),  # Mastercard
    (2221, 2720, (16,)),  # Mastercard
    (3400, 3499, (15,)),  # American Express
    (3700, 3799, (15,)),  # American Express
    (3000, 3059, (14, 16, 17, 18, 19)),  # Diners Club
    (3095, 3095, (14, 16, 17, 18, 19)),  # Diners Club
    (3600, 3699, (14, 16, 17, 18, 19)),  # Diners Club
    (3800, 3999, (14, 16, 17, 18, 19)),  # Diners Club
    (6011, 6011, (16, 17, 18, 19)),  # Discover
    (6440, 6599, (16, 17, 18, 19)),  # Discover, RuPay, Troy, Elo
    (3528, 3589, (16, 17, 18, 19)),  # JCB
    (6200, 6299, (16, 17, 18, 19)),  # UnionPay
    (8100, 8199, (16, 17, 18, 19)),  # UnionPay, RuPay
    (2200, 2204, (16, 17, 18, 19)),  # Mir
    (5018, 5018, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5020, 5020, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5038, 5038, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5893, 5893, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (6304, 6304, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (6759, 6763, (13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (5019, 5019, (16,)),  # Dankort
    (5060, 5099, (16, 18, 19)),  # Verve, Elo, RuPay
    (6000, 6099, (16,)),  # RuPay, Hipercard
    (8200, 8299, (16,)),  # RuPay
    (6360, 6369, (16, 17, 18, 19)),  # InterPayment, Elo
    (6370, 6399, (16,)),  # InstaPayment
    (9792, 9792, (16,)),  # Troy
)

SHORTEST, LONGEST = 13, 19

_USUAL_FIRST = (16, 15, 14, 19, 18, 17, 13)


def _table() -> list[tuple[int, ...]]:
    lengths: list[set[int]] = [set() for _ in range(10_000)]
    for first, last, allowed in _RANGES:
        for prefix in range(first, last + 1):
            lengths[prefix].update(allowed)
    return [tuple(length for length in _USUAL_FIRST if length in allowed) for allowed in lengths]


_LENGTHS = _table()


def issued_lengths(prefix: int) -> tuple[int, ...]:
    """The lengths of the numbers that begin with these four digits, the usual one first; empty: nobody's."""
    return _LENGTHS[prefix]
