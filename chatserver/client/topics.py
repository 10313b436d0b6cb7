"""Watched topics: a snapshot at a version, and events that each make the next version."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from chatserver.client.chat_state import Frame

if TYPE_CHECKING:
    from chatserver.client.uplink import Uplink


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


class Topics:
    """All that one client watches."""

    def __init__(self, uplink: Uplink) -> None:
        self._uplink = uplink
        self._topics: dict[str, Topic] = {}

    def watch(self, name: str) -> Topic:
        """Wants this one, now and after each reconnect."""
        topic = self._topics.setdefault(name, Topic(name))
        self._ask(name)
        return topic

    def unwatch(self, name: str) -> None:
        """No more of it."""
        if self._topics.pop(name, None) and self._uplink.online:
            self._uplink.ask({"op": "unwatch", "topic": name}, _nothing)

    def welcomed(self) -> None:
        """A new connection watches nothing yet."""
        for name in self._topics:
            self._ask(name)

    def take(self, frame: Frame) -> None:
        """An event, or a snapshot that nobody asked for."""
        topic = self._topics.get(frame["topic"])
        if topic and frame["op"] == "snapshot":
            topic.take_snapshot(frame)
        elif topic and not topic.take_event(frame):
            self._ask(topic.name)

    def _ask(self, name: str) -> None:
        if name in self._topics and self._uplink.online:
            self._uplink.ask({"op": "watch", "topic": name}, partial(self._answered, name))

    def _answered(self, name: str, answer: Frame) -> None:
        if answer["op"] == "snapshot":
            self.take(answer)
        elif answer["code"] in ("unavailable", "rate_limited"):
            wait = answer.get("retry_after_ms", 1_000) / 1_000
            asyncio.get_running_loop().call_later(wait, self._ask, name)


def _nothing(answer: Frame) -> None:
    """Nothing depends on it."""
