"""Checks an exported transcript against its seal: needs the file and the public keys, nothing else.

What it proves: every entry in the file is as it was when it was sealed, none is missing or moved within the sealed
stretch, and what was erased was erased by an entry that says so. What it cannot prove: that no later segment exists.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from transcripts import merkle
from transcripts.canonical import canonical, canonical_body, commitment
from transcripts.errors import CanonicalError
from transcripts.export_format import FORMAT, Export, ExportedEntry, ExportedSegment
from transcripts.segment import Segment, leaf
from transcripts.summary import summary_of


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was sealed.

    Attributes:
        what: altered, missing, added, reordered, erased (without an entry that says so), unsealed, signature, proof,
            unknown_key, format.
        seq: the entry it is about, where there is one.
        message: a sentence.
    """

    what: str
    seq: int | None
    message: str


@dataclass(frozen=True)
class Verification:
    """What came out. `ok` means: everything in the file is proved.

    Attributes:
        ticket, audience: of the file (None if it cannot be read at all).
        entries: how many entries the file has; `erased` of them have lost their body lawfully.
        sealed_to: the last entry that a segment covers.
        key_ids: the keys that signed.
        problems: in the order of the entries; empty if `ok`.
    """

    ticket: int | None
    audience: str | None
    entries: int
    erased: int
    sealed_to: int
    key_ids: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        """Whether everything in the file is proved."""
        return not self.problems

    @property
    def first(self) -> Problem | None:
        """The first problem: for entries, the one with the lowest number."""
        return self.problems[0] if self.problems else None


def verify(export: Any, keys: Mapping[str, bytes]) -> Verification:
    """Checks a file as `as_json` makes it (plain values; read files with `strict_json`). Never raises on its content.

    Args:
        export: the decoded file.
        keys: {key_id: public key (32 bytes)} that the reader trusts.
    """
    try:
        file = msgspec.convert(export, Export)
        if file.format != FORMAT or file.audience not in {"all", "staff"}:
            raise msgspec.ValidationError(f"the format is not {FORMAT}")
        leaves = [_leaf_of(entry) for entry in file.entries]
        summary = canonical(file.summary)
    except (msgspec.ValidationError, CanonicalError, RecursionError) as exc:
        problem = Problem("format", None, f"this is not an exported transcript: {exc}")
        return Verification(None, None, 0, 0, 0, (), (problem,))
    problems = sorted(_problems(file, leaves, summary, keys), key=lambda one: (one.seq is None, one.seq))
    segments = file.proof.segments
    return Verification(
        ticket=file.ticket,
        audience=file.audience,
        entries=len(file.entries),
        erased=sum(entry.erased for entry in file.entries),
        sealed_to=segments[-1].to_seq if segments else 0,
        key_ids=tuple(dict.fromkeys(segment.key_id for segment in segments)),
        problems=tuple(problems),
    )


def _problems(file: Export, leaves: list[bytes], summary: bytes, keys: Mapping[str, bytes]) -> Iterator[Problem]:
    yield from _segments(file, keys)
    entries_wrong = [*_order(file), *_content(file, leaves)]
    yield from entries_wrong or _erasures(file.entries, _sealed_to(file))  # what is not proved explains no erasure
    yield from _unsealed(file)
    if summary != canonical(summary_of(file.entries)):
        yield Problem("altered", None, "the summary does not say what the entries say")


def _content(file: Export, leaves: list[bytes]) -> Iterator[Problem]:
    """The entries of every segment are the sealed ones."""
    for segment in file.proof.segments:
        inside = [
            (entry, hashed)
            for entry, hashed in zip(file.entries, leaves, strict=True)
            if segment.from_seq <= entry.seq <= segment.to_seq
        ]
        yield from _roots(file, segment, inside)
        yield from _leaves(segment, inside)


def _leaf_of(entry: ExportedEntry) -> bytes:
    """The leaf as the entry's own content gives it."""
    if entry.erased:
        bare = entry.name is None and entry.text is None and entry.data is None and entry.salt is None
        if not bare or entry.attachments or entry.commitment is None:
            raise msgspec.ValidationError(f"entry {entry.seq} is erased and is not")
        bound = bytes.fromhex(entry.commitment)
    else:
        if entry.salt is None or entry.commitment is not None:
            raise msgspec.ValidationError(f"entry {entry.seq} has no salt")
        attachments = [bytes.fromhex(digest) for digest in entry.attachments]
        bound = commitment(bytes.fromhex(entry.salt), canonical_body(entry.text, entry.name, attachments, entry.data))
    return leaf(
        seq=entry.seq,
        at=entry.at,
        role=entry.role,
        participant_id=entry.participant,
        kind=entry.kind,
        audience=entry.audience,
        commitment=bound,
    )


def _order(file: Export) -> Iterator[Problem]:
    """The numbers rise, and a customer's file has only what is for everybody."""
    last = 0
    for entry in file.entries:
        if entry.seq <= last:
            yield Problem("reordered", entry.seq, f"entry {entry.seq} stands behind entry {last}")
        if file.audience == "all" and entry.audience != "all":
            yield Problem("altered", entry.seq, f"entry {entry.seq} is not for customers")
        last = max(last, entry.seq)


