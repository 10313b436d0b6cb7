"""The commands a client may send, as typed structs. Unknown fields are ignored (rolling upgrades), wrong types are
not.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from chatserver.errors import BadFrameError, InvalidCommandError, UnknownCommandError

Number = Annotated[int, Meta(ge=0, lt=2**32)]
# A ticket is a counter and a check digit: it may outgrow 32 bits long after everything else.
Ticket = Annotated[int, Meta(ge=1, lt=2**53)]
N = Annotated[int, Meta(ge=1, lt=2**32)]
Device = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{16,64}\Z")]
ChatKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Short = Annotated[str, Meta(min_length=1, max_length=200)]
Url = Annotated[str, Meta(max_length=2000)]
# The limit of a text is checked by the action, so that it is answered `too_big`; this one bounds the work on a hostile
# frame.
Text = Annotated[str, Meta(max_length=40_000)]
Keep = Annotated[list[Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")]], Meta(max_length=16)]


class Command(msgspec.Struct, frozen=True):
    """What all have in common."""


class Position(msgspec.Struct, frozen=True):
    """A chat and the place in it that a client has reached."""

    ticket: Ticket
    epoch: Number = 0
    seq: Number = 0
    entry_id: Annotated[str, Meta(max_length=64)] = ""


class Hello(Command, frozen=True):
    """First frame of a connection."""

    id: Number
    device: Device
    pass_: Annotated[str, Meta(max_length=200)] | None = msgspec.field(name="pass", default=None)
    resume_token: Annotated[str, Meta(max_length=2000)] | None = None
    chats: Annotated[list[Position], Meta(max_length=128)] = []


class Attach(Command, frozen=True):
    """What the position lacks, and from then on everything."""

    id: Number
    ticket: Ticket
    epoch: Number = 0
    seq: Number = 0
    entry_id: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 200


class Pull(Attach, frozen=True):
    """What the position lacks."""


class Detach(Command, frozen=True):
    """No more of this chat."""

    id: Number
    ticket: Ticket


class ReserveTicket(Command, frozen=True):
    """The number that a chat will have, before it begins."""

    id: Number
    chat_key: ChatKey


class OpenChat(Command, frozen=True):
    """A chat with its first message."""

    id: Number
    chat_key: ChatKey
    text: Text
    claim: Annotated[str, Meta(max_length=1000)] | None = None
    department: Short | None = None
    topic: Short | None = None
    order: Short | None = None
    product: Short | None = None
    name: Short | None = None
    email: Annotated[str, Meta(max_length=254, pattern=r"^[^\x00-\x20\x7f@]+@[^\x00-\x20\x7f@]+\Z")] | None = None
    locale: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,35}\Z")] | None = None
    page_url: Url | None = None
    regarding: Annotated[list[Ticket], Meta(max_length=16)] = []
    keep: Keep = []


class PostMessage(Command, frozen=True):
    """Say something to everybody in the chat."""

    id: Number
    ticket: Ticket
    n: N
    text: Text
    gen: Number | None = None
    keep: Keep = []


class PostNote(Command, frozen=True):
    """Say something to staff only."""

    id: Number
    ticket: Ticket
    n: N
    text: Text
    keep: Keep = []


class TakeChat(Command, frozen=True):
    """Become the owner of a waiting chat."""

    id: Number
    ticket: Ticket
    n: N


class CloseChat(Command, frozen=True):
    """End the chat."""

    id: Number
    ticket: Ticket
    n: N
    gen: Number | None = None


class RateChat(Command, frozen=True):
    """Say how it was."""

    id: Number
    ticket: Ticket
    n: N
    rating: Annotated[int, Meta(ge=1, le=5)]
    text: Text | None = None


class Watch(Command, frozen=True):
    """A topic's state now, and its events from then on."""

    id: Number
    topic: Annotated[str, Meta(max_length=100)]


class Unwatch(Command, frozen=True):
    """No more of this topic."""

    id: Number
    topic: Annotated[str, Meta(max_length=100)]


class Read(Command, frozen=True):
    """Seen up to here."""

    ticket: Ticket
    seq: Number


class Typing(Command, frozen=True):
    """About to say something."""

    ticket: Ticket


class Ping(Command, frozen=True):
    """A sign of life, to be answered."""


class Pong(Command, frozen=True):
    """A sign of life."""


BY_OP: dict[str, type[Command]] = {
    "hello": Hello,
    "attach": Attach,
    "pull": Pull,
    "detach": Detach,
    "reserve_ticket": ReserveTicket,
    "open_chat": OpenChat,
    "post_message": PostMessage,
    "post_note": PostNote,
    "take_chat": TakeChat,
    "close_chat": CloseChat,
    "rate_chat": RateChat,
    "watch": Watch,
    "unwatch": Unwatch,
    "read": Read,
    "typing": Typing,
    "ping": Ping,
    "pong": Pong,
}


def parse(frame: Any) -> Command:
    """The command in a decoded frame. By its own type: converting to a Union would build that anew at each call (3
    µs).

    Raises:
        BadFrameError: it is not a map with an `op`.
        UnknownCommandError: nobody knows this `op`.
        InvalidCommandError: a field is missing, of the wrong type or out of range; the message names it.
    """
    op = frame.get("op") if type(frame) is dict else None
    if type(op) is not str:
        raise BadFrameError("A frame is a map with the text field `op`.")
    kind = BY_OP.get(op)
    if kind is None:
        raise UnknownCommandError(f"There is no command {op[:40]!r}.")
    try:
        return msgspec.convert(frame, kind)
    except msgspec.ValidationError as exc:
        raise InvalidCommandError(f"{op}: {exc}") from exc


class PlainPost(PostMessage, frozen=True, gc=False, tag="post_message", tag_field="op", forbid_unknown_fields=True):
    """As nearly all clients send it."""


class _Read(Read, frozen=True, gc=False, tag="read", tag_field="op", forbid_unknown_fields=True):
    """As nearly all clients send it."""


# What a decoder may make of a frame without a look at it first (0.3 instead of 1.4 µs): with unknown fields forbidden,
# each field has its own limit, so a hostile frame cannot make it allocate.
FREQUENT = PlainPost | _Read
