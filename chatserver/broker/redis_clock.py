"""What Redis' clock shows, without asking it for each entry (docs/adr/0020-an-entrys-time-comes-from-the-hub.md)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

# An answer that took longer says too little. Redis was slow, or we stood still before we read it.
SOON_SECONDS: Final = 0.5

# Seconds by a clock that nobody sets. On Linux one that goes on while the machine sleeps, as Redis' does.
_passed: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)


class RedisClock:
    """The last answer to TIME, and what has passed since.

    It is behind Redis' clock by as long as that answer was on its way, so less than `SOON_SECONDS`; ahead of it only
    when that was set back since.
    """

    __slots__ = ("_began",)

    def __init__(self) -> None:
        self._began = 0.0  # what Redis' clock showed when ours was at 0; 0: not known

    def forget(self) -> None:
        """What comes next may be another Redis."""
        self._began = 0.0

    def asking(self) -> Callable[[Any], None]:
        """TIME is sent now; what is returned takes the reply."""
        return partial(self._heard, _passed())

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC; 0: not known."""
        return int((self._began + _passed()) * 1000) if self._began else 0

    def _heard(self, asked: float, reply: Any) -> None:
        now = _passed()
        if isinstance(reply, list) and now - asked < SOON_SECONDS:
            seconds, micros = reply
            self._began = int(seconds) + int(micros) / 1_000_000 - now
