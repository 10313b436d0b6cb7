"""A transcript as a file that proves itself."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts import schema
from transcripts.database import read
from transcripts.export_format import FORMAT, Export, ExportedEntry, ExportedSegment, Proof
from transcripts.rows import data_of
from transcripts.segment import Segment, leaf, segment_of
from transcripts.store import Store
from transcripts.summary import summary_of

_entries = schema.entries.c
_attachments = schema.attachments.c
_seals = schema.seals.c


async def as_json(store: Store, ticket: int, audience: str) -> dict[str, Any] | None:
    """The transcript with its proof, as plain values ready for a JSON encoder; None if there is no such chat.

    Args:
        store: where the chat is.
        ticket: which one.
        audience: 'all' for the customer: nothing of staff entries is in the file, not even a hash, and the proof is for
            the public root. 'staff' for everything.

    All of it is of one moment. A chat that is still open has entries that no segment covers yet; `verify` says so.
    """
    async with read(store.engine) as connection:
        return await export_of(connection, ticket, audience)


async def export_of(connection: AsyncConnection, ticket: int, audience: str) -> dict[str, Any] | None:
    """`as_json` as the transaction of this connection sees the chat."""
    rows = await _rows(connection, ticket, audience)
    digests = await _digests(connection, ticket)
    segments = await connection.execute(select(schema.seals).where(_seals.ticket == ticket).order_by(_seals.from_seq))
    signed = [segment_of(dict(row)) for row in segments.mappings()]
    if not rows:
        return None
    entries = tuple(_exported(row, digests.get(row["seq"], ())) for row in rows)
    leaves = [(row["seq"], _leaf(row).hex()) for row in rows]
    export = Export(
        format=FORMAT,
        ticket=ticket,
        audience=audience,
        summary=summary_of(entries),
        entries=entries,
        proof=Proof(segments=tuple(_exported_segment(segment, leaves) for segment in signed)),
    )
    plain: dict[str, Any] = msgspec.to_builtins(export)
    return plain


async def _rows(connection: AsyncConnection, ticket: int, audience: str) -> list[dict[str, Any]]:
    if audience not in {"all", "staff"}:
        raise ValueError(f"audience is 'all' or 'staff', not {audience!r}")
    question = select(schema.entries).where(_entries.ticket == ticket)
    if audience == "all":
        question = question.where(_entries.audience == "all")
    rows = await connection.execute(question.order_by(_entries.seq))
    return [dict(row) for row in rows.mappings()]


async def _digests(connection: AsyncConnection, ticket: int) -> dict[int, tuple[str, ...]]:
    question = select(_attachments.seq, _attachments.sha256).where(_attachments.ticket == ticket)
    found: dict[int, tuple[str, ...]] = {}
    for seq, digest in await connection.execute(question.order_by(_attachments.seq, _attachments.id)):
        found[seq] = (*found.get(seq, ()), digest.hex())
    return found


def _exported(row: Mapping[str, Any], attachments: tuple[str, ...]) -> ExportedEntry:
    fixed = {
        "seq": row["seq"],
        "at": row["at"],
        "kind": row["kind"],
        "audience": row["audience"],
        "role": row["role"],
        "participant": row["participant_id"],
    }
    if row["salt"] is None:
        return ExportedEntry(**fixed, erased=True, commitment=row["commitment"].hex())
    return ExportedEntry(
        **fixed,
        name=row["author_name"],
        text=row["text"],
        data=data_of(row["data"]),
        attachments=attachments,
        salt=row["salt"].hex(),
    )


def _leaf(row: Mapping[str, Any]) -> bytes:
    return leaf(
        seq=row["seq"],
        at=row["at"],
        role=row["role"],
        participant_id=row["participant_id"],
        kind=row["kind"],
        audience=row["audience"],
        commitment=row["commitment"],
    )


def _exported_segment(segment: Segment, leaves: list[tuple[int, str]]) -> ExportedSegment:
    return ExportedSegment(
        number=segment.number,
        ticket=segment.ticket,
        from_seq=segment.from_seq,
        to_seq=segment.to_seq,
        public_root=segment.public_root.hex(),
        full_root=segment.full_root.hex(),
        prev_seal=segment.prev_seal.hex(),
        sealed_at=segment.sealed_at,
        key_id=segment.key_id,
        signature=segment.signature.hex(),
        leaves=tuple(one for one in leaves if segment.from_seq <= one[0] <= segment.to_seq),
    )
