"""What a live log has that SQL does not, when the two contradict each other, and how it goes on behind what SQL has.

Redis may lose its newest entries (killed without a strict AOF, a failover) after they became durable, and then take
new ones under the same numbers. The durable ones keep theirs; the others follow, in their order, under new numbers of
a new epoch. A command that SQL has already is left out: its sender, who had no answer any more, has sent it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from chatserver.broker.event import event_parts, whole_entry
from chatserver.broker.log import body_hash
from chatserver.model.chat import LiveChat
from chatserver.stores.history import entry_of_event
from transcripts.entry import Entry
from transcripts.store import Rebased

WINDOW_BYTES = 4 + 16 * 8

Meta = dict[str, Any]


class Survivors:
    """Entries appended again behind the record, and the meta hash that results."""

    def __init__(self, rebased: Rebased, meta: Meta, epoch: int) -> None:
        self.meta = meta
        self.events: list[tuple[int, bytes]] = []
        self._epoch = epoch
        self._known = {key: commands[0][0] for key, commands in rebased.windows.items() if commands}

    def add(self, events: Iterable[bytes], recorded_ids: set[str]) -> None:
        """Appends what the record lacks."""
        for event in events:
            entry = entry_of_event(event)
            if entry.entry_id not in recorded_ids and not self._is_retry(entry):
                self._append(event, entry)

    def keep_people(self, live: LiveChat) -> None:
        """Participants and read markers that only the live log knew."""
        for participant in live.participants:
            self.meta.setdefault(f"p:{participant.person_id}", participant.line())
        for participant_id, seq in live.reads.items():
            name = f"r:{participant_id}"
            self.meta[name] = min(max(int(self.meta.get(name, 0)), seq), int(self.meta["seq"]))

    def _is_retry(self, entry: Entry) -> bool:
        if entry.n is None or entry.device is None:
            return False
        return entry.n <= self._known.get((entry.participant_id, entry.device), 0)

    def _append(self, event: bytes, entry: Entry) -> None:
        meta = self.meta
        seq, prev, at = int(meta["seq"]) + 1, int(meta["pub"]), max(int(meta["at"]), entry.at)
        head, body = event_parts(event)
        self.events.append((seq, whole_entry(head, body, epoch=self._epoch, seq=seq, prev=prev, at=at)))
        meta |= {"seq": seq, "at": at, "dirty": 1}
        if entry.audience == "all":
            meta["pub"] = seq
        self._remember(entry, seq)
        self._project(entry, at)

    def _remember(self, entry: Entry, seq: int) -> None:
        """The device's window, as `_log.lua` packs it."""
        if entry.n is None or entry.device is None:
            return
        name = f"w:{entry.participant_id}:{entry.device}"
        window: bytes = self.meta.get(name, b"")
        follows = window and int.from_bytes(window[:4], "big") == entry.n - 1
        command = seq.to_bytes(4, "big") + body_hash(entry.kind, entry.text, (entry.data or {}).get("rating"))
        self.meta[name] = (entry.n.to_bytes(4, "big") + command + (window[4:] if follows else b""))[:WINDOW_BYTES]

    def _project(self, entry: Entry, at: int) -> None:
        """What the entry makes of the chat."""
        meta, data = self.meta, entry.data or {}
        if entry.kind == "assigned" and int(data.get("gen", 0)) > int(meta["gen"]):
            meta |= {"state": "active", "owner": data.get("owner", ""), "gen": data["gen"]}
            meta["accepted_at"] = meta.get("accepted_at") or at
        elif entry.kind == "released" and int(data.get("gen", 0)) > int(meta["gen"]):
            meta |= {"state": "queued", "owner": "", "gen": data["gen"]}
        elif entry.kind == "closed":
            meta |= {"state": "closing", "closed_at": at, "close_reason": data.get("reason")}
        elif entry.kind == "rated":
            meta["rating"] = data.get("rating")
