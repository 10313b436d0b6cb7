"""The file `chat-transcript/1`: a transcript with the proof that it is the one that was sealed (docs/seal.md).

Nothing may be in the file but what is here: a field that no proof covers would be a place to write lies.
"""

from typing import Annotated, Any

import msgspec

FORMAT = "chat-transcript/1"

# \Z, because $ also holds before a line break, and bytes.fromhex would not mind that either.
Hex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2})*\Z")]
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Salt = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]
Whole = Annotated[int, msgspec.Meta(ge=-(2**53) + 1, le=2**53 - 1)]
"""A whole number that every language has exactly."""


class ExportedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry. Either the body (`name`, `text`, `data`, `attachments`) with its `salt`, or, once erased, the bare
    `commitment`."""

    seq: Whole
    at: Whole
    kind: str
    audience: str
    role: str
    participant: str
    name: str | None = None
    text: str | None = None
    data: dict[str, Any] | None = None
    attachments: tuple[Hash, ...] = ()
    salt: Salt | None = None
    erased: bool = False
    commitment: Hash | None = None


class ExportedSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A segment and the leaves under its root: the full root in a file for staff, the public one in a customer's."""

    number: Whole
    ticket: Whole
    from_seq: Whole = msgspec.field(name="from")
    to_seq: Whole = msgspec.field(name="to")
    public_root: Hash
    full_root: Hash
    prev_seal: Hash
    sealed_at: Whole
    key_id: str
    signature: Hex
    leaves: tuple[tuple[Whole, Hash], ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The segments in order."""

    segments: tuple[ExportedSegment, ...]


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `audience` 'all': what the customer may see; 'staff': everything."""

    format: str
    ticket: Whole
    audience: str
    summary: dict[str, Any]
    entries: tuple[ExportedEntry, ...]
    proof: Proof
