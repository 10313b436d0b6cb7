"""Where bytes of a chat may lie, and the search for them in raw files."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_PIECE = 4 * 1024 * 1024


@dataclass(frozen=True)
class Look:
    """What was read of a place, and what was found there.

    `unread` says why the place could not be read; empty when it was.
    """

    place: str
    files: int = 0
    size: int = 0
    found: Sequence[bytes] = ()
    unread: str = ""


class Place(Protocol):
    """A place that keeps copies of what the record holds. All methods are safe to repeat."""

    @property
    def name(self) -> str:
        """What it is called in the certificate."""

    async def settle(self, tickets: Sequence[int]) -> None:
        """Before anything is changed: what this place has of these chats is in the record, too.

        Raises:
            ErasureError: not yet.
        """

    async def erase(self, tickets: Sequence[int]) -> None:
        """After the record was changed: forgets what it has of them.

        Raises:
            ErasureError: not now. The record is changed all the same, and this is done again.
        """

    async def scrub(self) -> None:
        """Makes what was removed unreadable, also to somebody who reads the raw files."""

    async def look(self, samples: Collection[bytes]) -> Look:
        """Looks for these bytes in the raw files."""


def look_into(place: str, files: Iterable[Path], samples: Collection[bytes]) -> Look:
    """Reads the files and looks for the samples. A file that has gone meanwhile counts as read."""
    count, size, found, missing = 0, 0, set(), set(samples)
    overlap = max(map(len, samples), default=1) - 1
    for path in files:
        try:
            with path.open("rb") as file:
                count, tail = count + 1, b""
                while piece := file.read(_PIECE):
                    size += len(piece)
                    window = tail + piece
                    here = {sample for sample in missing if sample in window}
                    found |= here
                    missing -= here
                    tail = window[-overlap:] if overlap else b""
        except FileNotFoundError:
            continue
        except OSError as exc:
            return Look(place, count, size, tuple(found), unread=f"{path.name}: {exc.strerror}")
    return Look(place, count, size, tuple(found))
