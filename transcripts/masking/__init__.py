"""Takes out of a text what nobody should store or see, once, at the edge.

`mask` is a pure function: the same text gives the same result everywhere, masking twice changes nothing, and the time
grows linearly with the text, whatever is in it. A kind of secret is one file and one line of `KINDS`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from transcripts.masking.cards import mask_cards


class Masked(NamedTuple):
    """A text without its secrets, and the kinds that were found in it."""

    text: str
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of secret. `may_keep`: the author can say "not a secret, send as is"; never for payment cards."""

    name: str
    masker: Callable[[str], str]
    may_keep: bool


KINDS = (Kind("card", mask_cards, may_keep=False),)


def mask(text: str, keep: Collection[str] = ()) -> Masked:
    """The text with every secret masked: a payment card becomes `•••• ` and its last four digits.

    Args:
        text: any text; not changed where nothing is found (the very same object comes back).
        keep: kinds the author asked to leave alone, honoured only where the kind allows it.
    """
    found: list[str] = []
    for kind in KINDS:
        if kind.may_keep and kind.name in keep:
            continue
        masked = kind.masker(text)
        if masked is not text:
            found.append(kind.name)
            text = masked
    return Masked(text, tuple(found))
