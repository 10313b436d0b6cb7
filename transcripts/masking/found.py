"""What every rule answers: where a secret stands in a folded text, of which kind it is, and what is shown instead."""

from typing import NamedTuple

SECRET = "••••"
_LEAST_FOR_FOUR = 8


class Found(NamedTuple):
    """A place in a folded text, and what takes it."""

    start: int
    end: int
    kind: str
    shown: str


def last_four(text: str) -> str:
    """`•••• 1234`: the last four letters and digits; nothing stays of what has fewer than eight."""
    plain = "".join(char for char in text if char.isascii() and char.isalnum())
    return f"{SECRET} {plain[-4:].upper()}" if len(plain) >= _LEAST_FOR_FOUR else SECRET
