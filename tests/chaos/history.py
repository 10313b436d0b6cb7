"""What clients saw and did, as they logged it: the only thing that the checker knows besides the transcripts.

A history is a list of records in the order in which each client made them. `who` is the client's number, `at` is
CLOCK_MONOTONIC in seconds, which all processes of one machine share. On the disk a history is a stream of MessagePack
arrays, so that a killed process leaves what it had written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgpack
import msgspec


class Record(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Something that one client did, sent or was told."""

    who: int
    at: float


class Joined(Record, frozen=True, array_like=True, tag=True):
    """A client begins: one device of one person."""

    person: str
    role: str  # customer or agent
    device: str


class Connected(Record, frozen=True, array_like=True, tag=True):
    """The server said welcome."""


class Lost(Record, frozen=True, array_like=True, tag=True):
    """The connection is gone."""

    code: int


class Byed(Record, frozen=True, array_like=True, tag=True):
    """The server asked to go elsewhere."""

    after_ms: int


class Sent(Record, frozen=True, array_like=True, tag=True):
    """A command went out, for the first time or again. One that opens a chat has no ticket yet: 0."""

    ticket: int
    n: int
    kind: str  # of the entry that it makes
    text: str  # unique in a run; empty for commands without


class Acked(Record, frozen=True, array_like=True, tag=True):
    """The command (ticket, n) of this device is in the log, the server says."""

    ticket: int
    n: int
    epoch: int
    seq: int
    entry_id: str
    dup: bool


class Refused(Record, frozen=True, array_like=True, tag=True):
    """The command did not happen, the server says."""

    ticket: int
    n: int
    code: str
    kind: str
    text: str


class Seen(Record, frozen=True, array_like=True, tag=True):
    """An entry that the client accepted as the next of a chat."""

    ticket: int
    epoch: int
    seq: int
    prev: int
    entry_id: str
    kind: str
    text: str
    participant: str
    device: str
    n: int


class Durable(Record, frozen=True, array_like=True, tag=True):
    """Everything up to `seq` is in the database, the server says."""

    ticket: int
    epoch: int
    seq: int


class Reset(Record, frozen=True, array_like=True, tag=True):
    """The client forgot what it had of a chat; the log begins anew under this epoch. 0: it left the chat."""

    ticket: int
    epoch: int


class Opened(Record, frozen=True, array_like=True, tag=True):
    """The chat of this key has this ticket."""

    chat_key: str
    ticket: int


class Finished(Record, frozen=True, array_like=True, tag=True):
    """The client came back after the last fault, has nothing undecided, and still reads these chats.

    Without it, the client went away for good.
    """

    tickets: tuple[int, ...]


AnyRecord = Joined | Connected | Lost | Byed | Sent | Acked | Refused | Seen | Durable | Reset | Opened | Finished

_encode = msgspec.msgpack.Encoder().encode


def convert(value: Any) -> AnyRecord:
    """A record from its array."""
    return msgspec.convert(value, AnyRecord)


class Writer:
    """Appends records to a file, in pieces."""

    PIECE = 1 << 16

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._piece = bytearray()
        self.written = 0

    def write(self, record: Record) -> None:
        """Keeps one record."""
        self._piece += _encode(record)
        self.written += 1
        if len(self._piece) > self.PIECE:
            self.flush()

    def flush(self) -> None:
        """Hands to the system what has been kept."""
        self._file.write(self._piece)
        self._file.flush()
        self._piece.clear()

    def close(self) -> None:
        """The end."""
        self.flush()
        self._file.close()


def read_history(paths: Iterable[Path]) -> Iterator[AnyRecord]:
    """All records of these files; a file may end in the middle of one."""
    for path in paths:
        with path.open("rb") as file:
            for value in msgpack.Unpacker(file):
                yield convert(value)
