"""One live WebSocket, as the hub sees it: who is there, and an outbox that never waits."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from chatserver.hub.counters import Counters
from chatserver.model.person import Person
from chatserver.wire import close_codes
from chatserver.wire.codec import Codec

if TYPE_CHECKING:
    from chatserver.hub.feed import Reader

MAX_BACKLOG_BYTES = 256 * 1024
MAX_BACKLOG_FRAMES = 256

log = structlog.get_logger()

_numbers = itertools.count(1)
_process = b""  # random: process numbers are the same in every container


def _name_process() -> None:
    global _process
    _process = secrets.token_bytes(5)


_name_process()
os.register_at_fork(after_in_child=_name_process)


class Transport(Protocol):
    """What carries frames: picows or plain ASGI. No method waits or raises."""

    def send(self, data: bytes, *, binary: bool) -> None:
        """Hands a frame over for sending, in order."""

    def close(self, code: int, reason: str = "") -> None:
        """Sends what is there, then a close frame."""

    def cut(self, code: int, reason: str = "") -> None:
        """Drops what is there and sends a close frame; ends without it if the peer does not take it soon."""

    @property
    def slow(self) -> bool:
        """Whether the peer is behind: frames wait."""

    def backlog(self) -> tuple[int, int]:
        """Frames and bytes that the peer has not taken."""


class Connection:
    """A connection that has said hello.

    `origin` names it in pub/sub, so that it does not get its own entries; unique over all processes of an
    installation for as long as a frame may be on its way.
    """

    def __init__(
        self,
        transport: Transport,
        codec: Codec,
        person: Person,
        device: str,
        *,
        on_ready: Callable[[Connection], None],
        counters: Counters,
    ) -> None:
        self.transport, self.codec, self.person, self.device = transport, codec, person, device
        self.origin = _process + (next(_numbers) & 0xFFFFFF).to_bytes(3, "big")
        self.open = True
        self.welcomed = False
        self.announced = False  # every process knows of it
        self.leaving = False  # takes no more commands
        self.chats: dict[int, Reader] = {}  # attached to
        self.topics: set[str] = set()  # watched
        self.slot = 0  # of the hub's timer wheel
        self.heard_at = 0.0  # monotonic time of the last frame, a sign of life whatever it is
        self.pinged_at = 0.0  # by the same clock
        self._unanswered = 1  # the hello
        self._leave_with = close_codes.DRAIN, ""
        self._on_ready, self.counters = on_ready, counters
        self._out: list[bytes] = []
        self._head = 0  # bytes of the frame after which the peer was slow

    @property
    def id(self) -> str:
        """A name for logs and the welcome: the number of the process, and what no other connection has."""
        return f"{os.getpid()}-{self.origin.hex()}"

    def offer(self, frame: bytes, *, passing: bool = False) -> None:
        """Puts an encoded value into the outbox; what one loop turn has for a socket goes out in one frame.

        What is `passing` (who types, how far somebody has read, a place in the queue) does not go to a peer that is
        behind: it is the first to be spared, and no history has it.
        """
        if not self.open:
            return
        if passing and self._load() > 0.5:
            self.counters.shed += 1
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
        data = out[0] if len(out) == 1 else self.codec.join(out)
        if not self.transport.slow:
            self._head = len(data)
        elif self._load() >= 1:
            self.too_slow()
            return
        self.transport.send(data, binary=self.codec.binary)

    def too_slow(self) -> None:
        """The peer does not take what it is sent."""
        if self.open:
            frames, size = self.transport.backlog()
            log.warning("connection.slow", connection=self.id, frames=frames, bytes=size)
            self.counters.slow += 1
            self.cut(close_codes.SLOW, "too slow")

    def cut(self, code: int, reason: str) -> None:
        """Closes without waiting for what the peer has not taken."""
        if self.open:
            self.open, self.leaving = False, True
            self._out.clear()
            self.transport.cut(code, reason)

    def _load(self) -> float:
        """How full the outbox is; 1 is too full. The first frame does not count, however large: the pages that a peer
        has asked for would never come through a slow line.
        """
        frames, size = self.transport.backlog()
        return max(frames / MAX_BACKLOG_FRAMES, (size - self._head) / MAX_BACKLOG_BYTES)

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
