"""What happens to every free text at the edge, once: normalised, freed of control characters, bounded, masked."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

from chatserver.errors import InvalidCommandError, TooBigError
from transcripts.masking import Masked, Masker

MAX_CHARS = 4096

# Control characters but tab and line feed, and the bidirectional overrides that make a text read as what it is not.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")


class TextCleaner:
    """The edge of one installation, with its masking rules."""

    def __init__(self, masker: Masker) -> None:
        self._mask = masker.mask

    def message(self, text: str, *, keep: Sequence[str] = ()) -> Masked:
        """A message as it is stored and shown.

        Raises:
            TooBigError: over 4,096 characters.
            InvalidCommandError: nothing to read in it.
        """
        if len(text) > MAX_CHARS:
            raise TooBigError(f"A message has at most {MAX_CHARS} characters, this one has {len(text)}.")
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if not text.isprintable():
            text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
        if not text.strip():
            raise InvalidCommandError("There is no text in it.")
        return self._mask(text.rstrip(), keep)

    def line(self, text: str | None) -> str | None:
        """A name, topic, order number …: one line, masked; None when there is nothing in it."""
        if text is None:
            return None
        line = " ".join(_CONTROL.sub("", unicodedata.normalize("NFC", text)).split())
        return self._mask(line).text if line else None

    def address(self, url: str | None) -> str | None:
        """The page somebody writes from, without query and fragment: those hold what nobody meant to tell us."""
        try:
            parts = urlsplit(url or "")
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return None
        return self.line(f"{parts.scheme}://{parts.hostname}{port}{parts.path}")
