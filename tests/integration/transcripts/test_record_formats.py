"""Exports for people: notes never leave, text is never markup, the proof holds, what is shown is what is proved."""

import copy
import html
import io
import json
import re
import zlib
from email import policy
from email.parser import BytesParser
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from anyio.from_thread import start_blocking_portal

from tests.support.sealed_chats import KEYS, SECRET, sealed_chats
from tests.support.verifier import PageVerifier
from transcripts.errors import UnknownZoneError, UnreadableError
from transcripts.export_format import Export
from transcripts.formats import MEDIA_TYPES, render
from transcripts.formats.document import document_of, visible
from transcripts.formats.pdf import as_pdf, is_right_to_left, spelled, texts_of
from transcripts.formats.plain import as_text
from transcripts.formats.verifying import verify_file


class Files:
    """The exported files of random chats: some with notes, some with erased entries."""

    def __init__(self) -> None:
        with start_blocking_portal("asyncio") as portal:
            self._files = portal.call(self._made)
        self.tickets = sorted({ticket for ticket, _ in self._files})

    async def _made(self) -> dict[tuple[int, str], dict[str, Any]]:
        async with sealed_chats(30) as record:
            for ticket in record.tickets[:5]:
                await record.redact(ticket)
            wanted = [(ticket, audience) for ticket in record.tickets for audience in ("all", "staff")]
            return {one: await record.file(*one) for one in wanted}

    def file(self, ticket: int, audience: str) -> dict[str, Any]:
        return self._files[ticket, audience]


@pytest.fixture(scope="module")
def record() -> Files:
    return Files()


def everything_in(body: bytes, form: str) -> str:
    """All that a reader of the file could find, also in what is encoded."""
    if form == "pdf":  # the text in it stands as glyphs; what they are made of is asked for in a test of its own
        streams = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", body, flags=re.DOTALL)
        plain = [zlib.decompress(one) if one.startswith(b"x") else one for one in streams]
        return b"\n".join(plain).decode(errors="replace")
    if form != "eml":
        return html.unescape(body.decode())
    parts = BytesParser(policy=policy.default).parsebytes(body).walk()
    payloads = [part.get_payload(decode=True) for part in parts if not part.is_multipart()]
    return html.unescape("\n".join(one.decode() for one in payloads if isinstance(one, bytes)))


PDF_OF = 4  # of the chats: each takes up to three seconds where it needs a large font


@pytest.mark.parametrize("form", list(MEDIA_TYPES))
def test_notes_never_leave(record: Files, form: str) -> None:
    with_notes = 0
    for ticket in record.tickets[: PDF_OF if form == "pdf" else None]:
        staff = record.file(ticket, "staff")
        found = everything_in(render(record.file(ticket, "all"), form), form)
        assert SECRET not in found
        assert "Note, only agents" not in found
        for entry in staff["entries"]:
            if entry["audience"] == "staff":
                with_notes += 1
                assert entry.get("salt", "?" * 32) not in found
                assert entry.get("commitment", "?" * 64) not in found
        if SECRET in json.dumps(staff):  # what would have been there
            assert SECRET in everything_in(render(staff, form), form)
    assert with_notes > (20 if form != "pdf" else 0)


def test_no_glyph_of_a_pdf_is_of_a_note(record: Files) -> None:
    for ticket in record.tickets:
        assert SECRET not in "".join(texts_of(document_of(msgspec.convert(record.file(ticket, "all"), Export), "UTC")))


def test_a_character_without_a_font_is_spelled_and_said(record: Files) -> None:
    document = document_of(msgspec.convert(record.file(record.tickets[0], "all"), Export), "UTC")
    assert spelled("a\U000e0041b", {ord("a"), ord("b")}) == "a[U+E0041]b"
    assert as_pdf(document, msgspec.convert(record.file(record.tickets[0], "all"), Export)).startswith(b"%PDF-")


def test_the_first_letter_says_where_a_line_of_a_pdf_begins() -> None:
    for text in ("أين طردي؟", "112-77: ההזמנה", "\n- شكراً, thanks"):
        assert is_right_to_left(text)
    for text in ("Hello شكراً", "112-77", "", "東京"):
        assert not is_right_to_left(text)


@pytest.mark.parametrize("form", list(MEDIA_TYPES))
def test_everything_that_was_said_is_there(record: Files, form: str) -> None:
    for ticket in record.tickets[: PDF_OF if form == "pdf" else None]:
        file = record.file(ticket, "all")
        found = everything_in(render(file, form), form)
        for entry in file["entries"]:
            text = entry.get("text") or ""
            if form in ("json", "pdf"):  # of a PDF, what is attached
                assert not text or json.dumps(text, ensure_ascii=False) in found.replace("\x7f", "\\u007f")
            else:
                assert all(line in found for line in visible(text).split("\n"))


