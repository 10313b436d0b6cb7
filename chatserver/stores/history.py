"""Between an entry's bytes in the log and the record's `Entry`: both ways, losing nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from chatserver.broker.event import entry_parts, whole_entry
from chatserver.model.chat import ChatInfo
from chatserver.model.person import Participant
from transcripts.entry import Entry, Opening
from transcripts.entry import Participant as RecordedParticipant


class _Logged(msgspec.Struct, frozen=True, gc=False):  # nothing in it could hold it
    """An entry as it lies in the stream."""

    epoch: int
    seq: int
    prev: int
    at: int
    entry_id: str
    audience: str
    ticket: int
    kind: str
    role: str
    participant: str
    name: str | None = None
    text: str | None = None
    data: dict[str, Any] | None = None
    device: str | None = None
    n: int | None = None
    keep: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()


_decode = msgspec.msgpack.Decoder(_Logged).decode


def entry_of_event(event: bytes) -> Entry:
    """The record's entry in an event."""
    it = _decode(event)
    return Entry(
        ticket=it.ticket,
        seq=it.seq,
        prev=it.prev,
        entry_id=it.entry_id,
        at=it.at,
        kind=it.kind,
        audience=it.audience,
        role=it.role,
        participant_id=it.participant,
        name=it.name,
        text=it.text,
        data=it.data,
        device=it.device,
        n=it.n,
        keep=it.keep,
        masked=it.masked,
    )


def event_of_entry(entry: Entry, epoch: int) -> bytes:
    """The event of an entry that comes back from SQL; its epoch is the chat's current one."""
    head, body = entry_parts(
        entry_id=entry.entry_id,
        audience=entry.audience,
        ticket=entry.ticket,
        kind=entry.kind,
        role=entry.role,
        participant=entry.participant_id,
        optional=_optional(entry),
    )
    return whole_entry(head, body, epoch=epoch, seq=entry.seq, prev=entry.prev, at=entry.at)


def frame_of_entry(entry: Entry, epoch: int) -> dict[str, Any]:
    """The same as plain values, for HTTP."""
    fields = {
        "op": "entry",
        "epoch": epoch,
        "seq": entry.seq,
        "prev": entry.prev,
        "at": entry.at,
        "entry_id": entry.entry_id,
        "audience": entry.audience,
        "ticket": entry.ticket,
        "kind": entry.kind,
        "role": entry.role,
        "participant": entry.participant_id,
    }
    return fields | {name: value for name, value in _optional(entry).items() if value}


def _optional(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "text": entry.text,
        "data": entry.data,
        "device": entry.device,
        "n": entry.n,
        "keep": entry.keep,
        "masked": entry.masked,
        "erased_at": entry.erased_at,
    }


def opening_of(info: ChatInfo) -> Opening:
    """What the chats row needs, from the meta hash."""
    fields = msgspec.structs.asdict(info)
    fields.pop("department_name")
    return Opening(**fields)


def recorded(participant: Participant, joined_at: int) -> RecordedParticipant:
    """A participant for the record."""
    return RecordedParticipant(
        participant_id=participant.id,
        role=participant.role,
        person_id=participant.person_id,
        name=participant.name,
        rights=participant.rights,
        joined_at=joined_at,
    )


def live(participant: RecordedParticipant) -> Participant:
    """A participant from the record."""
    return Participant(
        id=participant.participant_id,
        person_id=participant.person_id or "",
        role=participant.role,
        rights=participant.rights,
        name=participant.name,
    )
