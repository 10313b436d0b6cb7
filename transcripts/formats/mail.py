"""A transcript as a mail: text, HTML, and the JSON with its proof attached. Without an address: whoever sends it adds
`From` and `To`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import format_datetime

import msgspec

from transcripts.errors import UnreadableError
from transcripts.export_format import Export
from transcripts.formats.document import Document
from transcripts.formats.html import as_html
from transcripts.formats.plain import as_text


def mail_of(document: Document, file: Export) -> EmailMessage:
    """The message, to be sent or saved."""
    message = EmailMessage(policy=policy.SMTP)
    message["Subject"] = f"{document.title}: {document.topic}"
    last = file.entries[-1].at if file.entries else 0
    message["Date"] = format_datetime(datetime.fromtimestamp(last / 1000, UTC))
    message.set_content(as_text(document), cte="base64")
    message.add_alternative(as_html(document, file).decode(), subtype="html", cte="base64")
    proof = msgspec.json.encode(file)
    message.add_attachment(proof, maintype="application", subtype="json", filename=f"chat-{document.ticket}.json")
    return message


def as_mail(document: Document, file: Export) -> bytes:
    """The message as a file. The same transcript is the same bytes: boundaries are not drawn at random."""
    message = mail_of(document, file)
    for place, part in enumerate(one for one in message.walk() if one.is_multipart()):
        part.set_boundary(f"=_chat-{document.ticket}-{place}")
    return message.as_bytes()


def proof_in_mail(body: bytes) -> tuple[bytes, bytes]:
    """The attached JSON, and the HTML.

    Raises:
        UnreadableError: it is no such mail.
    """
    message = BytesParser(policy=policy.default).parsebytes(body)
    attached = [part.get_payload(decode=True) for part in message.iter_attachments()] if message.is_multipart() else []
    html = message.get_body(("html",))
    shown = html.get_payload(decode=True) if html else None
    if len(attached) != 1 or not isinstance(attached[0], bytes) or not isinstance(shown, bytes):
        raise UnreadableError("there is no proof in it, or more than one")
    return attached[0], shown.replace(b"\r\n", b"\n")  # lines of a mail end otherwise
