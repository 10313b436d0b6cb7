"""What a client tells who watches it: one small record for each thing that happened, in its order.

A history for a checker is a list of these. The words are those of docs/protocol.md; `kind` is an entry's kind
(`open_chat` is told as the `message` that it brings).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connected:
    """A welcome came: over which connection, from which address, as which device."""

    connection: str
    url: str
    device: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A connection ended, or never came to be; `code` is its close code (1006: without one)."""

    code: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """The client has given up: a close code that says stop, or an HTTP status that refused the pass."""

    code: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A command went out, for the first time under this `n`. An `open_chat` has ticket 0 until its ack came."""

    ticket: int
    n: int
    kind: str
    text: str | None
    chat_key: str | None = None


@dataclass(frozen=True, slots=True)
class Acked:
    """The command is in the log. `dup`: it had been accepted before, or its entry was found after a lost ack."""

    ticket: int
    n: int
    seq: int
    epoch: int
    entry_id: str
    dup: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The command was dropped with this error code and has not happened; its `n` goes to the next one."""

    ticket: int
    n: int
    code: str
    kind: str
    text: str | None
    chat_key: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The next entry of a chat's log, as this client has it: our own ones, too, in the one order of the chat."""

    ticket: int
    epoch: int
    seq: int
    prev: int
    entry_id: str
    kind: str
    text: str | None
    participant: str
    device: str | None
    n: int | None


@dataclass(frozen=True, slots=True)
class Durable:
    """All entries up to `seq` are in the database."""

    ticket: int
    epoch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Reset:
    """The history was rebuilt: what was seen of this chat is forgotten, and what follows is seen from the start."""

    ticket: int
    epoch: int
    top: int


@dataclass(frozen=True, slots=True)
class Opened:
    """An `open_chat` has its ticket."""

    chat_key: str
    ticket: int


@dataclass(frozen=True, slots=True)
class Missing:
    """A chat is not there, or not ours."""

    ticket: int


@dataclass(frozen=True, slots=True)
class Byed:
    """The server is about to go: this client goes on for `after_ms` and then connects again."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """For tests: a frame went out twice on purpose, or (`old`) one that was acknowledged before."""

    old: bool


Observation = (
    Connected | Lost | Stopped | Sent | Acked | Refused | Seen | Durable | Reset | Opened | Missing | Byed | Repeated
)
Observer = Callable[[Observation], None]
