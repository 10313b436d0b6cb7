"""Which numbers card networks give out: the first digits and the lengths (`rules.json`)."""

from transcripts.masking.table import RULES

SHORTEST, LONGEST = 13, 19

_USUAL_FIRST = (16, 15, 14, 19, 18, 17, 13)


def _table() -> list[tuple[int, ...]]:
    lengths: list[set[int]] = [set() for _ in range(10_000)]
    for row in RULES["issuers"]:
        for prefix in range(row["from"], row["to"] + 1):
            lengths[prefix].update(row["lengths"])
    return [tuple(length for length in _USUAL_FIRST if length in allowed) for allowed in lengths]


_LENGTHS = _table()


def issued_lengths(prefix: int) -> tuple[int, ...]:
    """The lengths of the numbers that begin with these four digits, the usual one first; empty: nobody's."""
    return _LENGTHS[prefix]
