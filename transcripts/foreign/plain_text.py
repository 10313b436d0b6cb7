"""What an HTML message says, as text: no markup of another system is kept, and none is ever shown as markup here."""

import re
from html.parser import HTMLParser

_BREAKS = frozenset({"p", "div", "br", "li", "ul", "ol", "tr", "table", "blockquote", "pre", "h1", "h2", "h3", "hr"})
_PARAGRAPH = re.compile(r"</?(?:p|div)>|<br ?/?>")
_ONLY_PARAGRAPHS = re.compile(rf"[^<&]*+(?:(?:{_PARAGRAPH.pattern})[^<&]*+)*+")
_SILENT = frozenset({"script", "style", "head", "title"})


def plain_text(html: str | None) -> str:
    """The text of a piece of HTML; a link keeps its address, a picture is `[image]`."""
    if not html or not ("<" in html or "&" in html):
        return (html or "").strip()
    if _ONLY_PARAGRAPHS.fullmatch(html):  # most messages; the parser takes 50 µs
        return _joined(_PARAGRAPH.split(" ".join(html.split())))
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return _joined(re.sub(r"[^\S\n]+", " ", "".join(reader.pieces)).split("\n"))


def _joined(lines: list[str]) -> str:
    text = "\n".join(map(str.strip, lines)).strip()
    return re.sub(r"\n{3,}", "\n\n", text) if "\n\n\n" in text else text


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0
        self._link = ""
        self._link_from = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BREAKS:
            self.pieces.append("\n")
        elif tag == "img":
            self.pieces.append("[image]")
        elif tag == "a":
            self._link, self._link_from = dict(attrs).get("href") or "", len(self.pieces)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BREAKS and tag != "br":
            self.pieces.append("\n")
        elif tag == "a" and self._link:
            if self._link.strip("/") not in "".join(self.pieces[self._link_from :]):
                self.pieces.append(f" ({self._link})")
            self._link = ""

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(re.sub(r"\s+", " ", data))
