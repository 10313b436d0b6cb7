"""Sealing: the finaliser's step that makes a closed chat provable (docs/seal.md).

One transaction checks that the entries are complete, signs those that no segment covers yet, appends the segment to the
database's chain and marks the chat closed. Killed at any point, either all of it has happened or nothing.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import merkle, schema
from transcripts.bulk import execute_many
from transcripts.database import is_postgresql, repeated, write
from transcripts.errors import HoleError, SealError
from transcripts.segment import SealKey, Segment, leaf, segment_of

__all__ = ["SealKey", "Sealer", "Segment"]

_chats = schema.chats.c
_entries = schema.entries.c
_seals = schema.seals.c
_chain = schema.seal_chain.c


def _now() -> int:
    return time.time_ns() // 1_000_000


class Sealer:
    """Seals chats with one key. Several may work on one database: the chain's head row lets one at a time through."""

    def __init__(self, engine: AsyncEngine, key: SealKey, *, now: Callable[[], int] = _now) -> None:
        self._engine = engine
        self._key = key
        self._now = now

    @property
    def key(self) -> SealKey:
        """The key that signs."""
        return self._key

    async def seal(self, ticket: int) -> Segment | None:
        """Signs what is not sealed yet and turns `closing` into `closed`.

        Returns the chat's newest segment: the one just made, or, when there was nothing left to sign, the one that a
        call before (perhaps killed before it could answer) made. None: the chat is unknown or still open.

        Raises:
            HoleError: SQL does not hold 1..last_seq; nothing is signed.
            StoreUnavailableError: the database does not answer; nothing is half done.
        """
        return (await self.seal_many([ticket])).get(ticket)

    async def seal_many(self, tickets: Sequence[int]) -> dict[int, Segment]:
        """`seal` for many chats in one transaction, for imports: {ticket: newest segment}. All or nothing."""
        return await repeated(lambda: self._seal(sorted(set(tickets))))

    async def _seal(self, tickets: list[int]) -> dict[int, Segment]:
        async with write(self._engine) as connection:
            chats = await _finished_chats(connection, tickets)
            waiting = [chat for chat in chats if chat.sealed_seq < chat.last_seq]
            leaves = await _leaves(connection, waiting)
            made = await self._extend_chain(connection, waiting, leaves)
            if chats:
                done = [{"of_ticket": chat.ticket, "to": chat.last_seq, "new_state": "closed"} for chat in chats]
                await execute_many(connection, _MARK_SEALED, done)
            sealed = {segment.ticket: segment for segment in made}
            return sealed | await _newest(connection, [chat.ticket for chat in chats if chat.ticket not in sealed])

    async def _extend_chain(
        self, connection: AsyncConnection, chats: list["_Finished"], leaves: dict[int, list["_Leaf"]]
    ) -> list[Segment]:
        if not chats:
            return []
        number, prev_seal = await _locked_head(connection)
        made: list[Segment] = []
        rows: list[dict[str, Any]] = []
        for chat in chats:
            of_chat = leaves[chat.ticket]
            full_root = merkle.root(one.hash for one in of_chat)
            public = [one.hash for one in of_chat if one.public]
            segment = self._key.sign(
                Segment(
                    number=(number := number + 1),
                    ticket=chat.ticket,
                    from_seq=chat.sealed_seq + 1,
                    to_seq=chat.last_seq,
                    public_root=full_root if len(public) == len(of_chat) else merkle.root(public),
                    full_root=full_root,
                    prev_seal=prev_seal,
                    sealed_at=self._now(),
                    key_id=self._key.key_id,
                )
            )
            prev_seal = segment.digest()
            made.append(segment)
            rows.append({**msgspec.structs.asdict(segment), "digest": prev_seal})
        await execute_many(connection, insert(schema.seals), rows)
        await connection.execute(
            update(schema.seal_chain).where(_chain.id == 1).values(number=number, digest=prev_seal)
        )
        return made


_MARK_SEALED = (
    update(schema.chats)
    .where(_chats.ticket == bindparam("of_ticket"))
    .values(state=bindparam("new_state"), sealed_seq=bindparam("to"))
)


class _Finished(msgspec.Struct, frozen=True):
    ticket: int
    last_seq: int
    sealed_seq: int


class _Leaf(msgspec.Struct, frozen=True):
    hash: bytes
    public: bool


async def _finished_chats(connection: AsyncConnection, tickets: list[int]) -> list[_Finished]:
    question = select(_chats.ticket, _chats.last_seq, _chats.sealed_seq).where(
        _chats.ticket.in_(tickets), _chats.state.in_(("closing", "closed"))
    )
    if is_postgresql(connection):
        question = question.with_for_update()  # SQLite: the whole database is ours already
    rows = await connection.execute(question.order_by(_chats.ticket))
    return [_Finished(*row) for row in rows]


async def _leaves(connection: AsyncConnection, chats: list[_Finished]) -> dict[int, list[_Leaf]]:
    """The leaves of the entries that are not sealed yet.

    Raises:
        HoleError: an entry is missing, among these or among those sealed before.
    """
    tickets = [chat.ticket for chat in chats]
    count = select(_entries.ticket, func.count()).where(_entries.ticket.in_(tickets)).group_by(_entries.ticket)
    counts = {ticket: number for ticket, number in await connection.execute(count)}
    for chat in chats:
        if counts.get(chat.ticket, 0) != chat.last_seq:
            raise HoleError(chat.ticket, await _first_missing(connection, chat.ticket))
    rows = await connection.execute(
        select(*_LEAF_COLUMNS)
        .join(schema.chats, _chats.ticket == _entries.ticket)
        .where(_entries.ticket.in_(tickets), _entries.seq > _chats.sealed_seq)
        .order_by(_entries.ticket, _entries.seq)
    )
    leaves: dict[int, list[_Leaf]] = {ticket: [] for ticket in tickets}
    for ticket, seq, at, role, participant_id, kind, audience, commitment in rows:
        hashed = leaf(
            seq=seq,
            at=at,
            role=role,
            participant_id=participant_id,
            kind=kind,
            audience=audience,
            commitment=commitment,
        )
        leaves[ticket].append(_Leaf(hashed, audience == "all"))
    return leaves


_LEAF_COLUMNS = (
    _entries.ticket,
    _entries.seq,
    _entries.at,
    _entries.role,
    _entries.participant_id,
    _entries.kind,
    _entries.audience,
    _entries.commitment,
)


async def _first_missing(connection: AsyncConnection, ticket: int) -> int:
    numbers = await connection.scalars(select(_entries.seq).where(_entries.ticket == ticket).order_by(_entries.seq))
    expected = 1
    for seq in numbers:
        if seq != expected:
            break
        expected += 1
    return expected


async def _locked_head(connection: AsyncConnection) -> tuple[int, bytes]:
    question = select(_chain.number, _chain.digest).where(_chain.id == 1).with_for_update()  # no word of SQLite's
    head = (await connection.execute(question)).first()
    if head is None:
        raise SealError("the seal chain has no head: the database was not made by the migrations")
    return head.number, head.digest


async def _newest(connection: AsyncConnection, tickets: list[int]) -> dict[int, Segment]:
    question = select(schema.seals).where(_seals.ticket.in_(tickets)).order_by(_seals.from_seq)
    rows = (await connection.execute(question)).mappings()
    return {row["ticket"]: segment_of(dict(row)) for row in rows}
