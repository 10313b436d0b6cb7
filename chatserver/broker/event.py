"""The bytes of an entry, as stored, published, resumed and sent unchanged to every MessagePack client.

    head      de 00 nn  "op" "entry"
    numbers   "epoch" u32  "seq" u32  "prev" u32  "at" u64                 put in by the script
    body      "entry_id" str[36]  "audience" "all" | "staff"  …            encoded once by the hub

All positions up to the audience are fixed, so that nobody has to decode an entry to order, filter or forward it. In
pub/sub a kind and the number of the connection it came from stand in front.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

ENTRY: Final = 0x45  # E
DURABLE: Final = 0x44  # D
TRANSIENT: Final = 0x54  # T: typing, read
VERSIONED: Final = 0x56  # V: an event of a topic
REPLACED: Final = 0x52  # R: the log was rebuilt, read it again
ENVELOPE: Final = 9  # kind and origin
NOBODY: Final = bytes(8)

_OP = b"\xa2op\xa5entry"
_NUMBERS: Final = 4  # epoch, seq, prev, at
_HEAD_END, _BODY_AT, _ID_AT, _ID_END, _AUDIENCE_AT = 12, 54, 65, 101, 110
_STAFF_MARK = 0xA5  # a string of five: "staff"

_encode = msgspec.msgpack.Encoder().encode
decode_event = msgspec.msgpack.Decoder().decode
_u32 = struct.Struct(">I").unpack_from
_u64 = struct.Struct(">Q").unpack_from
_numbers: Callable[[bytes], tuple[int, int, int, int]] = struct.Struct(">7xI5xI6xI4xQ").unpack
_epoch_and_seq: Callable[[bytes, int], tuple[int, int]] = struct.Struct(">I5xI").unpack_from


def entry_parts(
    *, entry_id: str, audience: str, ticket: int, kind: str, role: str, participant: str, optional: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """Head and body of a new entry; `optional` are its further fields, those that are None or empty are left out."""
    fields: dict[str, Any] = {
        "entry_id": entry_id,
        "audience": audience,
        "ticket": ticket,
        "kind": kind,
        "role": role,
        "participant": participant,
        **{name: value for name, value in optional.items() if value is not None and value != () and value != {}},
    }
    return _head(_OP, len(fields) + _NUMBERS + 1), _pairs(fields)


def parts_of(body: msgspec.Struct) -> tuple[bytes, bytes]:
    """Head and body of a new entry from its fields, fewer than 16, of which those at their default are left out."""
    encoded = _encode(body)
    return _HEADS[encoded[0] & 0x0F], encoded[1:]


def whole_entry(head: bytes, body: bytes, *, epoch: int, seq: int, prev: int, at: int) -> bytes:
    """The same bytes as the script makes: for entries that come back from SQL."""
    return b"%b\xa5epoch\xce%b\xa3seq\xce%b\xa4prev\xce%b\xa2at\xcf%b%b" % (
        head,
        epoch.to_bytes(4, "big"),
        seq.to_bytes(4, "big"),
        prev.to_bytes(4, "big"),
        at.to_bytes(8, "big"),
        body,
    )


def event_parts(event: bytes) -> tuple[bytes, bytes]:
    """Head and body of an entry's bytes, without the numbers between them."""
    return event[:_HEAD_END], event[_BODY_AT:]


def transient_event(**fields: Any) -> bytes:
    """An event of a chat that is not stored: typing, read, queue."""
    return _encode({"op": "event", "topic": "chat", **fields})


def durable_event(ticket: int, epoch: int, seq: int) -> bytes:
    """Everything up to `seq` is committed in SQL."""
    return _encode({"op": "durable", "ticket": ticket, "epoch": epoch, "seq": seq})


def numbers_of(numbers: bytes) -> tuple[int, int, int, int]:
    """Epoch, seq, prev and at from the part of an entry that the script makes."""
    return _numbers(numbers)


def event_numbers(event: bytes, offset: int = 0) -> tuple[int, int]:
    """Epoch and number of the entry whose bytes begin at `offset`."""
    return _epoch_and_seq(event, offset + 19)


def event_epoch(event: bytes, offset: int = 0) -> int:
    """The epoch of the entry whose bytes begin at `offset`."""
    number: int = _u32(event, offset + 19)[0]
    return number


def event_seq(event: bytes, offset: int = 0) -> int:
    """The number of the entry whose bytes begin at `offset`."""
    number: int = _u32(event, offset + 28)[0]
    return number


def event_prev(event: bytes) -> int:
    """The entry before it that everybody may see."""
    number: int = _u32(event, 38)[0]
    return number


def event_at(event: bytes) -> int:
    """When it was appended, ms UTC."""
    number: int = _u64(event, 46)[0]
    return number


def event_id(event: bytes, offset: int = 0) -> str:
    """The entry_id of the entry whose bytes begin at `offset`."""
    return event[offset + _ID_AT : offset + _ID_END].decode()


def for_staff_only(event: bytes, offset: int = 0) -> bool:
    """Whether a customer must never get it."""
    return event[offset + _AUDIENCE_AT] == _STAFF_MARK


def head_for(fields: int) -> bytes:
    """The head of an entry whose body has so many fields, fewer than 16."""
    return _HEADS[fields]


def _head(op: bytes, pairs: int) -> bytes:
    return b"\xde%b%b" % (pairs.to_bytes(2, "big"), op)


def _pairs(fields: Mapping[str, Any]) -> bytes:
    encoded = _encode(fields)
    return encoded[1:] if len(fields) < 16 else encoded[3:]


# By how many fields the body has.
_HEADS = [_head(_OP, fields + _NUMBERS + 1) for fields in range(16)]
