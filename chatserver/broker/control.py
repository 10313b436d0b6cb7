"""What processes tell each other about people, over one channel: `chat:{q}:control`."""

from __future__ import annotations

import msgspec

from chatserver.broker.keys import CONTROL


class SessionEnded(msgspec.Struct, frozen=True, tag=True):
    """Somebody has signed out; `session` is the digest of an agent's sign-in, or the id of a customer's token."""

    session: str


class PersonEnded(msgspec.Struct, frozen=True, tag=True):
    """Nobody is this person any more: all their connections end."""

    person: str


class DeviceMoved(msgspec.Struct, frozen=True, tag=True):
    """A device has opened a connection; `connection` is its id."""

    person: str
    device: str
    connection: str


Message = SessionEnded | PersonEnded | DeviceMoved

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


def publishing(message: Message) -> tuple[bytes, bytes, bytes]:
    """The command that tells all processes."""
    return b"SPUBLISH", CONTROL, _encode(message)


def heard(payload: bytes) -> Message | None:
    """What a process has told; None: one of a newer version, during an upgrade."""
    try:
        message: Message = _decode(payload)
    except msgspec.MsgspecError:
        return None
    return message
