"""What a live log has that SQL does not, when the two contradict each other, and how it goes on behind what SQL has.

Redis may lose its newest entries (killed without a strict AOF, a failover) after they became durable, and then take
new ones under the same numbers. The durable ones keep theirs; the others follow, in their order, under new numbers of
a new epoch. Nothing that was acknowledged is left out but a command that SQL has already: same sender, same `n`, same
body. Its sender, who had no answer any more, has sent it again.

A device whose numbers went back with the log may have given an `n` that SQL knows to something new. Such an entry is
kept, too. In the record its command has no `n` (there it would be another's); the rebuilt window has it under the `n`
its sender knows, so that sending it again is recognised.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from chatserver.broker.draft import body_hash
from chatserver.broker.event import event_parts, whole_entry
from chatserver.model.chat import ENDED_STATES, LiveChat
from chatserver.stores.history import entry_of_event, event_of_entry
from transcripts.entry import Entry
from transcripts.store import Rebased

WINDOW = 16
COMMAND_BYTES = 8  # seq and hash of the body

Meta = dict[str, Any]
Command = tuple[str, str, int]  # participant, device, n


class Survivors:
    """Entries appended again behind the record, and the meta hash that results."""

    def __init__(self, rebased: Rebased, meta: Meta, epoch: int) -> None:
        self.meta = meta
        self.events: list[tuple[int, bytes]] = []
        self._epoch = epoch
        self._has_opened = rebased.last_seq > 0
        self._ids: set[str] = set()
        self._commands: dict[Command, Entry] = {}

    def know(self, entries: Iterable[Entry]) -> None:
        """Entries of the record, all from the first one that the live log still has."""
        for entry in entries:
            self._ids.add(entry.entry_id)
            if command := command_of(entry):
                self._commands[command] = entry

    def add(self, events: Iterable[bytes]) -> None:
        """Appends what the record lacks."""
        for event in events:
            entry = entry_of_event(event)
            if entry.entry_id not in self._ids and not self._is_recorded(entry):
                self._append(event, entry)

    def keep_people(self, live: LiveChat) -> None:
        """Participants and read markers that only the live log knew."""
        for participant in live.participants:
            self.meta.setdefault(f"p:{participant.person_id}", participant.line())
        for participant_id, seq in live.reads.items():
            name = f"r:{participant_id}"
            self.meta[name] = min(max(int(self.meta.get(name, 0)), seq), int(self.meta["seq"]))

    def _is_recorded(self, entry: Entry) -> bool:
        """Whether SQL has it under another entry_id."""
        if entry.kind == "opened":
            return self._has_opened  # a chat begins once, whoever lost the beginning and sent it again
        if entry.kind == "assigned" and self._is_owner_by(entry.data or {}):
            return True  # the same hand-over, confirmed again by another process
        recorded = self._recorded_command(entry)
        if recorded is None:
            return False
        return recorded.erased_at is not None or _hash(recorded) == _hash(entry)

    def _is_owner_by(self, data: dict[str, Any]) -> bool:
        return bool(data.get("owner")) and (data["owner"], data.get("gen")) == (self.meta["owner"], self.meta["gen"])

    def _recorded_command(self, entry: Entry) -> Entry | None:
        command = command_of(entry)
        return self._commands.get(command) if command else None

    def _append(self, event: bytes, entry: Entry) -> None:
        meta = self.meta
        seq, prev, at = int(meta["seq"]) + 1, int(meta["pub"]), max(int(meta["at"]), entry.at)
        kept = self._fitting(entry, seq, prev, at)
        if kept is entry:
            head, body = event_parts(event)
            event = whole_entry(head, body, epoch=self._epoch, seq=seq, prev=prev, at=at)
        else:
            event = event_of_entry(kept, self._epoch)
        self.events.append((seq, event))
        meta |= {"seq": seq, "at": at, "dirty": 1}
        if entry.audience == "all":
            meta["pub"] = seq
        self._remember(entry, seq)
        self._project(kept, at)

    def _fitting(self, entry: Entry, seq: int, prev: int, at: int) -> Entry:
        """The entry as it can stand behind the record: an `n` and a `gen` that are taken there are not its own."""
        changes: dict[str, Any] = {}
        if self._recorded_command(entry):
            changes["n"] = None
        gen = (entry.data or {}).get("gen")
        if gen is not None and int(gen) <= int(self.meta["gen"]):
            changes["data"] = {**(entry.data or {}), "gen": int(self.meta["gen"]) + 1}
        return msgspec.structs.replace(entry, seq=seq, prev=prev, at=at, **changes) if changes else entry

    def _remember(self, entry: Entry, seq: int) -> None:
        """The device's window, as `_log.lua` packs it. What the sender knows counts where the record says otherwise."""
        command = command_of(entry)
        if command is None:
            return
        name, n = f"w:{entry.participant_id}:{entry.device}", command[2]
        last, commands = _unpacked(self.meta.get(name, b""))
        packed = seq.to_bytes(4, "big") + _hash(entry)
        if n > last:
            commands = [packed, *(commands if n == last + 1 else [])]
        elif last - n < len(commands):
            commands[last - n] = packed
        self.meta[name] = max(n, last).to_bytes(4, "big") + b"".join(commands[:WINDOW])

    def _project(self, entry: Entry, at: int) -> None:
        """What the entry makes of the chat."""
        meta, data = self.meta, entry.data or {}
        ended = str(meta["state"]) in ENDED_STATES.split()
        if entry.kind == "assigned":
            meta |= {"owner": data.get("owner", ""), "gen": data.get("gen", meta["gen"])}
            meta["accepted_at"] = meta.get("accepted_at") or at
            meta["state"] = meta["state"] if ended else "active"
        elif entry.kind == "released":
            meta |= {"owner": "", "gen": data.get("gen", meta["gen"]), "state": meta["state"] if ended else "queued"}
        elif entry.kind == "closed" and not ended:
            meta |= {"state": "closing", "closed_at": at, "close_reason": data.get("reason")}
        elif entry.kind == "rated":
            meta["rating"] = data.get("rating")


def command_of(entry: Entry) -> Command | None:
    """The retry identity of the command behind an entry, within its chat."""
    if entry.n is None or entry.device is None:
        return None
    return entry.participant_id, entry.device, entry.n


def _hash(entry: Entry) -> bytes:
    return body_hash(entry.kind, entry.text, (entry.data or {}).get("rating"))


def _unpacked(window: bytes) -> tuple[int, list[bytes]]:
    commands = window[4:]
    return int.from_bytes(window[:4], "big"), [
        commands[at : at + COMMAND_BYTES] for at in range(0, len(commands), COMMAND_BYTES)
    ]
