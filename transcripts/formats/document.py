"""What a transcript shows to a reader: its heading and its lines, in words, by day, in one time zone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Literal
from zoneinfo import ZoneInfo

from transcripts.errors import UnknownZoneError
from transcripts.export_format import Export, ExportedEntry

ROLES = {"customer": "Customer", "agent": "Agent", "supervisor": "Supervisor", "bot": "Assistant", "system": "System"}
NOTE = "Note, only agents see it"
ERASED = "Erased"


@dataclass(frozen=True)
class Line:
    """One entry. A change is told by the system: it has no speaker."""

    seq: int
    kind: Literal["speech", "note", "change"]
    moment: datetime
    who: str
    role: str
    text: str
    attachments: tuple[str, ...] = ()
    erased: bool = False

    @property
    def time(self) -> str:
        """14:02:31"""
        return f"{self.moment:%H:%M:%S}"


@dataclass(frozen=True)
class Day:
    """What was said on one day of the zone."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Document:
    """A transcript for reading. `seals` has a sentence for each segment, `facts` label and value."""

    ticket: int
    title: str
    topic: str
    zone: str
    facts: tuple[tuple[str, str], ...]
    days: tuple[Day, ...]
    seals: tuple[str, ...]


def document_of(file: Export, zone: str) -> Document:
    """The document of an exported file.

    Raises:
        UnknownZoneError: there is no such zone.
    """
    clock = clock_of(zone)
    lines = [line for entry in file.entries if (line := _line(entry, clock)) is not None]
    days = tuple(Day(_day(date), tuple(of)) for date, of in groupby(lines, key=lambda line: line.moment.date()))
    return Document(
        ticket=file.ticket,
        title=f"Ticket #{file.ticket}",
        topic=one_line(str(file.summary.get("topic") or "Chat without a topic")),
        zone=zone,
        facts=tuple((label, one_line(value)) for label, value in _facts(file, clock)),
        days=days,
        seals=tuple(
            f"Sealed on {_moment(one.sealed_at, clock)} with key {one.key_id} (entries {one.from_seq} to {one.to_seq})."
            for one in file.proof.segments
        ),
    )


def one_line(text: str) -> str:
    """On one line, and without characters that command a terminal or turn the direction of writing."""
    return visible(re.sub(r"\s+", " ", text))


def visible(text: str) -> str:
    """The text with what nobody can see or what turns the direction of its neighbours replaced; lines and tabs stay."""
    return "".join(
        "\ufffd" if _is_hidden(char) else char for char in re.sub(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text)
    )


def _is_hidden(char: str) -> bool:
    category = unicodedata.category(char)
    return (
        category == "Cs"
        or (category == "Cc" and char not in "\n\t")
        or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def clock_of(name: str) -> ZoneInfo:
    """The zone of this name.

    Raises:
        UnknownZoneError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as exc:
        raise UnknownZoneError(f"There is no time zone {name!r}") from exc


def _at(at: int, clock: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at / 1000, clock)


def _moment(at: int, clock: ZoneInfo) -> str:
    return f"{_at(at, clock):%Y-%m-%d %H:%M:%S}"


def _day(date: Any) -> str:
    return f"{_WEEKDAYS[date.weekday()]}, {date.isoformat()}"


# Not strftime's, which follow the locale of the process.
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _facts(file: Export, clock: ZoneInfo) -> Iterator[tuple[str, str]]:
    said = file.summary
    for label, name in (
        ("Order", "order"),
        ("Product", "product"),
        ("Customer", "customer_name"),
        ("Answered by", "agent_name"),
    ):
        if said.get(name):
            yield label, str(said[name])
    department = said.get("department")
    if department:
        named = department.get("name") or department.get("id") if isinstance(department, dict) else department
        yield "Department", str(named)
    if isinstance(said.get("opened_at"), int):
        yield "Opened", _moment(said["opened_at"], clock)
    if isinstance(said.get("closed_at"), int):
        yield "Closed", _moment(said["closed_at"], clock)
    if said.get("rating"):
        yield "Rating", f"{said['rating']} of 5"


def _line(entry: ExportedEntry, clock: ZoneInfo) -> Line | None:
    spoken = entry.kind in ("message", "note") and entry.role != "system"
    text = ERASED if entry.erased and spoken else (entry.text or "") if spoken else _change(entry)
    if text is None:
        return None
    return Line(
        seq=entry.seq,
        kind="note" if spoken and entry.kind == "note" else "speech" if spoken else "change",
        moment=_at(entry.at, clock),
        who=one_line(entry.name or ROLES.get(entry.role, entry.role)) if spoken else "",
        role=ROLES.get(entry.role, one_line(entry.role)) if spoken else "",
        text=visible(text),
        attachments=tuple(entry.attachments),
        erased=entry.erased,
    )


def _change(entry: ExportedEntry) -> str | None:
    """What a state change says of itself; the same words as on the pages."""
    data = entry.data or {}
    match entry.kind:
        case "opened":
            return f"Chat opened: {data['topic']}" if data.get("topic") else "Chat opened"
        case "assigned":
            return f"{data.get('name') or ROLES['agent']} took the chat"
        case "released":
            return f"{entry.name or ROLES['agent']} lost the connection. The chat went back to the queue"
        case "closed":
            return "Chat closed by the agent" if data.get("reason") == "agent" else "Chat closed by the customer"
        case "rated":
            return f"Rated {data.get('rating')} of 5" + (f": “{entry.text}”" if entry.text else "")
        case "redacted":
            numbers = data.get("entries")
            return f"Erased: entry {', '.join(map(str, numbers))}" if isinstance(numbers, list) and numbers else None
        case _:
            return entry.text
