"""A watched topic: a snapshot at a version, and events that each make the next version."""

from __future__ import annotations

from typing import Any

Frame = dict[str, Any]


class Topic:
    """A waiting list (`department:<id>`) or an agent's chats (`agent:<id>`): `items` by ticket, oldest first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.version: int | None = None  # before the first snapshot
        self.items: dict[int, dict[str, Any]] = {}

    def take_snapshot(self, frame: Frame) -> None:
        """The topic as it is."""
        state = frame["state"]
        listed = state["waiting"] if "waiting" in state else state["chats"]
        self.version, self.items = frame["version"], {item["ticket"]: item for item in listed}

    def take_event(self, frame: Frame) -> bool:
        """What changed; False: events before it are missing, ask for a snapshot."""
        if self.version is None or frame["version"] <= self.version:
            return True  # the snapshot is on its way, or knew of it
        if frame["version"] != self.version + 1:
            return False
        self.version = frame["version"]
        if "item" in frame:
            self.items[frame["item"]["ticket"]] = frame["item"]
        elif "ticket" in frame:
            self.items.pop(frame["ticket"], None)
        return True
