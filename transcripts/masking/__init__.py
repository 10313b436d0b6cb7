"""Takes out of a text what nobody should store or see, once, at the edge.

`Masker(…).mask` is a pure function: the same text gives the same result everywhere, masking twice changes nothing, the
time grows linearly with the text, whatever is in it. Words, issuers and countries are one table, `rules.json`,
which the widget reads too; a rule is one file and one line in `masker.py`.
"""

from collections.abc import Collection

from transcripts.masking.masker import KINDS, Masked, Masker
from transcripts.masking.site_patterns import PatternError, SitePattern, site_pattern

__all__ = ["EVERYTHING", "KINDS", "Masked", "Masker", "PatternError", "SitePattern", "mask", "site_pattern"]

EVERYTHING = Masker()
"""Every built-in kind is masked."""


def mask(text: str, keep: Collection[str] = ()) -> Masked:
    """The text with every kind of secret masked that is not in `keep`, by the built-in rules."""
    return EVERYTHING.mask(text, keep)
