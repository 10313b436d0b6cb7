"""A made-up run in which everything is right, for the checker's tests to spoil."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.chaos import history as h
from tests.chaos.checker import check
from tests.chaos.losses import Losses
from tests.chaos.transcript import Transcript
from tests.chaos.verdict import Verdict
from transcripts.entry import Entry

TICKET, EPOCH = 100009, 7
CUSTOMER, AGENT = 1, 2
DEVICES = {CUSTOMER: "device-of-sam", AGENT: "device-of-ann"}


@dataclass
class Run:
    """Sam asks, Ann takes the chat, both say some lines, Ann leaves a note and closes, Sam rates."""

    entries: list[Entry] = field(default_factory=list)
    records: list[h.AnyRecord] = field(default_factory=list)
    losses: Losses = field(default_factory=Losses)
    clock: float = 100.0
    last_seq: int = 0  # added to what is right
    n: dict[int, int] = field(default_factory=lambda: {CUSTOMER: 0, AGENT: 0})

    def log(self, make: type[h.Record], who: int, *fields: Any) -> None:
        self.clock += 0.01
        self.records.append(make(who, self.clock, *fields))

    def append(self, kind: str, who: int = 0, text: str = "", **data: Any) -> Entry:
        """An entry, without anybody being told."""
        role = {0: "system", CUSTOMER: "customer", AGENT: "agent"}[who]
        public = [entry.seq for entry in self.entries if entry.audience == "all"]
        entry = Entry(
            ticket=TICKET,
            seq=len(self.entries) + 1,
            prev=public[-1] if public else 0,
            entry_id=f"id-{len(self.entries) + 1}",
            at=1000 + len(self.entries),
            kind=kind,
            audience="staff" if kind == "note" else "all",
            role=role,
            participant_id=f"{role}-1",
            text=text or None,
            data=data or None,
            device=DEVICES.get(who),
            n=self.n.get(who),
        )
        self.entries.append(entry)
        return entry

    def say(self, kind: str, who: int, text: str = "", **data: Any) -> Entry:
        """A command that is sent, acked, seen by the other and becomes durable."""
        self.n[who] += 1
        self.log(h.Sent, who, TICKET, self.n[who], kind, text)
        entry = self.append(kind, who, text, **data)
        self.ack(who, entry)
        other = CUSTOMER + AGENT - who
        if entry.audience == "all" and (other in (CUSTOMER,) or self.n[AGENT]):
            self.see(other, entry)
        self.durable(entry.seq)
        return entry

    def ack(self, who: int, entry: Entry, *, epoch: int = EPOCH) -> None:
        self.log(h.Acked, who, TICKET, entry.n, epoch, entry.seq, entry.entry_id, False)

    def see(self, who: int, entry: Entry, *, epoch: int = EPOCH) -> None:
        rest = (entry.kind, entry.text or "", entry.participant_id, entry.device or "", entry.n or 0)
        self.log(h.Seen, who, TICKET, epoch, entry.seq, entry.prev, entry.entry_id, *rest)

    def durable(self, seq: int) -> None:
        for who in (CUSTOMER, AGENT):
            self.log(h.Durable, who, TICKET, EPOCH, seq)

    def finish(self) -> None:
        for who in (CUSTOMER, AGENT):
            self.log(h.Finished, who, (TICKET,))

    def transcript(self) -> Transcript:
        return Transcript(TICKET, self.entries, len(self.entries) + self.last_seq, "closed", "key-1", "sam")

    def check(self) -> Verdict:
        return check(self.records, {TICKET: self.transcript()} if self.entries else {}, self.losses)

    # -- how to spoil it

    def find(self, make: type[h.Record], who: int, **fields: Any) -> int:
        """Where the first such record is."""
        for place, record in enumerate(self.records):
            wanted = type(record) is make and record.who == who
            if wanted and all(getattr(record, name) == value for name, value in fields.items()):
                return place
        raise AssertionError(f"there is no such {make.__name__}")

    def change(self, place: int, **fields: Any) -> None:
        self.records[place] = msgspec.structs.replace(self.records[place], **fields)

    def rewrite(self, seq: int, **fields: Any) -> None:
        """Changes an entry of the transcript."""
        self.entries[seq - 1] = msgspec.structs.replace(self.entries[seq - 1], **fields)

    def remove(self, seq: int) -> None:
        """Takes an entry out of the transcript, which looks as if it had never been there."""
        del self.entries[seq - 1]
        public = 0
        for place, entry in enumerate(self.entries):
            self.entries[place] = entry = msgspec.structs.replace(entry, seq=place + 1, prev=public)
            public = entry.seq if entry.audience == "all" else public


def good_run() -> Run:
    """Nothing is wrong with it."""
    run = Run()
    run.log(h.Joined, CUSTOMER, "sam", "customer", DEVICES[CUSTOMER])
    run.log(h.Joined, AGENT, "ann", "agent", DEVICES[AGENT])
    opened = run.append("opened")
    run.entries[0] = msgspec.structs.replace(opened, n=None)
    run.n[CUSTOMER] = 1
    run.log(h.Sent, CUSTOMER, 0, 1, "message", "hello")
    run.log(h.Opened, CUSTOMER, "key-1", TICKET)
    run.log(h.Sent, CUSTOMER, TICKET, 1, "message", "hello")
    run.see(CUSTOMER, run.entries[0])
    first = run.append("message", CUSTOMER, "hello")
    run.ack(CUSTOMER, first)
    for entry in run.entries:
        run.see(AGENT, entry)
    run.say("assigned", AGENT, owner="agent-1", name="Ann", gen=1)
    for number in range(4):
        run.say("message", CUSTOMER, f"question {number}")
        run.say("message", AGENT, f"answer {number}")
    run.say("note", AGENT, "aside")
    run.say("message", CUSTOMER, "thanks")
    run.say("closed", AGENT, reason="agent")
    run.say("rated", CUSTOMER, rating=5)
    run.finish()
    return run
