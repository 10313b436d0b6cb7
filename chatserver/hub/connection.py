"""One live WebSocket, as the hub sees it: who is there, and an outbox that never waits."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any, Protocol

from chatserver.model.person import Person
from chatserver.wire import close_codes
from chatserver.wire.codec import Codec

MAX_BACKLOG_BYTES = 256 * 1024
MAX_BACKLOG_FRAMES = 256

_numbers = itertools.count(1)


class Transport(Protocol):
    """What carries frames: picows or plain ASGI. No method waits or raises."""

    def send(self, data: bytes, *, binary: bool) -> None:
        """Hands a frame over for sending, in order."""

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is there, then a close frame."""

    def abort(self) -> None:
        """Ends at once."""

    def backlog(self) -> tuple[int, int]:
        """Frames and bytes that the peer has not taken."""


class Connection:
    """A connection that has said hello.

    `origin` names it in pub/sub, so that it does not get its own entries; unique over all processes of an
    installation for as long as a frame may be on its way.
    """

    def __init__(
        self, transport: Transport, codec: Codec, person: Person, device: str, *, on_ready: Callable[[Connection], None]
    ) -> None:
        self.transport, self.codec, self.person, self.device = transport, codec, person, device
        self.number = next(_numbers)
        self.origin = os.getpid().to_bytes(4, "big") + (self.number & 0xFFFFFFFF).to_bytes(4, "big")
        self.open = True
        self.welcomed = False
        self.leaving = False  # takes no more commands
        self.chats: set[int] = set()  # attached to
        self.topics: set[str] = set()  # watched
        self.slot = 0  # of the hub's timer wheel
        self.heard_at = 0.0  # loop time of the last frame
        self._unanswered = 1  # the hello
        self._leave_with = close_codes.DRAIN, ""
        self._on_ready = on_ready
        self._out: list[bytes] = []

    @property
    def id(self) -> str:
        """A name for logs and the welcome."""
        return self.origin.hex()

    def offer(self, frame: bytes) -> None:
        """Puts an encoded value into the outbox; what one loop turn has for a socket goes out in one frame."""
        if not self.open:
            return
        if not self._out:
            self._on_ready(self)
        self._out.append(frame)

    def offer_frame(self, frame: Any) -> None:
        """Encodes and offers."""
        if self.open:
            self.offer(self.codec.encode(frame))

    def flush(self) -> None:
        """Sends the outbox; a peer that has stopped reading is cut off, which loses nothing: it resumes from its
        position.
        """
        out, self._out = self._out, []
        if not out or not self.open:
            return
        frames, size = self.transport.backlog()
        if frames >= MAX_BACKLOG_FRAMES or size >= MAX_BACKLOG_BYTES:
            self.open = False
            self.transport.close(close_codes.SLOW, "too slow")
            self.transport.abort()
            return
        self.transport.send(out[0] if len(out) == 1 else self.codec.join(out), binary=self.codec.binary)

    def began(self) -> None:
        """A command is on its way."""
        self._unanswered += 1

    def answered(self) -> None:
        """It is not any more."""
        self._unanswered -= 1
        if self.leaving and not self._unanswered:
            self.close(*self._leave_with)

    def leave(self, code: int, reason: str) -> None:
        """Takes no more commands, and closes when those on their way are answered."""
        if not self.leaving:
            self.leaving, self._leave_with = True, (code, reason)
            if not self._unanswered:
                self.close(code, reason)

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is left, then closes."""
        if self.open:
            self.leaving = True
            self.flush()
            self.open = False
            self.transport.close(code, reason)
