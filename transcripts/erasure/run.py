"""What one run of the eraser has done so far: chats, rows, and what has to be gone from the raw files afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_SAMPLES = 500
"""Looked for in the raw files: each costs a pass over them. Of more, at least half as many are, evenly spread."""


@dataclass
class Run:
    """What an erasure has done so far."""

    customers: tuple[str, ...] = ()
    tickets: dict[int, None] = field(default_factory=dict)  # a set that keeps its order
    rows: dict[str, int] = field(default_factory=dict)
    samples: list[bytes] = field(default_factory=list)
    _seen: int = 0
    _each: int = 1

    def count(self, rows: dict[str, int]) -> None:
        for table, count in rows.items():
            self.rows[table] = self.rows.get(table, 0) + count

    def look_for(self, samples: Iterable[bytes]) -> None:
        """Of all that come, every second, fourth … one, so that those that stay are from everywhere."""
        for sample in samples:
            if self._seen % self._each == 0:
                self.samples.append(sample)
            self._seen += 1
            if len(self.samples) > MOST_SAMPLES:
                self.samples, self._each = self.samples[::2], 2 * self._each
