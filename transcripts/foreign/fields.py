"""What the readers share: kinds of values, and the text that stands for an attachment."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec

Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
"""Seconds since 1970, until the year 9999."""

Id = str | int


def milliseconds(at: Seconds | datetime | None) -> int | str | None:
    """A time as a line of an import has it."""
    if at is None:
        return None
    return at.isoformat() if isinstance(at, datetime) else at * 1000


def with_attachments(text: str | None, names: Iterable[str | None]) -> str:
    """The text, and a line for each file: files themselves are not imported."""
    return "\n".join(part for part in (text, *(f"[attachment: {name or 'file'}]" for name in names)) if part)


def joined(words: list[str] | None) -> str | None:
    """Several labels as one topic."""
    return ", ".join(words) if words else None
