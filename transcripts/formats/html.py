"""A transcript as one HTML file with its proof inside. It has no script that runs, asks for nothing, and reads and
prints well; what people wrote is text in it and never markup.

The same transcript in the same zone is the same bytes, so that a verifier can make the file anew and compare: what it
shows is then proved too, not only what is inside.
"""

from __future__ import annotations

import base64
import re
from hashlib import sha256
from html import escape
from importlib.resources import files

import msgspec

from transcripts.errors import UnreadableError
from transcripts.export_format import Export
from transcripts.formats.document import NOTE, Document, Line

_STYLE = (files("transcripts.formats") / "transcript.css").read_text()
_STYLE_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
_HEAD = '<!doctype html>\n<html lang="en" data-zone="'
_PROOF = re.compile(rb'<script type="application/json" id="chat-transcript">(.*?)</script>', re.DOTALL)


def as_html(document: Document, file: Export) -> bytes:
    """The whole file."""
    # In a script element only `<` could end it; in JSON it stands in texts alone, where it may be written so.
    proof = msgspec.json.encode(file).decode().replace("<", "\\u003c")
    return f"""{_HEAD}{escape(document.zone)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{escape(document.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
{body_of(document)}
<script type="application/json" id="chat-transcript">{proof}</script>
</body>
</html>
""".encode()


def body_of(document: Document) -> str:
    """What there is to read, without the proof: also the body of a mail."""
    facts = "".join(
        f"<div><dt>{escape(label)}</dt><dd><bdi>{escape(value)}</bdi></dd></div>\n" for label, value in document.facts
    )
    days = "".join(
        f"<h2>{escape(day.title)}</h2>\n<ol>\n{''.join(map(_row, day.lines))}</ol>\n" for day in document.days
    )
    seals = "<br>\n".join(escape(seal) for seal in document.seals) or "Not sealed yet."
    return f"""<main>
<h1>{escape(document.title)}</h1>
<p><bdi>{escape(document.topic)}</bdi></p>
<dl>
{facts}</dl>
{days}<p class="muted">Times are in {escape(document.zone)}.</p>
<p class="seal">{seals}<br>
The page /verify of the site this comes from checks the proof in this file.</p>
</main>"""


def _row(line: Line) -> str:
    stamp = f'<time datetime="{line.moment.isoformat(timespec="milliseconds")}">{line.time}</time>'
    files = "".join(f'<p class="muted">Attachment, SHA-256 {escape(digest)}</p>' for digest in line.attachments)
    said = f'<p class="said" dir="auto">{escape(line.text)}</p>{files}'
    if line.kind != "change":
        label = line.role if line.who != line.role else ""
        marks = " · ".join(part for part in (label, NOTE if line.kind == "note" else "") if part)
        said = f'<p><strong><bdi>{escape(line.who)}</bdi></strong> <span class="muted">{escape(marks)}</span></p>{said}'
    erased = " erased" if line.erased else ""
    return f'<li class="{line.kind}{erased}" data-seq="{line.seq}">{stamp}<div>{said}</div></li>\n'


def proof_in_html(body: bytes) -> tuple[bytes, str]:
    """The JSON inside, and the zone of the times.

    Raises:
        UnreadableError: there is none, or more than one.
    """
    found = _PROOF.findall(body)
    zone = re.match(re.escape(_HEAD.encode()) + rb'([A-Za-z0-9_+/-]+)">', body)
    if len(found) != 1 or zone is None:
        raise UnreadableError("there is no proof in it, or more than one")
    return found[0], zone[1].decode()
