"""The file `chat-transcript/1`: a transcript with the proof that it is the one that was sealed (docs/seal.md).

Nothing may be in the file but what is here: a field that no proof covers would be a place to write lies.
"""

from typing import Annotated, Any

import msgspec

FORMAT = "chat-transcript/1"

Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$")]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Salt = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]


class ExportedEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry. Either the body (`name`, `text`, `data`, `attachments`) with its `salt`, or, once erased, the bare
    `commitment`."""

    seq: int
    at: int
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

    number: int
    ticket: int
    from_seq: int = msgspec.field(name="from")
    to_seq: int = msgspec.field(name="to")
    public_root: Hash
    full_root: Hash
    prev_seal: Hash
    sealed_at: int
    key_id: str
    signature: Hex
    leaves: tuple[tuple[int, Hash], ...]


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The segments in order."""

    segments: tuple[ExportedSegment, ...]


class Export(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. `audience` 'all': what the customer may see; 'staff': everything."""

    format: str
    ticket: int
    audience: str
    summary: dict[str, Any]
    entries: tuple[ExportedEntry, ...]
    proof: Proof
