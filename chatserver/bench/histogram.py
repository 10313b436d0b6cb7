"""Times by how often they came, in buckets of about 1.5 %: a run of any length takes the same memory."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp, log

BUCKETS_PER_E = 64  # a bucket is wider than the one before by e^(1/64), 1.6 %
UNIT_SECONDS = 1e-6


class Histogram:
    """Counts times in seconds. What it names is the middle of a bucket: within 0.8 % of the true one."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.largest = 0.0

    def add(self, seconds: float) -> None:
        """Counts one."""
        bucket = int(log(seconds / UNIT_SECONDS) * BUCKETS_PER_E) if seconds > UNIT_SECONDS else 0
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        if seconds > self.largest:
            self.largest = seconds

    def percentile(self, share: float) -> float | None:
        """The time in seconds that this share (0 … 1) did not exceed; None when there were none."""
        wanted = share * self.count
        seen = 0
        for seconds, count in self:
            seen += count
            if seen >= wanted:
                return min(seconds, self.largest)
        return None

    def __iter__(self) -> Iterator[tuple[float, int]]:
        """(seconds, how many), from the shortest time to the longest."""
        for bucket in sorted(self._buckets):
            yield exp((bucket + 0.5) / BUCKETS_PER_E) * UNIT_SECONDS, self._buckets[bucket]
