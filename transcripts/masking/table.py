"""The table of the masking rules, `rules.json`, as Python values; the widget reads the same file.

Sources: issuers' ranges are ISO/IEC 7812-1 with the networks' published ranges as of 2025 (where a network uses single
six-digit ranges, their first four digits stand for them: a little wide, on the safe side); structures of IBANs are the
SWIFT IBAN registry, release 101, as in python-stdnum. The words are our own.
"""

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

RULES: dict[str, Any] = json.loads(files(__package__).joinpath("rules.json").read_text("utf-8"))


@dataclass(frozen=True)
class Label:
    """What words beside a number say that it is.

    `kind` is the kind of secret, None for what is not one (`kept`: it is never masked) and for what only supports a
    shape. `digits` are the lengths it may have; of what is `secret` no digit stays. A `far` label counts even when
    other words stand between it and the number; one that stands `alone` only without a word that says more of it (`the
    code is`, not `discount code`).
    """

    name: str
    kind: str | None = None
    digits: tuple[int, int] = (0, 0)
    secret: bool = False
    kept: bool = False
    far: bool = False
    alone: bool = False


FILLERS = frozenset[str](RULES["fillers"])
COPULAS = frozenset[str](RULES["copulas"])
CONJUNCTIONS = frozenset[str](RULES["conjunctions"])
PAYMENTS = frozenset[str](RULES["payments"])
ABBREVIATIONS = frozenset[str](RULES["abbreviations"])
BEFORE_ALONE = FILLERS | frozenset[str](RULES["before_alone"])
UNITS = frozenset[str](RULES["units"])

LABELS_BY_PHRASE: dict[str, tuple[Label, ...]] = {}
LABELS_BY_PREFIX: dict[str, tuple[Label, ...]] = {}


def _read_labels() -> None:
    for row in RULES["labels"]:
        fields = {name: value for name, value in row.items() if name not in ("words", "digits")}
        label = Label(**fields, digits=tuple(row.get("digits", (0, 0))))
        for word in row["words"]:
            table = LABELS_BY_PREFIX if word.endswith("*") else LABELS_BY_PHRASE
            table[word.rstrip("*")] = (*table.get(word.rstrip("*"), ()), label)


_read_labels()
PREFIXES = tuple(LABELS_BY_PREFIX)
# Words that a phrase may end with: any other word before a number says at once that there is no label.
LAST_WORDS = FILLERS | {phrase.rsplit(" ", 1)[-1] for phrase in LABELS_BY_PHRASE}
LONGEST_PHRASE = max(phrase.count(" ") + 1 for phrase in LABELS_BY_PHRASE)
