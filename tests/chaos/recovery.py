"""How long it took until all was well again after each fault, and how the traffic went; from the histories."""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos import history as h
from tests.chaos.schedule import Struck

LATEST = 120.0


@dataclass
class Traffic:
    """What the history says of times. Feed it with all records."""

    acks: list[float] = field(default_factory=list)
    durables: list[tuple[float, float]] = field(default_factory=list)  # when acked, when known to be durable
    absences: list[tuple[float, float]] = field(default_factory=list)  # lost at, back at
    per_second: Counter[int] = field(default_factory=Counter)
    begin: float = 0.0
    _waiting: dict[tuple[int, int], list[h.Acked]] = field(default_factory=lambda: defaultdict(list))
    _gone: dict[int, float] = field(default_factory=dict)

    def feed(self, record: h.AnyRecord) -> None:
        """One record."""
        self.begin = min(self.begin or record.at, record.at)
        match record:
            case h.Acked():
                self.acks.append(record.at)
                self.per_second[int(record.at)] += 1
                self._waiting[record.who, record.ticket].append(record)
            case h.Durable():
                self._durable(record)
            case h.Lost():
                self._gone.setdefault(record.who, record.at)
            case h.Connected():
                if record.who in self._gone:
                    self.absences.append((self._gone.pop(record.who), record.at))
            case _:
                pass

    def _durable(self, record: h.Durable) -> None:
        waiting = self._waiting[record.who, record.ticket]
        left = []
        for ack in waiting:
            if ack.epoch == record.epoch and ack.seq <= record.seq:
                self.durables.append((ack.at, record.at))
            elif ack.epoch == record.epoch:
                left.append(ack)
        waiting[:] = left

    def done(self) -> Traffic:
        """Everything was fed."""
        self.acks.sort()
        self.durables.sort()
        self.absences.sort()
        return self

    def until_durable(self) -> list[float]:
        """From ack to durable, each."""
        return [durable - acked for acked, durable in self.durables]

    def recovery(self, fault: Struck) -> float:
        """Seconds until commands were acked, acked ones durable, and everybody back whom the fault cost the
        connection.
        """
        since = fault.measured_from
        place = bisect.bisect_left(self.acks, since)
        acked = self.acks[place] if place < len(self.acks) else since + LATEST
        durable = self._first_durable(since)
        back = max((back for lost, back in self._lost_in(fault)), default=since)
        return max(acked, durable, back) - since

    def _first_durable(self, since: float) -> float:
        best = since + LATEST
        for place in range(bisect.bisect_left(self.durables, (since, 0.0)), len(self.durables)):
            acked, durable = self.durables[place]
            if acked > best:
                break
            best = min(best, durable)
        return best

    def _lost_in(self, fault: Struck) -> Iterable[tuple[float, float]]:
        first = bisect.bisect_left(self.absences, (fault.begin, 0.0))
        last = bisect.bisect_left(self.absences, (fault.end + 0.2, 0.0))
        return self.absences[first:last]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which this share of them is; 0 of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
