"""Servers that are broken on purpose: copies of the real one with a line changed. The checker has to find each out."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.verdict import Kind

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Change:
    """One place in the code. The old text has to be there, or the test says so."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Broken:
    """A way to break the server, and what the checker then finds: at least one of these."""

    name: str
    found: frozenset[Kind]
    changes: tuple[Change, ...]

    def build(self, folder: Path) -> Path:
        """A copy of the server with the changes; put it first on the path."""
        for package in ("chatserver", "transcripts"):
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        for change in self.changes:
            path = folder / change.file
            text = path.read_text()
            assert change.old in text, f"{change.file} has no {change.old!r} any more: break it elsewhere"
            path.write_text(text.replace(change.old, change.new))
        return folder


SEND = "chatserver/broker/scripts/send.lua"
PAGE = "chatserver/broker/scripts/page.lua"

BROKEN = [
    Broken(
        "a retry is a new command",
        frozenset({Kind.DUPLICATED}),
        (Change(SEND, "if seen then return", "if seen and seen[1] ~= 'dup' then return"),),
    ),
    Broken(
        "published without being appended",
        frozenset({Kind.LOST}),
        (
            Change(SEND, "redis.call('XADD'", "if number % 7 > 0 then redis.call('XADD'"),
            Change(SEND, "'d', event)", "'d', event) end"),
        ),
    ),
    Broken(
        "resume is off by one",
        frozenset({Kind.GAP, Kind.INCOMPLETE}),
        (
            Change(PAGE, "(from + 1) .. '-0'", "(from > 0 and from + 2 or 1) .. '-0'"),
            Change("chatserver/stores/chats.py", "if first == after + 1:", "if events or first == after + 1:"),
        ),
    ),
    Broken(
        "durable before it is in the database",
        frozenset({Kind.LOST, Kind.RENUMBERED}),
        (
            Change(
                "chatserver/worker/persister.py", "            entries=entries,", "            entries=entries[:-1],"
            ),
        ),
    ),
    Broken(
        "customers get notes",
        frozenset({Kind.LEAKED}),
        (Change("chatserver/hub/feed.py", "if not self.staff and for_staff_only", "if False and for_staff_only"),),
    ),
]
