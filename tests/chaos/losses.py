"""When Redis may have lost something, and how old what it lost may be.

DESIGN's guarantee (c) allows what was acked and not yet durable to be lost, if its sender never returns: at most what
was sent in the last second while the worker and SQL could work, plus two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALLOWED_SECONDS = 3.0
RECONCILE_SECONDS = 60.0
EXCUSE_SECONDS = 30.0  # what was longer ago has nothing to do with a loss, and is judged as if there had been none


@dataclass(frozen=True)
class Window:
    """A span of time, in seconds of CLOCK_MONOTONIC."""

    begin: float
    end: float
    kind: str = ""


class Losses:
    """The faults after which Redis may have lost its newest entries, and those that kept the worker from writing."""

    def __init__(self, losses: Sequence[Window] = (), hindrances: Sequence[Window] = ()) -> None:
        self.losses = sorted(losses, key=lambda window: window.begin)
        self.hindrances = _merged(hindrances)

    def excuses(self, at: float) -> bool:
        """Whether what happened at this time may have fallen victim to a loss soon after."""
        return any(window.end >= at and self._undisturbed(at, window.begin) <= EXCUSE_SECONDS for window in self.losses)

    def moves(self, at: float) -> bool:
        """Whether the chat may still have been out of step with SQL by a loss before: what is not durable then may get
        another number when the two are reconciled.
        """
        return any(window.begin <= at <= window.end + RECONCILE_SECONDS for window in self.losses)

    def age(self, at: float) -> float:
        """How many seconds the worker had, undisturbed, to write what happened at `at` before each later loss: the
        least of them, 0 when it fell into a loss.
        """
        ages = [self._undisturbed(at, window.begin) for window in self.losses if window.end >= at]
        return min(ages, default=0.0)

    def _undisturbed(self, begin: float, end: float) -> float:
        if end <= begin:
            return 0.0
        disturbed = sum(max(0.0, min(end, one.end) - max(begin, one.begin)) for one in self.hindrances)
        return end - begin - disturbed


def _merged(windows: Sequence[Window]) -> list[Window]:
    merged: list[Window] = []
    for window in sorted(windows, key=lambda one: one.begin):
        if merged and window.begin <= merged[-1].end:
            merged[-1] = Window(merged[-1].begin, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged
