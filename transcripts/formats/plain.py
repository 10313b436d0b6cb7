"""A transcript as text. No line of a message can pass for another entry: what goes on is indented."""

from __future__ import annotations

from transcripts.formats.document import NOTE, Document, Line

_INDENT = "\n" + " " * 10


def as_text(document: Document) -> str:
    """The whole transcript."""
    parts = [f"{document.title}: {document.topic}"]
    parts += [f"{label}: {value}" for label, value in document.facts]
    parts += [f"Times are in {document.zone}."]
    for day in document.days:
        parts += ["", day.title, *(_said(line) for line in day.lines)]
    parts += ["", *(document.seals or ("Not sealed yet.",))]
    return "\n".join(parts) + "\n"


def _said(line: Line) -> str:
    text = _INDENT.join(line.text.split("\n"))
    files = "".join(f"{_INDENT}[attachment, SHA-256 {digest}]" for digest in line.attachments)
    if line.kind == "change":
        return f"{line.time}  * {text}{files}"
    note = f" ({NOTE})" if line.kind == "note" else ""
    # The role first: a name can be anything, also somebody else's.
    return (
        f"{line.time}  {line.role} {line.who}{note}: {text}{files}"
        if line.who != line.role
        else f"{line.time}  {line.role}{note}: {text}{files}"
    )
