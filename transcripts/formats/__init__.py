"""A transcript as people keep it: HTML, PDF, text, JSON, EML. All are made from the exported file (`export_format`) and
from nothing else, so what is not in it, such as notes in a customer's, cannot be in any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from transcripts.export_format import Export
from transcripts.formats.document import clock_of, document_of
from transcripts.formats.html import as_html
from transcripts.formats.mail import as_mail
from transcripts.formats.pdf import as_pdf
from transcripts.formats.plain import as_text

MEDIA_TYPES = {
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "eml": "message/rfc822",
    "pdf": "application/pdf",
}


def render(export: Mapping[str, Any], form: str, *, zone: str = "UTC") -> bytes:
    """The file of one transcript.

    Args:
        export: as `export.as_json` makes it.
        form: a key of `MEDIA_TYPES`.
        zone: the IANA zone of the times in it; each says so.

    Raises:
        UnknownZoneError: there is no such zone.
    """
    clock_of(zone)  # a wrong one is refused for `json` too, though nothing in it is in a zone
    file = msgspec.convert(export, Export)
    return _MADE[form](file, zone)


def file_name(ticket: int, form: str) -> str:
    """What the file is called."""
    return f"chat-{ticket}.{form}"


def as_json_text(file: Export) -> bytes:
    """The file itself: its entries, and their proof."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


_MADE: dict[str, Callable[[Export, str], bytes]] = {
    "json": lambda file, zone: as_json_text(file),
    "html": lambda file, zone: as_html(document_of(file, zone), file),
    "txt": lambda file, zone: as_text(document_of(file, zone)).encode(),
    "eml": lambda file, zone: as_mail(document_of(file, zone), file),
    "pdf": lambda file, zone: as_pdf(document_of(file, zone), file),
}
