"""An entry on its way into the log, and the SEND command that takes it there.

A command is put together in the form of Redis' protocol, each part with its length in front, so that any bytes may be
in it. What does not change from one message of somebody in a chat to the next, a `Voice` makes once: three quarters of
the command, and half of the entry.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chatserver.broker.event import head_for, parts_of
from chatserver.broker.keys import chat_key, tag_of, ticket_work_list
from chatserver.broker.scripts import script
from chatserver.broker.wire import bulks
from chatserver.model.chat import OPEN_STATES
from chatserver.model.person import Participant

_PARTS: Final = 23  # number of keys, 4 keys, 18 arguments
_SAID_RIGHT: Final = "post"

_encode = msgspec.msgpack.Encoder().encode


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An entry that has no number yet."""

    ticket: int
    kind: str
    role: str
    entry_id: str
    person_id: str
    participant: str
    device: str
    n: int
    name: str | None = None
    text: str | None = None
    data: Mapping[str, Any] | None = None
    audience: str = "all"
    keep: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    right: str = "post"
    states: str = "queued active waiting"
    gen: int | None = None
    me: Participant | None = None  # as they were when somebody looked last; Redis compares, and looks itself
    sets: tuple[tuple[str, str], ...] = ()

    def parts(self) -> tuple[bytes, bytes]:
        """Head and body of its event."""
        return parts_of(
            _Body(
                self.entry_id,
                self.audience,
                self.ticket,
                self.kind,
                self.role,
                self.participant,
                self.name,
                self.text,
                self.data or None,
                self.device if self.n else None,
                self.n,
                self.keep,
                self.masked,
            )
        )

    def send(self, origin: bytes, replid: bytes, at: int) -> tuple[int, bytes]:
        """How many parts follow a script's name for `send.lua`, and those parts, packed; `at` is what Redis' clock
        shows, as far as we know.
        """
        head, body = self.parts()
        rating = self.data.get("rating") if self.data else None
        packed = _beginning(
            self.ticket,
            replid,
            self.person_id,
            self.participant,
            self.device,
            me=self.me,
            right=self.right,
            states=self.states,
            audience=self.audience,
            origin=origin,
            fence=self._fence(),
            head=head,
        )
        packed += bulks((self.n, body_hash(self.kind, self.text, rating), at, body))
        if self.sets:
            packed += bulks(tuple(part for pair in self.sets for part in pair))
        return _PARTS + 2 * len(self.sets), packed

    def _fence(self) -> bytes:
        """`gen` as the script takes it: a note is nobody's as owner, so it needs none."""
        return b"-" if self.right == "note" else _fence(self.gen)


class _Body(msgspec.Struct, omit_defaults=True, gc=False):
    """An entry's own fields, in their order on the wire."""

    entry_id: str
    audience: str
    ticket: int
    kind: str
    role: str
    participant: str
    name: str | None = None
    text: str | None = None
    data: Mapping[str, Any] | None = None
    device: str | None = None
    n: int = 0
    keep: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()


def body_hash(kind: str, text: str | None, rating: object = None) -> bytes:
    """Four bytes by which a retry is told from another command with the same `n`; taken after masking, so SQL can
    repeat it.
    """
    return zlib.crc32(f"{kind}\0{text or ''}\0{rating or ''}".encode()).to_bytes(4, "big")


def _fence(gen: int | None) -> bytes:
    return b"" if gen is None else b"%d" % gen


def _beginning(
    ticket: int,
    replid: bytes,
    person_id: str,
    participant: str,
    device: str,
    *,
    me: Participant | None,
    right: str,
    states: str,
    audience: str,
    origin: bytes,
    fence: bytes,
    head: bytes,
) -> bytes:
    """The keys, and the arguments 1 to 14."""
    return bulks(
        (
            4,
            chat_key(ticket, b":m"),
            chat_key(ticket, b":x"),
            ticket_work_list(b"dirty", ticket),
            ticket_work_list(b"fin", ticket),
            ticket,
            chat_key(ticket),
            replid,
            f"p:{person_id}",
            participant,
            f"w:{participant}:{device}",
            *_rights_known(me, right),
            right,
            states,
            audience,
            b"E" + origin,
            fence,
            head,
        )
    )


def _rights_known(me: Participant | None, right: str) -> tuple[str, str]:
    """The line in which we have found the right, and whether `own` is in it; empty: the script has to look itself."""
    rights = me.rights.split() if me else []
    return (me.line(), "own" if "own" in rights else "") if me and right in rights else ("", "")


class Voice:
    """Somebody who says something in a chat, at a device and through a connection.

    `message` is what `Draft.send` makes of the same (a test compares them), at a quarter of its price.
    """

    __slots__ = (
        "_after",
        "_before",
        "_beginning",
        "_fields",
        "_for",
        "_size",
        "device",
        "origin",
        "participant",
        "tag",
        "ticket",
    )

    def __init__(self, ticket: int, participant: Participant, device: str, origin: bytes) -> None:
        self.ticket, self.participant, self.device, self.origin = ticket, participant, device, origin
        self.tag = tag_of(chat_key(ticket))
        fixed = _Body("0" * 36, "all", ticket, "message", participant.role, participant.id, participant.name)
        # Without the map's header and the identifier; behind them come text, device and n.
        self._before = _encode(fixed)[1 + _ID_BYTES :] + _encode("text")
        self._after = _encode("device") + _encode(device) + _encode("n")
        self._fields = 9 if participant.name is None else 10
        self._size = _ID_BYTES + len(self._before) + len(self._after)
        self._for: tuple[bytes, int | None] | None = None
        self._beginning = b""

    def message(self, entry_id: str, n: int, text: str, gen: int | None, replid: bytes, at: int) -> bytes:
        """The whole command for a message of which nothing was masked or asked to be kept."""
        if self._for != (replid, gen):
            self._begin(replid, gen)
        number, time, said, count = b"%d" % n, b"%d" % at, _encode(text), _encode(n)
        return b"%b$%d\r\n%b\r\n$4\r\n%b\r\n$%d\r\n%b\r\n$%d\r\n\xa8entry_id\xd9$%b%b%b%b%b\r\n" % (
            self._beginning,
            len(number),
            number,
            zlib.crc32(b"\0", zlib.crc32(text.encode(), _MESSAGE)).to_bytes(4, "big"),
            len(time),
            time,
            self._size + len(said) + len(count),
            entry_id.encode(),
            self._before,
            said,
            self._after,
            count,
        )

    def draft(self, entry_id: str, n: int, text: str, gen: int | None) -> Draft:
        """The same as a draft, for what may have to follow."""
        me = self.participant
        return Draft(
            ticket=self.ticket,
            kind="message",
            role=me.role,
            entry_id=entry_id,
            person_id=me.person_id,
            participant=me.id,
            device=self.device,
            n=n,
            name=me.name,
            text=text,
            right=_SAID_RIGHT,
            states=OPEN_STATES,
            gen=gen,
            me=me,
        )

    def _begin(self, replid: bytes, gen: int | None) -> None:
        me = self.participant
        self._for = replid, gen
        self._beginning = script("send").by_name(_PARTS) + _beginning(
            self.ticket,
            replid,
            me.person_id,
            me.id,
            self.device,
            me=me,
            right=_SAID_RIGHT,
            states=OPEN_STATES,
            audience="all",
            origin=self.origin,
            fence=_fence(gen),
            head=head_for(self._fields),
        )


_ID_BYTES: Final = len(_encode("entry_id") + _encode("0" * 36))
_MESSAGE: Final = zlib.crc32(b"message\0")
