"""Between an entry's bytes in the log and the record's `Entry`: both ways, losing nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from chatserver.broker.event import entry_parts, whole_entry
from chatserver.model.chat import ChatInfo
from chatserver.model.person import Participant
from transcripts.entry import Entry, Opening
from transcripts.entry import Participant as RecordedParticipant


class _Logged(Entry, frozen=True, kw_only=True, gc=False):
    """An entry as it lies in the stream: the record's own, decoded in one go. `epoch` is a matter of the chat's row."""

    participant_id: str = msgspec.field(name="participant")


_decode = msgspec.msgpack.Decoder(_Logged).decode


def entry_of_event(event: bytes) -> Entry:
    """The record's entry in an event."""
    return _decode(event)


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
