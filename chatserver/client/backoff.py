"""How long to wait before the next try: full jitter, so that those who were cut off together do not come together."""

from __future__ import annotations

import random

FIRST_SECONDS = 0.5
TOP_SECONDS = 20.0
# A connection that lived this long was a good one: the next wait starts small again.
GOOD_SECONDS = 10.0


class Backoff:
    """Random waits between 0 and min(20 s, 0.5 s · 2^tries)."""

    def __init__(self, random: random.Random) -> None:
        self.tries = 0
        self._random = random

    def next(self) -> float:
        """Seconds to wait; each call counts as a try."""
        top = min(TOP_SECONDS, FIRST_SECONDS * 2 ** min(self.tries, 16))
        self.tries += 1
        return self._random.uniform(0, top)

    def reset(self) -> None:
        """The last connection was good."""
        self.tries = 0
