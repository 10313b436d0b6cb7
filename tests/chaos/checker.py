"""Does the guarantee hold? Answered from the clients' histories and the transcripts alone.

The guarantee has three parts (docs/operating.md):

a. An entry reported `durable` is never lost, duplicated, renumbered or reordered.
b. An entry reported `ack` keeps the same promise, unless Redis lost data.
c. If Redis lost data, entries that were acked but not yet durable come back once when their sender reconnects; those
   whose sender never returned may be lost, if they are young enough: they are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.chaos import history as h
from tests.chaos.chat_rules import check_transcript
from tests.chaos.client_log import Claim, ClientLog, key_of
from tests.chaos.losses import ALLOWED_SECONDS, Losses
from tests.chaos.transcript import Transcript
from tests.chaos.verdict import Kind, Verdict
from transcripts.entry import Entry


def check(
    history: Iterable[h.AnyRecord],
    transcripts: Mapping[int, Transcript],
    losses: Losses,
    *,
    allowed_seconds: float = ALLOWED_SECONDS,
) -> Verdict:
    """The verdict.

    Args:
        history: all clients' records; each client's in their order.
        transcripts: what SQL has after everything came to rest.
        losses: when Redis may have lost something.
        allowed_seconds: how old an entry may have been that (c) allows to be lost.
    """
    return _Check(transcripts, losses, allowed_seconds).run(history)


class _Check:
    def __init__(self, transcripts: Mapping[int, Transcript], losses: Losses, allowed_seconds: float) -> None:
        self.transcripts, self.losses, self.allowed_seconds = transcripts, losses, allowed_seconds
        self.verdict = Verdict()
        self.clients: dict[int, ClientLog] = {}
        self.by_text: dict[str, list[Entry]] = {}
        self.commands: set[str] = set()  # those without text, by whose they are
        self.known_as: dict[str, str] = {}  # a client's first device, by each of its devices
        self.first_shown: dict[str, float] = {}

    def run(self, history: Iterable[h.AnyRecord]) -> Verdict:
        for record in history:
            if record.who not in self.clients:
                self.clients[record.who] = ClientLog(self.verdict)
            self.clients[record.who].feed(record)
        for client in self.clients.values():
            client.end()
            self.verdict.counts.update(client.counts)
        self._index()
        takes = {(device, *take) for one in self.clients.values() for device in one.devices for take in one.takes}
        for it in self.transcripts.values():
            check_transcript(it, self.verdict, takes)
        self._texts()
        self._tickets()
        for client in self.clients.values():
            self._promises(client)
            self._repeats(client)
            self._decisions(client)
            self._read_all(client)
            self._complete(client)
        return self.verdict

    def _index(self) -> None:
        for client in self.clients.values():
            self.known_as.update(dict.fromkeys(client.devices, client.device))
        for it in self.transcripts.values():
            for entry in it.entries:
                if entry.text:
                    self.by_text.setdefault(entry.text, []).append(entry)
                if entry.device:
                    self.commands.add(key_of(self.known_as.get(entry.device, ""), it.ticket, entry.kind))
        for client in self.clients.values():
            for claim in client.claims:
                first = self.first_shown.get(claim.entry_id)
                if first is None or claim.at < first:
                    self.first_shown[claim.entry_id] = claim.at

    # -- what is there

    def _texts(self) -> None:
        """Every text was said, once, in that chat; and not if the server said that it had not happened."""
        senders = {text: client for client in self.clients.values() for text in client.sent}
        for text, entries in self.by_text.items():
            first = entries[0]
            if len(entries) > 1:
                places = ", ".join(f"#{one.ticket}:{one.seq}" for one in entries)
                self.verdict.add(Kind.DUPLICATED, first.ticket, f"{text!r} is there {len(entries)} times: {places}")
            sender = senders.get(text)
            if sender is None:
                self.verdict.add(Kind.PHANTOM, first.ticket, f"nobody said {text!r} (seq {first.seq})")
                continue
            sent = sender.sent[text]
            if sent.ticket not in (0, first.ticket):
                self.verdict.add(Kind.PHANTOM, first.ticket, f"{text!r} was said in #{sent.ticket}")
            refused = sender.refused.get(text)
            if refused and text not in sender.acked:
                if self.losses.excuses(refused.at):
                    self.verdict.counts["refused and there"] += 1
                else:
                    self.verdict.add(Kind.PHANTOM, first.ticket, f"{text!r} was refused: {refused.code}")

    def _tickets(self) -> None:
        """One key, one ticket."""
        tickets: dict[str, set[int]] = {}
        for client in self.clients.values():
            for chat_key, ticket in client.opened:
                tickets.setdefault(chat_key, set()).add(ticket)
        for it in self.transcripts.values():
            if it.chat_key:
                tickets.setdefault(it.chat_key, set()).add(it.ticket)
        for chat_key, found in tickets.items():
            if len(found) > 1:
                self.verdict.add(Kind.TWO_TICKETS, min(found), f"key {chat_key} has tickets {sorted(found)}")

    # -- what was promised

    def _promises(self, client: ClientLog) -> None:
        for claim in client.claims:
            it = self.transcripts.get(claim.ticket)
            entry = it.entries[claim.seq - 1] if it and claim.seq <= len(it.entries) else None
            if entry is None or entry.entry_id != claim.entry_id:
                self._broken(client, claim)
            elif claim.own and entry.text and claim.key != entry.text:
                self.verdict.add(Kind.PHANTOM, claim.ticket, f"{claim.key!r} was acked as {entry.text!r}")

    def _repeats(self, client: ClientLog) -> None:
        """Words that a reader got twice: only if Redis lost the first, and the reader has not been told yet."""
        for first, what in client.repeats:
            if first.durable or not self.losses.excuses(self.first_shown[first.entry_id]):
                self.verdict.add(Kind.DUPLICATED, first.ticket, what)
            else:
                self.verdict.counts["came back before the reset"] += 1

    def _broken(self, client: ClientLog, claim: Claim) -> None:
        """The transcript does not have this entry under this number."""
        shown = self.first_shown[claim.entry_id]
        device, _, rest = claim.key.partition(" ")
        there = claim.key in self.by_text or f"{self.known_as.get(device)} {rest}" in self.commands
        what = f"{claim.key!r}, {claim.entry_id}, to {client.device} as {claim.seq} of epoch {claim.epoch}"
        moved = there and self.losses.moves(shown)
        if claim.durable or not (moved or self.losses.excuses(shown)):
            word = "durable" if claim.durable else "ack" if claim.own else "entry"
            kind = Kind.RENUMBERED if there else Kind.LOST
            self.verdict.add(kind, claim.ticket, f"{word} {what}")
        elif there:
            self.verdict.counts["came back" if claim.own else "came back, to a reader"] += 1
        elif claim.key in client.refused:
            self.verdict.counts["lost, then refused"] += 1
        elif not claim.own:
            self.verdict.counts["seen and lost"] += 1
        elif claim.kind == "assigned":
            self.verdict.counts["assignment lost"] += 1  # the agent was told by `reset`; whoever takes it owns it
        elif client.finished is not None:
            self.verdict.add(Kind.LOST, claim.ticket, f"its sender came back: {what}")
        else:
            self._allowed_loss(claim, what)

    def _allowed_loss(self, claim: Claim, what: str) -> None:
        self.verdict.counts["lost, sender gone"] += 1
        age = self.losses.age(claim.at)
        self.verdict.oldest_loss = max(age, self.verdict.oldest_loss)
        if age > self.allowed_seconds:
            self.verdict.add(Kind.TOO_OLD, claim.ticket, f"{age:.1f} s before the loss: {what}")

    def _decisions(self, client: ClientLog) -> None:
        if client.finished is None:
            return
        for key, sent in client.sent.items():
            if key not in client.acked and key not in client.refused:
                self.verdict.add(Kind.UNDECIDED, sent.ticket, f"{client.device}: {sent.kind} n={sent.n} {key!r}")

    def _read_all(self, client: ClientLog) -> None:
        """Nobody skipped what lies before the last entry that they read."""
        for ticket, view in client.views.items():
            it = self.transcripts.get(ticket)
            if it is None or not 0 < view.last_seen <= len(it.entries):
                continue
            if view.ids[view.last_seen] != it.entries[view.last_seen - 1].entry_id:
                continue  # Redis lost it; the client has not been told yet
            due = [one for one in it.entries[: view.last_seen] if client.role != "customer" or one.audience == "all"]
            skipped = [one.seq for one in due if one.seq not in view.ids]
            if skipped:
                self.verdict.add(Kind.GAP, ticket, f"{client.device} read {view.last_seen} without {skipped[:5]}…")

    def _complete(self, client: ClientLog) -> None:
        """Whoever stayed has it all."""
        for ticket in client.finished or ():
            it, view = self.transcripts.get(ticket), client.views.get(ticket)
            if it is None or view is None:
                self.verdict.add(Kind.INCOMPLETE, ticket, f"{client.device} reads a chat that is not there")
                continue
            due = [one for one in it.entries if client.role != "customer" or one.audience == "all"]
            missing = [one.seq for one in due if view.ids.get(one.seq) != one.entry_id]
            if missing:
                what = f"{client.device} lacks {missing[:5]}… ({len(missing)} of {len(due)})"
                self.verdict.add(Kind.INCOMPLETE, ticket, what)
