"""Verifying an exported file of any format: the proof in it, and that what it shows is what was proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from transcripts.errors import UnknownZoneError, UnreadableError
from transcripts.formats import render
from transcripts.formats.html import proof_in_html
from transcripts.formats.mail import proof_in_mail
from transcripts.strict_json import read_json
from transcripts.verify import Problem, Verification, verify

_OTHERWISE = "the proof inside holds, but what the file shows is not what was sealed, or another version made it"


def verify_file(body: bytes, keys: Mapping[str, bytes]) -> Verification:
    """`verify` for a file of any format that carries a proof: JSON, HTML, EML.

    HTML and mails are made anew from the proof and compared byte by byte.

    Raises:
        UnreadableError: there is no proof in it.
    """
    start = body[:200].lstrip().lower()
    if start.startswith(b"{"):
        return verify(read_json(body), keys)
    if start.startswith(b"%pdf-"):
        raise UnreadableError("a PDF has the proof attached: save the attached chat-….json, and verify that")
    if start.startswith(b"<!doctype html"):
        proof, zone = proof_in_html(body)
        return _compared(read_json(proof), keys, "html", zone, body)
    if b"\nmime-version: 1.0" in body[:2000].lower():
        proof, html = proof_in_mail(body)
        return _compared(read_json(proof), keys, "eml", proof_in_html(html)[1], body)
    raise UnreadableError("there is no proof in it")


def _compared(export: Any, keys: Mapping[str, bytes], form: str, zone: str, body: bytes) -> Verification:
    found = verify(export, keys)
    if not found.ok:
        return found
    try:
        same = render(export, form, zone=zone) == body
    except UnknownZoneError:
        same = False
    return found if same else replace(found, problems=(Problem("altered", None, _OTHERWISE),))
