"""A chat as the stranger has it: its log in the order of the page, and the commands that are not durable."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]


@dataclass
class Command:
    """Something to be done in a chat; it keeps its number until it is durable."""

    op: str
    fields: Frame
    n: int
    acked: bool = False
    seq: int = 0


@dataclass
class Chat:
    """A chat as this client has it."""

    ticket: int
    staff: bool
    epoch: int = 0
    entries: list[Frame] = field(default_factory=list)
    state: Frame = field(default_factory=dict)
    outbox: list[Command] = field(default_factory=list)
    next_n: int = 1
    gen: int = 0
    durable: int = 0
    claim: Frame | None = None
    early: dict[int, Frame] = field(default_factory=dict)  # entries whose predecessor is missing
    pulling: asyncio.Task[None] | None = None

    @property
    def last(self) -> int:
        return int(self.entries[-1]["seq"]) if self.entries else 0

    def position(self) -> Frame:
        if not self.entries:
            return {"ticket": self.ticket}
        last = self.entries[-1]
        return {"ticket": self.ticket, "epoch": self.epoch, "seq": last["seq"], "entry_id": last["entry_id"]}

    def follows(self, entry: Frame) -> bool:
        """The rule of order."""
        return bool(entry["seq"] == self.last + 1 if self.staff else entry["prev"] == self.last)

    def accept(self, entry: Frame) -> None:
        """Takes an entry in its place, now or when its predecessor has come."""
        if entry["seq"] <= self.last:
            return
        self.early[entry["seq"]] = entry
        while found := next((one for one in self.early.values() if self.follows(one)), None):
            del self.early[found["seq"]]
            self.entries.append(found)
        self.early = {seq: one for seq, one in self.early.items() if seq > self.last}
