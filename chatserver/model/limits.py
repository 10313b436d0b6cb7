"""How much one connection may do. The defaults are those of docs/protocol.md; every one is a setting."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """`burst` commands at once, then `per_second`."""

    burst: float
    per_second: float


CUSTOMER_RATE = Rate(10, 1)
AGENT_RATE = Rate(20, 10)
ADDRESS_CONNECTIONS = 1_000  # WebSockets of one client address: a large office behind one
ADDRESS_RATE = Rate(1_000, 50)  # new ones: all of it may come back at once


class Meter:
    """A generic cell rate limiter (GCRA, ITU-T I.371): one number is its whole state."""

    __slots__ = ("_burst_seconds", "_free_at", "_step", "refused")

    def __init__(self, rate: Rate) -> None:
        self._step = 1 / rate.per_second
        self._burst_seconds = (rate.burst - 1) * self._step
        self._free_at = 0.0
        self.refused = 0  # in a row

    def rested(self, now: float) -> bool:
        """Whether it is as good as new."""
        return self._free_at <= now

    def take(self, now: float) -> int:
        """Takes one; 0, or the ms to wait for the next. `now` is monotonic time in seconds."""
        free_at = max(self._free_at, now)
        early = free_at - now - self._burst_seconds
        if early > 1e-9:
            self.refused += 1
            return int(early * 1000) + 1
        self._free_at = free_at + self._step
        self.refused = 0
        return 0
