"""Erasing what somebody said, so that it is gone from the disk and the seal still holds (docs/erasing.md).

`rules` say what of each table goes, `Eraser` does it, a `Place` is where bytes may lie: each removes its own, makes
what it removed unreadable, and looks for it in its raw files. The certificate says what was found.
"""

from transcripts.erasure.certificate import Certificate, doubt, is_certificate, is_genuine
from transcripts.erasure.database import database_files
from transcripts.erasure.eraser import Eraser, Plan, Swept
from transcripts.erasure.places import Look, Place
from transcripts.erasure.rules import KEPT, NOW, RECORD, Rule, Subject

__all__ = [
    "KEPT",
    "NOW",
    "RECORD",
    "Certificate",
    "Eraser",
    "Look",
    "Place",
    "Plan",
    "Rule",
    "Subject",
    "Swept",
    "database_files",
    "doubt",
    "is_certificate",
    "is_genuine",
]