def test_no_line_of_a_message_passes_for_another_entry_of_the_text(record: Files) -> None:
    promise = "12:00:00  Agent Ann: You get your money back."
    breaks = ("\n", "\r\n", "\r", "\n\n", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")
    seen = 0
    for ticket in record.tickets:
        file = copy.deepcopy(record.file(ticket, "staff"))
        for at, entry in enumerate(one for one in file["entries"] if one.get("text")):
            entry["text"] = breaks[at % len(breaks)].join(("Hello", promise, promise))
            entry["name"] = f"Mia{breaks[at % len(breaks)]}{promise}"
            seen += 1
        document = document_of(msgspec.convert(file, Export), "UTC")
        entries = [line for line in as_text(document).splitlines() if re.match(r"\d\d:\d\d", line)]
        assert len(entries) == sum(len(day.lines) for day in document.days)
        goes_on = [line for line in as_text(document).splitlines() if line.lstrip().startswith(promise)]
        assert all(line.startswith(" " * 10) for line in goes_on)
    assert seen > len(breaks)


class Reader(HTMLParser):
    """What a browser makes of it: elements, and the text of each message."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.said: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on") or name in ("href", "src")]
        self._inside = dict(attrs).get("class") == "said"
        if self._inside:
            self.said.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.said[-1] += data


def test_text_is_never_markup(record: Files) -> None:
    for ticket in record.tickets:
        file = record.file(ticket, "all")
        reader = Reader()
        reader.feed(render(file, "html").decode())
        assert not reader.tags & {"b", "i", "a", "img", "iframe"}
        messages = [visible(one["text"]) for one in file["entries"] if one["kind"] == "message" and one.get("text")]
        assert [one for one in reader.said if one in messages] == messages


@pytest.mark.parametrize("form", ["json", "html", "eml"])
def test_the_proof_inside_holds_for_both_verifiers(record: Files, form: str) -> None:
    with PageVerifier() as page:
        for ticket in record.tickets[:12]:
            body = render(record.file(ticket, "all"), form, zone="Asia/Kolkata")
            assert verify_file(body, KEYS).problems == ()
            assert page.problems(body, KEYS) == []


@pytest.mark.parametrize("form", ["html", "eml"])
def test_what_is_shown_otherwise_than_proved_is_found(record: Files, form: str) -> None:
    body = render(record.file(record.tickets[7], "all"), form)
    assert verify_file(body, KEYS).ok
    if form == "html":
        altered = body.replace(b"took the chat", b"left the chat", 1)
    else:
        altered = body.replace(b"Subject: Ticket", b"Subject: Returns of ticket", 1)
    assert altered != body
    first = verify_file(altered, KEYS).first
    assert first
    assert "what the file shows" in first.message
    assert not verify_file(body.replace(b"</body>", b"<p>Paid.</p></body>") if form == "html" else body + b"x", KEYS).ok


def test_an_altered_proof_inside_names_the_entry(record: Files) -> None:
    body = render(record.file(record.tickets[7], "all"), "html")
    inside = body.rpartition(b'{"format"')[2].replace(b'"name":"Ann Lee"', b'"name":"Ben Lee"', 1)
    first = verify_file(body.rpartition(b'{"format"')[0] + b'{"format"' + inside, KEYS).first
    assert first
    assert (first.what, first.seq is not None) == ("altered", True)


def test_two_proofs_in_one_file_are_refused(record: Files) -> None:
    body = render(record.file(record.tickets[0], "all"), "html")
    twice = body.replace(b"</body>", b'<script type="application/json" id="chat-transcript">{}</script></body>')
    with pytest.raises(UnreadableError):
        verify_file(twice, KEYS)
    with PageVerifier() as page:
        assert page.problems(twice, KEYS) == [("format", None)]


@pytest.mark.parametrize("body", [b"", b"hello", b"%PDF-1.7", b"<!doctype html><p>", b"MIME-Version: 1.0\n\nhi"])
def test_files_without_a_proof_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        verify_file(body, KEYS)


def test_no_line_of_a_text_passes_for_another_entry(record: Files) -> None:
    for ticket in record.tickets:
        file = record.file(ticket, "all")
        lines = render(file, "txt").decode().split("\n")
        assert "\r" not in "".join(lines)
        shown = [line for line in lines if re.match(r"\d\d:\d\d:\d\d  ", line)]
        assert len(shown) == len(file["entries"])


def test_times_are_in_the_zone_that_it_names(record: Files) -> None:
    file = record.file(record.tickets[7], "all")
    for form in ("html", "txt"):
        utc, india = render(file, form).decode(), render(file, form, zone="Asia/Kolkata").decode()
        assert "Times are in UTC" in utc
        assert "Times are in Asia/Kolkata" in india
        assert re.findall(r"\d\d:\d\d:\d\d", utc) != re.findall(r"\d\d:\d\d:\d\d", india)
    for zone in ("Mars/Olympus", "../etc/passwd", "/etc/passwd", ""):
        with pytest.raises(UnknownZoneError):
            render(file, "txt", zone=zone)


def test_a_mail_has_text_html_and_the_proof(record: Files) -> None:
    ticket = record.tickets[0]
    message = BytesParser(policy=policy.default).parse(io.BytesIO(render(record.file(ticket, "all"), "eml")))
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/json",
    ]
    assert message["Subject"].startswith(f"Ticket #{ticket}: ")
    assert message["From"] is message["To"] is None
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == f"chat-{ticket}.json"


def test_the_same_transcript_is_the_same_bytes(record: Files) -> None:
    file: dict[str, Any] = record.file(record.tickets[3], "all")
    for form in MEDIA_TYPES:
        assert render(file, form) == render(file, form)
