"""What has to be right in one transcript, whoever was there."""

from __future__ import annotations

from tests.chaos.transcript import Transcript
from tests.chaos.verdict import Kind, Verdict

OWNERS_KINDS = ("message", "closed")
AFTER_THE_END = ("rated", "note", "redacted", "escalated")


def check_transcript(it: Transcript, verdict: Verdict, takes: set[tuple[str, int, int]]) -> None:
    """All rules.

    Args:
        it: the chat.
        verdict: gets the breaches.
        takes: (device, ticket, n) of the `take_chat` commands: they may succeed without an entry of their own.
    """
    _counters(it, verdict)
    _once(it, verdict)
    _senders_order(it, verdict, takes)
    _owners(it, verdict)


def _counters(it: Transcript, verdict: Verdict) -> None:
    public = at = 0
    for place, entry in enumerate(it.entries, 1):
        if entry.seq != place:
            verdict.add(Kind.WRONG_COUNTER, it.ticket, f"entry {place} has seq {entry.seq}")
            return
        if entry.prev != public:
            verdict.add(Kind.WRONG_COUNTER, it.ticket, f"entry {place} has prev {entry.prev}, not {public}")
        if entry.at < at:
            verdict.add(Kind.WRONG_COUNTER, it.ticket, f"entry {place} is older than the one before")
        at = entry.at
        if entry.audience == "all":
            public = entry.seq
    if it.last_seq != len(it.entries):
        verdict.add(Kind.WRONG_COUNTER, it.ticket, f"last_seq is {it.last_seq}, entries are {len(it.entries)}")
    if it.entries and it.entries[0].kind != "opened":
        verdict.add(Kind.WRONG_COUNTER, it.ticket, f"begins with {it.entries[0].kind}")


def _once(it: Transcript, verdict: Verdict) -> None:
    ids: set[str] = set()
    commands: set[tuple[str, str | None, int]] = set()
    for entry in it.entries:
        if entry.entry_id in ids:
            verdict.add(Kind.DUPLICATED, it.ticket, f"{entry.entry_id} is there twice")
        ids.add(entry.entry_id)
        if entry.n is None:
            continue
        command = entry.participant_id, entry.device, entry.n
        if command in commands:
            verdict.add(Kind.DUPLICATED, it.ticket, f"{entry.device} n={entry.n} is there twice")
        commands.add(command)


def _senders_order(it: Transcript, verdict: Verdict, takes: set[tuple[str, int, int]]) -> None:
    last: dict[str, int] = {}
    for entry in it.entries:
        if entry.n is None or entry.device is None:
            continue
        n = last.get(entry.device, 0)
        while (entry.device, it.ticket, n + 1) in takes and n + 1 < entry.n:
            n += 1
        if entry.n <= n:
            verdict.add(Kind.REORDERED, it.ticket, f"{entry.device}: n={entry.n} (seq {entry.seq}) comes after n={n}")
        elif entry.n != n + 1:
            verdict.add(Kind.LOST, it.ticket, f"{entry.device}: n={entry.n} (seq {entry.seq}) follows n={n}")
        last[entry.device] = max(n, entry.n)


def _owners(it: Transcript, verdict: Verdict) -> None:
    owner, gen, ended = "", 0, False
    for entry in it.entries:
        data = entry.data or {}
        if ended and entry.kind not in AFTER_THE_END:
            verdict.add(Kind.REORDERED, it.ticket, f"{entry.kind} (seq {entry.seq}) after the chat was closed")
        if entry.kind in ("assigned", "released"):
            if int(data.get("gen", 0)) <= gen:
                verdict.add(Kind.TWO_OWNERS, it.ticket, f"seq {entry.seq} has gen {data.get('gen')} after gen {gen}")
            gen = int(data.get("gen", 0))
            owner = str(data.get("owner", "")) if entry.kind == "assigned" else ""
        elif entry.role == "agent" and entry.kind in OWNERS_KINDS and entry.participant_id != owner:
            who = entry.participant_id
            verdict.add(Kind.TWO_OWNERS, it.ticket, f"{entry.kind} (seq {entry.seq}) by {who}, owner is {owner!r}")
        if entry.kind == "closed":
            ended = True
