"""Made-up messages with and without secrets, for `make mask-report` and the tests: endless, and the same for one seed.

The sentences are people's, not the table's: several wordings, typing habits and languages for each kind, so that what
the report says is about messages and not about the rules' own words.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stdnum import luhn

TUNED_ON, HELD_OUT = 1, 30_270_401


@dataclass(frozen=True)
class Case:
    """A message. `secret` is what has to be gone from it; without one it has to stay as it is."""

    kind: str
    text: str
    secret: str | None = None


Maker = Callable[[random.Random], Case]


def cases(seed: int, count: int, makers: dict[str, Maker]) -> Iterator[tuple[str, Case]]:
    """`count` cases of each maker, with its name."""
    for name, make in makers.items():
        rng = random.Random(f"{seed} {name}")
        for _ in range(count):
            yield name, make(rng)


# -- parts


def digits(rng: random.Random, count: int) -> str:
    """So many, the first not 0."""
    return str(rng.randint(1, 9)) + "".join(rng.choices(string.digits, k=count - 1))


def grouped(number: str, shape: tuple[int, ...], separator: str) -> str:
    """In groups of these lengths."""
    parts, place = [], 0
    for length in shape:
        parts.append(number[place : place + length])
        place += length
    return separator.join(part for part in parts if part)


def message(rng: random.Random, sentence: str) -> str:
    """A sentence as people send it: alone, after a greeting, before a question, in small letters."""
    before = rng.choice(
        [
            "",
            "",
            "Hi, ",
            "Hello! ",
            "hey ",
            "Good morning. ",
            "Thanks for the quick answer. ",
            "Ok. ",
            "ok so ",
            "Sure, ",
        ]
    )
    after = rng.choice(
        ["", "", ".", "!", ", thanks", ". Thank you!", ". Can you check?", " please", "\nBest, Ann", " ok?"]
    )
    text = before + sentence + after
    return text[:1].lower() + text[1:] if rng.random() < 0.3 else text


def card_number(rng: random.Random) -> str:
    """Of a network, with a right check digit."""
    prefix = rng.choice(
        ["4", "4", "51", "55", "2221", "34", "37", "36", "6011", "65", "3530", "62", "62-19", "6759", "6062"]
    )
    prefix, _, longer = prefix.partition("-")
    length = int(longer) if longer else {"34": 15, "37": 15, "36": 14}.get(prefix, 16)
    number = (prefix + "".join(rng.choices(string.digits, k=length)))[: length - 1]
    return number + str(luhn.calc_check_digit(number))
