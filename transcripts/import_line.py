"""One line of an import (docs/importing.md): what may stand in it, and what is made of it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from transcripts.entry import ChatBatch, Entry, Opening, Participant
from transcripts.errors import ImportLineError
from transcripts.ids import new_id
from transcripts.masking import EVERYTHING, Masked, Masker

_LATEST = 253_402_300_799_999  # the end of the year 9999

Id = str | int
Time = str | int | float
Role = Literal["customer", "agent", "bot", "system"]


class Item(NamedTuple):
    """A chat in a file: its line, from 1; its place in that line's value, where it is not the whole; and its JSON."""

    line: int
    place: str
    text: str


def numbered(lines: Iterable[str]) -> Iterator[Item]:
    """JSON lines, a chat a line; empty ones are skipped."""
    for number, line in enumerate(lines, start=1):
        if plain := line.removeprefix("\ufeff").strip():
            yield Item(number, "", plain)


class ImportedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """The customer or the agent of a line. `id` is the site's own id of its customer."""

    id: Id | None = None
    name: str | None = None
    email: str | None = None


class ImportedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was said. Without `at` it was said when the entry before it was. A note is for staff only."""

    role: Role
    text: str | None = None
    at: Time | None = None
    name: str | None = None
    note: bool = False


class ImportLine(msgspec.Struct, frozen=True, kw_only=True):
    """One chat. Unknown fields are ignored. Times are ISO 8601 (without a zone: UTC) or ms UTC."""

    entries: list[ImportedEntry]
    external_id: Annotated[str, msgspec.Meta(min_length=1, max_length=500)] | int | None = None
    topic: str | None = None
    department: str | None = None
    order: Id | None = None
    product: str | None = None
    opened_at: Time | None = None
    closed_at: Time | None = None
    customer: ImportedPerson | None = None
    agent: ImportedPerson | None = None


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A line that is sound: its number, its lasting name, and its content with every time in ms and every text
    masked.
    """

    number: int
    external_id: str
    line: ImportLine
    customer: ImportedPerson
    opened_at: int
    closed_at: int
    times: tuple[int, ...]
    said: tuple[Masked, ...]


Read = Callable[[str], ImportLine]
"""Makes a line of a chat's JSON, ours or another system's. Raises msgspec.DecodeError."""

_decode = msgspec.json.Decoder(ImportLine).decode
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_PATH = re.compile(r" - at `\$\.?(.*)`$")


def read_line(text: str) -> ImportLine:
    """Reads our own form.

    Raises:
        msgspec.DecodeError: it is not of that form.
    """
    return _decode(text)


def parse_line(item: Item, now: int, read: Read = read_line, masker: Masker = EVERYTHING) -> Parsed:
    """Reads a chat.

    A line without an `external_id` gets one from its content, so that the same line is recognised when it comes again.

    Args:
        item: where it stands, and its JSON.
        now: ms UTC, for a chat in which no time is given.
        read: what reads the form it is written in.
        masker: what is masked.

    Raises:
        ImportLineError: names the line and the field.
    """
    number, place, text = item
    try:
        line = _read(text, read)
    except msgspec.ValidationError as exc:
        found = _PATH.search(str(exc))
        field = f"{place}.{found[1]}" if found and place else found[1] if found else place
        raise ImportLineError(number, field.replace(".[", "["), _PATH.sub("", str(exc))) from exc
    except (msgspec.DecodeError, ValueError, RecursionError) as exc:
        raise ImportLineError(number, place, f"is not JSON: {exc}") from exc
    given = line.external_id
    name = (
        f"line:{sha256(text.strip().encode(errors='replace')).hexdigest()[:32]}"
        if given is None
        else _plain(str(given))
    )
    try:
        opened_at, times, closed_at = _times(line, number, now)
    except ImportLineError as exc:
        raise ImportLineError(number, f"{place}.{exc.field}" if place else exc.field, exc.why) from exc
    safe = _Safe(masker)
    return Parsed(
        number=number,
        external_id=name,
        line=safe.line(line),
        customer=safe.person(line.customer or ImportedPerson()),
        opened_at=opened_at,
        closed_at=closed_at,
        times=times,
        said=tuple(masker.mask(_plain(entry.text or "")) for entry in line.entries),
    )


def _read(text: str, read: Read) -> ImportLine:
    try:
        return read(text)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeEncodeError):
        # Other programs cut texts in the middle of an emoji. Half a surrogate pair cannot be stored, but it is no
        # reason to refuse the chat.
        return read(_HALF_PAIR.sub("\ufffd", json.dumps(json.loads(text), ensure_ascii=False)))


def _times(line: ImportLine, number: int, now: int) -> tuple[int, tuple[int, ...], int]:
    """Opening, entries, closing: never going back, because the order of the entries is the order of the file."""
    given = [_ms(entry.at, number, f"entries[{place}].at") for place, entry in enumerate(line.entries)]
    opened, closed = _ms(line.opened_at, number, "opened_at"), _ms(line.closed_at, number, "closed_at")
    first = next((at for at in given if at is not None), None)
    known = [at for at in (opened, first) if at is not None]
    last = start = min(known) if known else closed if closed is not None else now
    times: list[int] = []
    for at in given:
        last = max(last, at if at is not None else last)
        times.append(last)
    return start, tuple(times), max(last, closed or last)


