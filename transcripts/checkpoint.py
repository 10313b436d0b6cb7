"""Checkpoints: the head of the seal chain, signed, to be kept where this installation cannot reach it.

Whoever has the key and the database can sign all of history anew, and every seal would hold. They cannot change what
was written down elsewhere before: the segment with a checkpoint's number has to have the checkpoint's digest, for ever.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.canonical import canonical
from transcripts.database import read
from transcripts.errors import UnreadableError
from transcripts.export_format import Hash, Hex, Whole
from transcripts.segment import SealKey, is_signed, segment_of
from transcripts.strict_json import read_json

_seals = schema.seals.c
_chain = schema.seal_chain.c


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """At `at` (ms UTC) the chain ended with segment `number`, whose digest was `digest`."""

    format: Literal["chat-checkpoint/1"] = "chat-checkpoint/1"
    number: Whole
    digest: Hash
    at: Whole
    key_id: str
    signature: Hex = ""

    def signed_bytes(self) -> bytes:
        """What the signature is over: canonical JSON of the other fields."""
        fields = msgspec.structs.asdict(self)
        del fields["signature"]
        return canonical(fields)

    def line(self) -> bytes:
        """As a line of a file, or the body of a request."""
        return canonical(msgspec.structs.asdict(self)) + b"\n"


async def checkpoint(engine: AsyncEngine, key: SealKey, at: int) -> Checkpoint | None:
    """The chain as it is now; None while nothing is sealed."""
    async with read(engine) as connection:
        head = (await connection.execute(select(_chain.number, _chain.digest).where(_chain.id == 1))).first()
    if head is None or not head.number:
        return None
    unsigned = Checkpoint(number=head.number, digest=head.digest.hex(), at=at, key_id=key.key_id)
    return msgspec.structs.replace(unsigned, signature=key.sign_bytes(unsigned.signed_bytes()).hex())


def read_checkpoints(body: bytes) -> list[Checkpoint]:
    """The checkpoints of a file, one a line. A last line without its end was being written: it does not count.

    Raises:
        UnreadableError: another line is no checkpoint.
    """
    *lines, _ = body.split(b"\n")
    if body.strip() and not lines:
        raise UnreadableError("there is no whole line in it")
    try:
        return [msgspec.convert(read_json(line), Checkpoint) for line in lines if line.strip()]
    except msgspec.ValidationError as exc:
        raise UnreadableError(f"it is not a list of checkpoints: {exc}") from exc


async def broken_checkpoints(
    connection: AsyncConnection, checkpoints: Sequence[Checkpoint], keys: Mapping[str, bytes]
) -> AsyncIterator[str]:
    """What the chain of this database has otherwise than the checkpoints say, a sentence each."""
    for one in checkpoints:
        if one.key_id not in keys:
            yield f"the checkpoint of segment {one.number} is signed with key {one.key_id}, which is not known"
        elif not is_signed(keys[one.key_id], bytes.fromhex(one.signature), one.signed_bytes()):
            yield f"the signature of the checkpoint of segment {one.number} does not hold"
        else:
            row = (await connection.execute(select(schema.seals).where(_seals.number == one.number))).mappings().first()
            if row is None:
                yield f"segment {one.number} of the chain is missing"
            elif segment_of(dict(row)).digest().hex() != one.digest:
                yield f"segment {one.number} of the chain is not the one that the checkpoint saw: it was signed anew"