def _segments(file: Export, keys: Mapping[str, bytes]) -> Iterator[Problem]:
    """Every segment is signed for this chat, they follow each other, and their order in the chain fits."""
    following, before = 1, None
    for exported in file.proof.segments:
        segment = _segment_of(exported)
        name = f"segment {exported.from_seq}–{exported.to_seq}"
        if segment.key_id not in keys:
            yield Problem(
                "unknown_key", exported.from_seq, f"{name} is signed with key {segment.key_id}, which is not known"
            )
        elif not segment.is_signed_by(keys):
            yield Problem("signature", exported.from_seq, f"the signature of {name} does not hold")
        if exported.ticket != file.ticket:
            yield Problem("proof", exported.from_seq, f"{name} is of chat #{exported.ticket}, not of #{file.ticket}")
        if exported.from_seq != following or exported.to_seq < exported.from_seq:
            yield Problem("proof", following, f"no segment covers entry {following}")
        if before is not None and not _follows(before, segment):
            yield Problem("proof", exported.from_seq, f"{name} does not follow the segment before it")
        following, before = exported.to_seq + 1, segment


def _follows(before: Segment, segment: Segment) -> bool:
    if segment.number <= before.number:
        return False
    return segment.number != before.number + 1 or segment.prev_seal == before.digest()


def _segment_of(exported: ExportedSegment) -> Segment:
    return Segment(
        number=exported.number,
        ticket=exported.ticket,
        from_seq=exported.from_seq,
        to_seq=exported.to_seq,
        public_root=bytes.fromhex(exported.public_root),
        full_root=bytes.fromhex(exported.full_root),
        prev_seal=bytes.fromhex(exported.prev_seal),
        sealed_at=exported.sealed_at,
        key_id=exported.key_id,
        signature=bytes.fromhex(exported.signature),
    )


Inside = list[tuple[ExportedEntry, bytes]]


def _roots(file: Export, segment: ExportedSegment, inside: Inside) -> Iterator[Problem]:
    """The file's list of leaves is the signed one; from then on it says which entry is wrong."""
    listed = merkle.root(bytes.fromhex(hashed) for _, hashed in segment.leaves).hex()
    public = merkle.root(hashed for entry, hashed in inside if entry.audience == "all").hex()
    name = f"segment {segment.from_seq}–{segment.to_seq}"
    if listed != (segment.full_root if file.audience == "staff" else segment.public_root):
        yield Problem("proof", segment.from_seq, f"the leaves listed for {name} are not the sealed ones")
    elif public != segment.public_root and file.audience == "staff" and _same(segment, inside):
        yield Problem("altered", segment.from_seq, f"{name} was sealed with other entries for everybody")


def _same(segment: ExportedSegment, inside: Inside) -> bool:
    return [hashed for _, hashed in segment.leaves] == [hashed.hex() for _, hashed in inside]


def _leaves(segment: ExportedSegment, inside: Inside) -> Iterator[Problem]:
    """Names the first entry of the segment that is not the sealed one."""
    sealed = list(segment.leaves)
    present = [(entry.seq, hashed.hex()) for entry, hashed in inside]
    known_sealed, known_present = {hashed for _, hashed in sealed}, {hashed for _, hashed in present}
    for place in range(max(len(sealed), len(present))):
        if place == len(present) or (
            place < len(sealed) and sealed[place][1] not in known_present and present[place][1] in known_sealed
        ):
            yield Problem("missing", sealed[place][0], f"entry {sealed[place][0]} is missing")
            return
        seq, hashed = present[place]
        if place == len(sealed) or (hashed not in known_sealed and sealed[place][1] in known_present):
            yield Problem("added", seq, f"entry {seq} was not there when the chat was sealed")
            return
        if hashed == sealed[place][1]:
            if seq != sealed[place][0]:
                yield Problem("proof", seq, f"the list of leaves names entry {seq} wrongly")
                return
            continue
        if hashed in known_sealed:
            yield Problem("reordered", seq, f"entry {seq} stands in another place than when it was sealed")
        else:
            yield Problem("altered", seq, f"entry {seq} is not as it was sealed")
        return


def _erasures(entries: Iterable[ExportedEntry], sealed_to: int) -> Iterator[Problem]:
    """A body may be gone only if a later, sealed `redacted` entry names it."""
    redacted = {
        seq: entry.seq
        for entry in entries
        if entry.kind == "redacted" and entry.seq <= sealed_to
        for seq in _named(entry)
    }
    for entry in entries:
        if entry.erased and redacted.get(entry.seq, 0) <= entry.seq:
            yield Problem("erased", entry.seq, f"entry {entry.seq} has lost its body and no sealed entry says why")


def _named(entry: ExportedEntry) -> list[int]:
    named = (entry.data or {}).get("entries")
    return [seq for seq in named if type(seq) is int] if isinstance(named, list) else []  # True is 1, and no number


def _sealed_to(file: Export) -> int:
    return file.proof.segments[-1].to_seq if file.proof.segments else 0


def _unsealed(file: Export) -> Iterator[Problem]:
    for entry in file.entries:
        if entry.seq > _sealed_to(file):
            yield Problem("unsealed", entry.seq, f"entry {entry.seq} and what follows is not sealed yet")
            return