def _ms(value: Time | None, number: int, field: str) -> int | None:
    if value is None:
        return None
    try:
        at = int(value) if not isinstance(value, str) or value.strip().isdecimal() else _iso(value)
    except (ValueError, OverflowError) as exc:
        raise ImportLineError(number, field, f"{value!r} is neither ISO 8601 nor milliseconds") from exc
    if not 0 <= at <= _LATEST:
        raise ImportLineError(number, field, f"{value!r} is not a time between 1970 and 9999")
    return at


def _iso(text: str) -> int:
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


class _Safe:
    """What of a line is not said, masked."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._known: dict[str, str] = {}  # the agent's name comes with every second message

    def line(self, line: ImportLine) -> ImportLine:
        return msgspec.structs.replace(
            line,
            topic=self._text(line.topic),
            department=self._text(line.department),
            order=None if line.order is None else self._text(str(line.order)),
            product=self._text(line.product),
            agent=None if line.agent is None else self.person(line.agent),
            entries=[self._entry(entry) for entry in line.entries],
        )

    def person(self, person: ImportedPerson) -> ImportedPerson:
        return msgspec.structs.replace(person, name=self._text(person.name), email=self._text(person.email))

    def _entry(self, entry: ImportedEntry) -> ImportedEntry:
        name = self._text(entry.name)
        return entry if name == entry.name else msgspec.structs.replace(entry, name=name)

    def _text(self, text: str | None) -> str | None:
        if not text:
            return None
        if text not in self._known:
            self._known[text] = self._masker.mask(_plain(text)).text
        return self._known[text]


def _plain(text: str) -> str:
    return text.replace("\0", "\ufffd")  # PostgreSQL stores everything but this


def batch_of(parsed: Parsed, *, ticket: int, epoch: int, customer_id: str, agent_id: str | None) -> ChatBatch:
    """The whole chat, from `opened` to `closed`, as one batch of a new chat."""
    cast = _Cast(parsed, customer_id, agent_id)
    entries: list[Entry] = []
    public = 0  # the last entry that everybody may see

    def add(kind: str, at: int, who: Participant, audience: str = "all", **fields: Any) -> None:
        nonlocal public
        seq = len(entries) + 1
        entries.append(
            Entry(
                ticket=ticket,
                seq=seq,
                prev=public,
                entry_id=new_id(),
                at=at,
                kind=kind,
                audience=audience,
                role=who.role,
                participant_id=who.participant_id,
                **fields,
            )
        )
        if audience == "all":
            public = seq

    line = parsed.line
    add("opened", parsed.opened_at, cast.customer, name=parsed.customer.name, data=_opened(line))
    for said, masked, at in zip(line.entries, parsed.said, parsed.times, strict=True):
        who = cast.of(said)
        if said.role == "agent" and cast.owner is None and not said.note:
            cast.owner = who
            add("assigned", at, who, name=who.name, data={"owner": who.participant_id, "name": who.name, "gen": 1})
        kind, audience = ("note", "staff") if said.note else ("message", "all")
        add(kind, at, who, audience, name=said.name or who.name, text=masked.text, masked=masked.kinds)
    add("closed", parsed.closed_at, cast.system, data={"reason": "import"})
    return ChatBatch(
        ticket=ticket,
        epoch=epoch,
        opening=_opening(parsed, customer_id),
        entries=tuple(entries),
        participants=cast.everybody(),
    )


def _opened(line: ImportLine) -> dict[str, Any]:
    department = {"id": line.department, "name": line.department} if line.department else None
    said = {"topic": line.topic, "department": department, "order": line.order, "product": line.product}
    return {key: value for key, value in said.items() if value is not None}


def _opening(parsed: Parsed, customer_id: str) -> Opening:
    line = parsed.line
    return Opening(
        customer_id=customer_id,
        department=line.department,
        topic=line.topic,
        order=None if line.order is None else str(line.order),
        product=line.product,
        customer_name=parsed.customer.name,
        customer_email=parsed.customer.email,
        external_id=parsed.external_id,
    )


class _Cast:
    """Who takes part in a chat: one customer, an agent for each name, and where needed a bot and the system."""

    def __init__(self, parsed: Parsed, customer_id: str, agent_id: str | None) -> None:
        self._at = parsed.opened_at
        self._agent_id = agent_id
        self._agent_name = parsed.line.agent.name if parsed.line.agent else None
        self._known: dict[tuple[str, str | None], Participant] = {}
        self.customer = self._one("customer", parsed.customer.name, customer_id)
        self.owner: Participant | None = None

    @property
    def system(self) -> Participant:
        return self._one("system", None, None)

    def of(self, said: ImportedEntry) -> Participant:
        """Who said this. Several customers' names are one person; several agents' names are several."""
        if said.role == "customer":
            return self.customer
        name = said.name
        if said.role == "agent":
            name = name or self._agent_name
            return self._one("agent", name, self._agent_id if name == self._agent_name else None)
        return self._one(said.role, name, None)

    def everybody(self) -> tuple[Participant, ...]:
        return tuple(self._known.values())

    def _one(self, role: str, name: str | None, person_id: str | None) -> Participant:
        if (role, name) not in self._known:
            self._known[role, name] = Participant(
                participant_id=new_id(), role=role, person_id=person_id, name=name, joined_at=self._at
            )
        return self._known[role, name]
