"""One chat as a client has it: pages, entries, `durable` and events go in, the one order of the log comes out.

No I/O and no clock. Invariant: whatever the order in which things arrive and however often, `log` holds every entry
once, in the order of the chat and without a hole; an old state and everything that came since equal a fresh page.
Entries are the maps of docs/protocol.md, as they came.
"""

from __future__ import annotations

from typing import Any

Entry = dict[str, Any]
Frame = dict[str, Any]


class ChatState:
    """A chat from the first page on. `kept` bounds how many entries stay in `log` (all by default)."""

    __slots__ = (
        "durable",
        "early",
        "epoch",
        "hole",
        "info",
        "kept",
        "last",
        "log",
        "more",
        "reads",
        "staff",
        "ticket",
        "top",
    )

    def __init__(self, ticket: int, *, staff: bool, kept: int | None = None) -> None:
        self.ticket, self.staff, self.kept = ticket, staff, kept
        self.epoch = 0
        self.log: list[Entry] = []
        self.last: Entry | None = None
        self.early: dict[tuple[int, int], Entry] = {}  # what came before its predecessor, by (epoch, seq)
        self.durable = (0, 0)  # epoch, seq
        self.reads: dict[str, int] = {}
        self.info: dict[str, Any] = {}  # `state` of a page, kept up to date by the entries
        self.top = 0  # the newest entry that `info` knows of
        self.more = False  # the last page was full
        self.hole = False  # an ack came for a command that nobody here knows: only a pull shows its entry

    @property
    def seq(self) -> int:
        """Number of the last entry in the log."""
        return self.last["seq"] if self.last else 0

    @property
    def position(self) -> dict[str, Any]:
        """What to send with `attach`, `pull` and `hello`; empty while the log is."""
        last = self.last
        return {"epoch": self.epoch, "seq": last["seq"], "entry_id": last["entry_id"]} if last else {}

    @property
    def needs_pull(self) -> bool:
        """Whether something is missing in front of what has come."""
        return bool(self.early) or self.hole

    @property
    def me(self) -> str | None:
        """The reader's own participant id."""
        return self.info.get("me")

    @property
    def gen(self) -> int | None:
        """The count of owners; staff only."""
        return self.info.get("gen")

    @property
    def is_mine(self) -> bool:
        """Whether the reader owns it."""
        owner = self.info.get("owner")
        return owner is not None and owner["participant"] == self.me

    @property
    def phase(self) -> str | None:
        """queued, active, waiting, closing or closed."""
        return self.info.get("state")

    def begins_again(self, page: Frame) -> bool:
        """Whether this page says that the history was rebuilt (the one of `take_chat` does not say `reset` then)."""
        return "reset" in page or (self.last is not None and page["epoch"] != self.epoch)

    def own_entry(self, ack: Frame, *, kind: str, fields: dict[str, Any], device: str) -> Entry | None:
        """The entry that an ack stands for, which does not come a second time; to be given to `take_entry`.

        None: only a page can show it. It was accepted too long ago for the ack to say where, or the reader has become a
        participant by it and does not know as whom.
        """
        myself: Frame = next((one for one in self.info.get("participants", ()) if one["participant"] == self.me), {})
        if not ack.get("entry_id") or not myself:
            return None
        entry = {name: ack[name] for name in ("ticket", "epoch", "seq", "prev", "at", "entry_id", "n")} | {
            "audience": "staff" if kind == "note" else "all",
            "kind": kind,
            "role": myself["role"],
            "participant": self.me,
            "device": device,
        }
        if "name" in myself:
            entry["name"] = myself["name"]
        text = ack.get("text", fields.get("text"))
        if text is not None:
            entry["text"] = text
        if kind == "closed":
            entry["data"] = {"reason": "agent" if self.staff else "customer"}
        elif kind == "rated":
            entry["data"] = {"rating": fields["rating"]}
        return entry

    # -- what came

    def take_entry(self, entry: Entry) -> list[Entry]:
        """An entry, or an ack as the entry that it stands for; what is in the log now and was not before."""
        if not self.early and entry["epoch"] == self.epoch and self._follows(entry):
            self._append(entry)
            return [entry]
        return self._settle([entry])

    def take_page(self, page: Frame) -> list[Entry]:
        """A part of the log; with `reset` the beginning of another history. What is new in the log."""
        epoch, state, reset = page["epoch"], page["state"], self.begins_again(page)
        if reset:
            self.log, self.last = [], None
        if reset or page["top"] >= self.top or not self.info:
            self.info, self.top = dict(state), page["top"]
        # A reset may keep the epoch (Redis lost its tail): under these numbers others may be durable.
        known = self.durable[1] if self.durable[0] == epoch and not reset else 0
        self.durable = epoch, max(known, state["durable"])
        self.reads = dict(page["reads"]) if reset else _later(self.reads, page["reads"])
        self.epoch, self.more, self.hole = epoch, page["more"], False
        early = {place: entry for place, entry in self.early.items() if place[0] == epoch}
        if reset:  # acks of what Redis lost since, or entries newer than the page: then a pull tells
            self.hole = any(seq > page["top"] for _, seq in early)
            early = {}
        self.early = early
        return self._settle(page["entries"])

    def take_durable(self, frame: Frame) -> bool:
        """What is in the database now; False: nothing new, or of another history."""
        epoch, seq = frame["epoch"], frame["seq"]
        if (self.epoch and epoch != self.epoch) or (self.durable[0] == epoch and self.durable[1] >= seq):
            return False
        self.durable = epoch, seq
        return True

    def take_event(self, frame: Frame) -> None:
        """An event of the topic `chat`; typing is not kept."""
        if frame["type"] == "read":
            self.reads = _later(self.reads, {frame["participant"]: frame["seq"]})
        elif frame["type"] == "queue" and self.info.get("state") == "queued":
            self.info["queue"] = {"place": frame["place"], "waiting": frame["waiting"]}

    # -- the order

    def _follows(self, entry: Entry) -> bool:
        return bool(entry["seq"] == self.seq + 1 if self.staff else entry["prev"] == self.seq)

    def _settle(self, entries: list[Entry]) -> list[Entry]:
        for entry in entries:
            self.early[entry["epoch"], entry["seq"]] = entry
        waiting = sorted(self.early.values(), key=lambda entry: int(entry["seq"]))
        self.early = {}
        new = []
        for entry in waiting:
            known = entry["epoch"] == self.epoch
            if known and entry["seq"] <= self.seq:
                continue
            if (known or self.last is None) and self._follows(entry):
                self.epoch = entry["epoch"]
                self._append(entry)
                new.append(entry)
            else:
                self.early[entry["epoch"], entry["seq"]] = entry
        return new

    def _append(self, entry: Entry) -> None:
        self.last = entry
        self.log.append(entry)
        if self.kept is not None and len(self.log) > 2 * self.kept:
            del self.log[: -self.kept or None]
        if entry["seq"] > self.top:
            self.top = entry["seq"]
            if self.info:
                self._note(entry)

    # -- what an entry changes in the chat's own facts

    def _note(self, entry: Entry) -> None:
        info, kind = self.info, entry["kind"]
        self._meet(entry["participant"], entry["role"], entry.get("name"))
        if kind == "assigned":
            data = entry["data"]
            self._meet(data["owner"], "agent", data["name"])
            info |= {"state": "active", "owner": {"participant": data["owner"], "name": data["name"]}}
            info.setdefault("accepted_at", entry["at"])
            info.pop("queue", None)
            if "gen" in info:
                info["gen"] = data["gen"]
        elif kind == "released":
            info["state"] = "queued"
            info.pop("owner", None)
            if "gen" in info:
                info["gen"] = entry["data"]["gen"]
        elif kind == "closed":
            info |= {"state": "closed", "closed_at": entry["at"]} | _left(entry, close_reason="reason")
            info.pop("queue", None)
        elif kind == "rated":
            info |= _left(entry, rating="rating")

    def _meet(self, participant: str, role: str, name: str | None) -> None:
        known = self.info["participants"]
        if role != "system" and not any(one["participant"] == participant for one in known):
            new = {"participant": participant, "role": role}
            self.info["participants"] = [*known, new | {"name": name} if name else new]


def _left(entry: Entry, **names: str) -> dict[str, Any]:
    """Of an entry's data, under new names. One that was erased has none, and changes nothing."""
    data = entry.get("data") or {}
    return {name: data[of] for name, of in names.items() if of in data}


def _later(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Read markers only move forward."""
    return a | {participant: max(seq, a.get(participant, 0)) for participant, seq in b.items()}
