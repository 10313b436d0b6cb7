"""One client's history, digested: what it was promised, and whether what it read was in order.

A *claim* is an entry that the server has shown to this client under a number: by an ack or as an entry of the log.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.chaos import history as h
from tests.chaos.verdict import Kind, Verdict


@dataclass(slots=True)
class Claim:
    """An entry that was shown under a number."""

    at: float
    ticket: int
    epoch: int
    seq: int
    entry_id: str
    key: str  # what the command said: its text, or whose it is, in which chat, and its kind
    own: bool
    kind: str
    durable: bool = False


def key_of(device: str, ticket: int, kind: str) -> str:
    """The name of a command without text: a device says each kind once in a chat, whatever number it gets."""
    return f"{device} {ticket} {kind}"


class View:
    """What a client has of one chat since it last began anew."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.ids: dict[int, str] = {}
        self.needs: dict[int, int] = {}
        self.texts: dict[str, Claim] = {}  # where each was seen first
        self.last_seen = 0
        self.left = False  # the client has nothing to do with the chat any more
        self.undurable: list[Claim] = []


@dataclass
class ClientLog:
    """Feed it with the client's records in their order, then `end()`."""

    verdict: Verdict
    person: str = ""
    role: str = "customer"
    device: str = ""
    devices: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    sent: dict[str, h.Sent] = field(default_factory=dict)  # by key, the last time
    refused: dict[str, h.Refused] = field(default_factory=dict)
    acked: set[str] = field(default_factory=set)
    repeats: list[tuple[Claim, str]] = field(default_factory=list)  # the same words once more, without a reset
    opened: list[tuple[str, int]] = field(default_factory=list)
    finished: tuple[int, ...] | None = None
    views: dict[int, View] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    takes: set[tuple[int, int]] = field(default_factory=set)
    _commands: dict[tuple[int, int], h.Sent] = field(default_factory=dict)

    def feed(self, record: h.AnyRecord) -> None:
        """One record."""
        self.counts[type(record).__name__] += 1
        match record:
            case h.Seen():
                self._seen(record)
            case h.Acked():
                self._acked(record)
            case h.Durable():
                self._durable(record)
            case h.Sent():
                self._sent(record)
            case h.Reset():
                self._end_view(record.ticket)
                self.views[record.ticket] = view = View(record.epoch)
                view.left = record.epoch == 0
            case h.Refused():
                self._refused(record)
            case h.Opened():
                self.opened.append((record.chat_key, record.ticket))
            case h.Joined():
                self.person, self.role = record.person, record.role
                self.device = self.device or record.device  # by its first one it is known here
                self.devices.append(record.device)
            case h.Finished():
                self.finished = record.tickets
            case _:
                pass

    def end(self) -> None:
        """There is no more."""
        for ticket in self.views:
            self._end_view(ticket)

    # -- what it says

    def _sent(self, record: h.Sent) -> None:
        self._commands[record.ticket, record.n] = record
        self.sent[record.text or key_of(self.device, record.ticket, record.kind)] = record
        if record.kind == "assigned":
            self.takes.add((record.ticket, record.n))

    def _refused(self, record: h.Refused) -> None:
        self.refused[record.text or key_of(self.device, record.ticket, record.kind)] = record

    def _acked(self, record: h.Acked) -> None:
        command = self._commands.get((record.ticket, record.n))
        if command is None:
            self.verdict.add(Kind.PHANTOM, record.ticket, f"{self.device}: ack for n={record.n}, never sent")
            return
        key = command.text or key_of(self.device, record.ticket, command.kind)
        self.acked.add(key)
        if record.seq == 0:  # accepted long ago; the server no longer says under which number
            return
        claim = Claim(
            record.at, record.ticket, record.epoch, record.seq, record.entry_id, key, own=True, kind=command.kind
        )
        self.claims.append(claim)
        view = self.views.get(record.ticket)
        if view is None:
            view = self.views[record.ticket] = View(record.epoch)
        if view.epoch == record.epoch:
            self._place(view, claim)

    # -- what it reads

    def _seen(self, record: h.Seen) -> None:
        if record.kind == "note" and self.role == "customer":
            self.verdict.add(Kind.LEAKED, record.ticket, f"{self.device} saw note {record.entry_id}")
        view = self.views.get(record.ticket)
        if view is None or (view.epoch != record.epoch and not view.last_seen):
            kept, left = (view.undurable, view.left and record.seq > 1) if view else ([], False)
            view = self.views[record.ticket] = View(0 if left else record.epoch)
            view.undurable, view.left = kept, left
        if view.left and record.seq > 1:
            return  # a page that was on its way when the client left the chat
        what = f"{self.device} saw {record.entry_id} as {record.seq} of epoch {record.epoch}"
        if view.epoch != record.epoch:
            self.verdict.add(Kind.REORDERED, record.ticket, f"{what} while reading epoch {view.epoch}")
        if record.seq <= view.last_seen:
            twice = view.ids.get(record.seq) == record.entry_id
            kind = Kind.DUPLICATED if twice else Kind.REORDERED
            self.verdict.add(kind, record.ticket, f"{what} after {view.last_seen}")
        view.last_seen = max(record.seq, view.last_seen)
        view.needs[record.seq] = record.prev if self.role == "customer" else record.seq - 1
        key = record.text or key_of(record.device, record.ticket, record.kind)
        claim = Claim(
            record.at, record.ticket, record.epoch, record.seq, record.entry_id, key, own=False, kind=record.kind
        )
        self.claims.append(claim)
        self._place(view, claim)
        if record.text:
            first = view.texts.setdefault(record.text, claim)
            if first.entry_id != record.entry_id:
                self.repeats.append((first, f"{what}; {record.text!r} was {first.seq} before"))

    def _place(self, view: View, claim: Claim) -> None:
        view.ids[claim.seq] = claim.entry_id  # Redis may have lost the earlier one; its claim is judged on its own
        view.undurable.append(claim)

    def _durable(self, record: h.Durable) -> None:
        view = self.views.get(record.ticket)
        if view is None or view.epoch != record.epoch:
            return
        left = []
        for claim in view.undurable:
            if claim.seq <= record.seq and claim.epoch == record.epoch:
                claim.durable = True
            else:
                left.append(claim)
        view.undurable = left

    def _end_view(self, ticket: int) -> None:
        view = self.views.get(ticket)
        for seq, needed in view.needs.items() if view else ():
            if needed and needed not in view.ids:  # before an own command there may be more: see checker, _read_all
                self.verdict.add(Kind.GAP, ticket, f"{self.device} read {seq} without {needed} (epoch {view.epoch})")
