"""A transcript as PDF: selectable text in embedded fonts, right-to-left scripts shaped and ordered, the JSON with its
proof attached. A character that no font at hand has is written as `[U+6211]`, and a line on top says so: never an empty
box.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from transcripts.export_format import Export
from transcripts.formats.document import NOTE, Document, Line

if TYPE_CHECKING:
    from fpdf import FPDF

_BODY = "NotoSans"
_GREY, _BLACK = 90, 0

# Chinese, Japanese and Korean are too large for everybody: from the extra `cjk`, or where Debian and Fedora have them.
_CJK = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-sans-cjk-vf-fonts/NotoSansCJK-VF.ttc",
)


def as_pdf(document: Document, file: Export) -> bytes:
    """The whole file."""
    from fpdf import FPDF, XPos, YPos  # half a second that only a PDF costs

    class Pages(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_BODY, size=8)
            self.set_text_color(_GREY)
            self.cell(0, 4, f"{document.title} · page {self.page_no()}", align="R")

    pdf = Pages(format="A4")
    last = file.entries[-1].at if file.entries else 0
    pdf.set_creation_date(datetime.fromtimestamp(last / 1000, UTC))
    pdf.set_title(document.title)
    pdf.set_lang("en")
    pdf.set_margins(18, 18)
    pdf.set_auto_page_break(True, 18)
    known = _add_fonts(pdf, "".join(texts_of(document)))
    missing = sorted({char for text in texts_of(document) for char in text if not _is_shown(char, known)})
    pdf.set_text_shaping(True)
    pdf.add_page()

    def say(text: str, *, size: float = 10.5, grey: bool = False, indent: float = 0) -> None:
        pdf.set_font(_BODY, size=size)
        pdf.set_text_color(_GREY if grey else _BLACK)
        pdf.set_x(pdf.l_margin + indent)
        align = "R" if is_right_to_left(text) else "L"
        pdf.multi_cell(0, size * 0.52, spelled(text, known) or " ", align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def keep(millimetres: float) -> None:
        """What is so high begins on a new page if it does not end on this one."""
        if pdf.will_page_break(millimetres):
            pdf.add_page()

    say(document.title, size=20)
    say(document.topic, size=12)
    pdf.ln(3)
    for label, value in document.facts:
        say(f"{label}: {value}", size=9.5)
    say(f"Times are in {document.zone}.", size=9.5, grey=True)
    if missing:
        say(
            f"This server has no font for {len(missing)} characters: they stand as [U+…]. The attached file has them.",
            size=9.5,
        )
    for day in document.days:
        pdf.ln(4)
        keep(22)  # no day, and no speaker, at the foot of a page without what follows
        say(day.title, size=9.5, grey=True)
        for line in day.lines:
            pdf.ln(1.5)
            keep(12)
            say(_heading(line), size=9, grey=True)
            say(line.text, grey=line.kind == "change" or line.erased, indent=4)
            for digest in line.attachments:
                say(f"Attachment, SHA-256 {digest}", size=8, grey=True, indent=4)
    pdf.ln(6)
    for seal in document.seals or ("Not sealed yet.",):
        say(seal, size=9, grey=True)
    name = f"chat-{document.ticket}.json"
    where = f"The proof is in the attached file {name}: the page /verify of the site this comes from checks it."
    say(where, size=9, grey=True)
    pdf.embed_file(bytes=msgspec.json.encode(file), basename=name, mime_type="application/json")
    return bytes(pdf.output())


def _heading(line: Line) -> str:
    if line.kind == "change":
        return line.time
    role = line.role if line.who != line.role else ""
    return "  ".join(part for part in (line.time, role, line.who, NOTE if line.kind == "note" else "") if part)


def is_right_to_left(text: str) -> bool:
    """Whether the text's first letter says so, as `dir="auto"` does in HTML."""
    strong = (kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL"))
    return next(strong, "L") != "L"


def spelled(text: str, known: set[int]) -> str:
    """The text with what no font has written out."""
    return "".join(char if _is_shown(char, known) else f"[U+{ord(char):04X}]" for char in text)


def texts_of(document: Document) -> Iterator[str]:
    """Every text of people that the PDF shows."""
    yield document.topic
    yield from (value for _, value in document.facts)
    for day in document.days:
        for line in day.lines:
            yield line.who
            yield line.text


def _add_fonts(pdf: FPDF, text: str) -> set[int]:
    """Adds the body font and those that the text needs beside it; which characters they have."""
    folder = Path(str(files("manimgx_fonts")))
    known = _add(pdf, _BODY, folder / f"{_BODY}[wght].ttf")
    others = []
    for path in [*sorted(folder.glob("Noto*[[]wght[]].ttf")), *_cjk_fonts()]:
        left = {ord(char) for char in text if not _is_shown(char, known)}
        if not left:
            break
        if path.stem.startswith((f"{_BODY}[", f"{_BODY}-")) or not left & _characters(path):
            continue
        name = path.stem.partition("[")[0]
        known |= _add(pdf, name, path)
        others.append(name)
    pdf.set_fallback_fonts(others, exact_match=False)
    return known


def _add(pdf: FPDF, name: str, path: Path) -> set[int]:
    pdf.add_font(name, fname=str(path))
    return _characters(path)


def _characters(path: Path) -> set[int]:
    from fontTools.ttLib import TTFont

    with TTFont(path, fontNumber=0, lazy=True) as font:
        return set(font.getBestCmap())


def _cjk_fonts() -> Iterator[Path]:
    if find_spec("manimgx_fonts_cjk"):
        yield from sorted(Path(str(files("manimgx_fonts_cjk"))).glob("*.ttc"))
    yield from (path for path in map(Path, _CJK) if path.exists())


def _is_shown(char: str, known: set[int]) -> bool:
    # What joins, selects or breaks is shown by what stands beside it.
    return ord(char) in known or char in "\n\t\u200b\u200c\u200d\u200e\u200f\ufe0e\ufe0f"
