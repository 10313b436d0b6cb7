"""The figures that an operator may ask for (docs/operating.md), and what a process says of itself with them.

Where something is counted there are plain numbers, some of which go up with each message; what they are called, and
everything that costs more than an addition, happens when they are asked for.

Invariant: nothing that people wrote, are called or own is ever a label.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import msgspec

# Upper ends, in seconds: from what a message takes on a quiet machine to what nobody waits for.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

STARTED_AT = "chat_process_start_time_seconds"


class Kind(Enum):
    """How a figure behaves."""

    COUNTER = "counter"  # only grows while its process lives
    GAUGE = "gauge"
    TIMES = "histogram"  # by BOUNDS


class Times:
    """How long something took, each time. Plain numbers: 0.2 µs a time."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)  # up to each bound, and above the last
        self.seconds = 0.0

    def take(self, seconds: float) -> None:
        """Once more."""
        self.seconds += seconds
        self.counts[bisect_left(BOUNDS, seconds)] += 1

    @property
    def distribution(self) -> Distribution:
        """What it is now."""
        return Distribution(self.seconds, list(self.counts))


class Distribution(msgspec.Struct, array_like=True, frozen=True):
    """The value of a figure of times."""

    seconds: float
    counts: list[int]


class Sample(msgspec.Struct, array_like=True, frozen=True):
    """One value."""

    figure: str
    labels: list[str]
    value: int | float | Distribution


class Report(msgspec.Struct, array_like=True, frozen=True):
    """What one process says of itself."""

    node: str
    process: str
    role: str
    samples: list[Sample]


@dataclass(frozen=True)
class Figure:
    """Something that is counted or measured in a process."""

    name: str
    kind: Kind
    what: str
    labels: tuple[str, ...] = ()

    def __call__(self, value: float | Distribution, *labels: str) -> Sample:
        return Sample(self.name, list(labels), value)


FIGURES: dict[str, Figure] = {}


def _figure(kind: Kind, name: str, what: str, *labels: str) -> Figure:
    return FIGURES.setdefault(name, Figure(name, kind, what, labels))


# Web processes
COMMANDS = _figure(Kind.COUNTER, "chat_commands_total", "Commands answered, by error code or ack", "op", "outcome")
COMMAND_SECONDS = _figure(Kind.TIMES, "chat_command_seconds", "From a command that is acknowledged to its answer", "op")
DELIVERED = _figure(Kind.COUNTER, "chat_entries_delivered_total", "Entries handed to others than their sender")
CONNECTIONS = _figure(Kind.GAUGE, "chat_connections", "Connections that have said hello", "who")
CHATS_ATTACHED = _figure(Kind.GAUGE, "chat_chats_attached", "Chats that somebody here is attached to")
SLOW_CONNECTIONS = _figure(Kind.GAUGE, "chat_slow_connections", "Connections that are behind, frames wait for them")
BACKLOG_FRAMES = _figure(Kind.GAUGE, "chat_backlog_frames", "Frames that wait for slow connections")
BACKLOG_BYTES = _figure(Kind.GAUGE, "chat_backlog_bytes", "Bytes that wait for slow connections")
SLOW_CUT = _figure(Kind.COUNTER, "chat_slow_connections_cut_total", "Connections closed because they were too slow")
SHED = _figure(Kind.COUNTER, "chat_events_shed_total", "Passing events that slow connections were spared")
REFILLS = _figure(Kind.COUNTER, "chat_refills_total", "Chats read from the log because something may have been missed")
MISSED = _figure(Kind.COUNTER, "chat_missed_total", "Chats and topics of which the check found something not delivered")
REWOUND = _figure(Kind.COUNTER, "chat_entries_rewound_total", "Entries that readers had and Redis has lost")
PROBES_FAILED = _figure(Kind.COUNTER, "chat_probes_failed_total", "Times that nothing was delivered on a connection")
TICKETS_LEFT = _figure(Kind.GAUGE, "chat_ticket_numbers_left", "Numbers for new chats in stock")

# The worker
PERSISTED = _figure(Kind.COUNTER, "chat_entries_persisted_total", "Entries written to SQL")
BEHIND_CHATS = _figure(Kind.GAUGE, "chat_undurable_chats", "Chats with something that SQL does not have")
BEHIND_SECONDS = _figure(Kind.GAUGE, "chat_undurable_seconds", "How long the oldest of it waits")
PERSISTER_BUSY = _figure(Kind.GAUGE, "chat_persister_busy_ratio", "For what part of the time the persister works")
FINALISED = _figure(Kind.COUNTER, "chat_chats_finalised_total", "Ended chats that were sealed and indexed")
UNINDEXED = _figure(Kind.GAUGE, "chat_unindexed_chats", "Chats with something not in the search yet, to 10000")
PARTITIONS_HELD = _figure(Kind.GAUGE, "chat_partitions_held", "Partitions that this worker has, of 64")

# Every process
REDIS_WAITING = _figure(Kind.GAUGE, "chat_redis_commands_waiting", "Commands that Redis has not answered", "server")
BREAKER_OPEN = _figure(Kind.GAUGE, "chat_redis_breaker_open", "1 while commands are refused at once", "server")
LOOP_LAG = _figure(Kind.TIMES, "chat_loop_lag_seconds", "How late the event loop comes to what is due, twice a second")
CPU = _figure(Kind.COUNTER, "chat_process_cpu_seconds_total", "CPU time, user and system")
MEMORY = _figure(Kind.GAUGE, "chat_process_resident_memory_bytes", "Memory")
STARTED = _figure(Kind.GAUGE, STARTED_AT, "When it began, seconds since 1970")

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Process:
    """This process, as one of many: `node` is its machine, `role` web or worker."""

    def __init__(self, role: str) -> None:
        self.node, self.role = socket.gethostname(), role
        # A number alone may be another container's, too.
        self.name = f"{os.getpid()}-{secrets.token_hex(2)}"
        self.lag = Times()
        self._started = time.time()

    def report(self, samples: Iterable[Sample]) -> Report:
        """What it says of itself, with these."""
        return Report(self.node, self.name, self.role, [*samples, *self._samples()])

    def _samples(self) -> Iterator[Sample]:
        yield LOOP_LAG(self.lag.distribution)
        yield CPU(time.process_time())
        yield STARTED(self._started)
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
        except OSError:
            return  # not Linux
        yield MEMORY(pages * _PAGE_BYTES)
