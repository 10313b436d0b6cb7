"""What the hub of a process counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """Plain numbers, for some go up with each entry; what they mean is in `chatserver.figures`."""

    delivered: int = 0
    shed: int = 0
    slow: int = 0
    refills: int = 0
    missed: int = 0
    rewound: int = 0
    probes_failed: int = 0
