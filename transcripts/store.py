"""The transcripts in SQL: appending to them, reading them, taking a chat over.

All methods are safe to call from several tasks and processes. They raise `StoreUnavailableError` when the database does
not answer; nothing is half done then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import schema
from transcripts.append import Appended, append
from transcripts.chat import Chat
from transcripts.database import read, repeated, write
from transcripts.entry import ChatBatch, Entry, Participant
from transcripts.rows import chat_of, entry_of, participant_of
from transcripts.segment import Segment, segment_of

WINDOW = 16
"""Commands remembered for each (participant, device): a client has at most 16 in flight (protocol.md, Limits)."""

Windows = dict[tuple[str, str], list[tuple[int, int]]]
"""{(participant_id, device): [(n, seq), …]}, newest first."""

_chats = schema.chats.c
_entries = schema.entries.c
_participants = schema.participants.c


@dataclass(frozen=True)
class Rebased:
    """A chat taken over under a new epoch, with everything needed to fill the live log's head."""

    chat: Chat
    last_seq: int
    last_public_seq: int
    last_at: int
    participants: tuple[Participant, ...]
    reads: dict[str, int]
    windows: Windows


@dataclass(frozen=True)
class ChatHead:
    """How far a chat's record goes."""

    ticket: int
    epoch: int
    last_seq: int


BY_CUSTOMER = frozenset({"access_code", "inbox", "export"})
"""Ways in that only the customer has. All others are the staff's, whatever a member of staff is called."""
TAKEN = frozenset({"export", "agent_export", "export_customer"})
"""Ways that give a file away."""


@dataclass(frozen=True)
class Access:
    """Who (an id) opened a transcript, when (ms UTC) and how ('access_code', 'agent', 'export' …)."""

    who: str
    how: str
    at: int


class Store:
    """The record's tables behind methods."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def engine(self) -> AsyncEngine:
        """The database this store reads and writes."""
        return self._engine

    async def append(self, batches: Sequence[ChatBatch]) -> Appended:
        """Writes all batches in one transaction; what it reports as durable is on the disk.

        A batch is written as a whole or not at all. The same entry again (same ticket, seq and entry_id) is fine, so a
        call whose answer was lost is simply repeated. A batch of another epoch is reported in `stale`; a number that is
        taken by another entry, a hole, or an unknown chat without its opening in `conflicts`. Entries get their salt
        and commitment here (docs/seal.md), and are projected onto the chat's row. Read markers never go back.
        """
        return await repeated(lambda: append(self._engine, batches))

    async def chat(self, ticket: int) -> Chat | None:
        """The chat's row, or None."""
        async with read(self._engine) as connection:
            return await _chat(connection, ticket)

    async def entries(self, ticket: int, *, after: int = 0, limit: int = 200, staff: bool) -> list[Entry]:
        """At most `limit` entries with a number above `after`, in order; without `staff` only those for everybody."""
        question = select(schema.entries).where(_entries.ticket == ticket, _entries.seq > after)
        if not staff:
            question = question.where(_entries.audience == "all")
        async with read(self._engine) as connection:
            rows = await connection.execute(question.order_by(_entries.seq).limit(limit))
            return [entry_of(row) for row in rows.mappings()]

    async def entries_at(self, ticket: int, numbers: Sequence[int]) -> dict[int, Entry]:
        """{seq: entry} of those that are there; for a handful of numbers (at most some thousand)."""
        question = select(schema.entries).where(_entries.ticket == ticket, _entries.seq.in_(list(numbers)))
        async with read(self._engine) as connection:
            rows = await connection.execute(question)
            return {entry.seq: entry for entry in map(entry_of, rows.mappings())}

    async def participants(self, ticket: int) -> list[Participant]:
        """Everybody who ever took part, in the order of joining."""
        async with read(self._engine) as connection:
            return (await _people(connection, ticket))[0]

    async def reads(self, ticket: int) -> dict[str, int]:
        """How far each participant has read: {participant_id: seq}, only those above 0."""
        async with read(self._engine) as connection:
            return (await _people(connection, ticket))[1]

    async def windows(self, ticket: int) -> Windows:
        """The last 16 commands of each device in the chat, to rebuild the windows that recognise retries."""
        async with read(self._engine) as connection:
            return await _windows(connection, ticket)

    async def last_n(self, ticket: int, participant_id: str, device: str) -> int:
        """The number of the newest command that this device gave in the chat; 0: none."""
        question = select(func.max(_entries.n)).where(
            _entries.ticket == ticket,
            _entries.participant_id == participant_id,
            _entries.device == device,
            _entries.n.is_not(None),
        )
        async with read(self._engine) as connection:
            return await connection.scalar(question) or 0

    async def entry_of_command(self, ticket: int, participant_id: str, device: str, n: int) -> Entry | None:
        """What this command of the device became, or None. One command is one entry, for ever."""
        question = select(schema.entries).where(
            _entries.ticket == ticket,
            _entries.participant_id == participant_id,
            _entries.device == device,
            _entries.n == n,
        )
        async with read(self._engine) as connection:
            row = (await connection.execute(question)).mappings().first()
            return entry_of(row) if row else None

    async def ticket_of_key(self, customer_id: str, chat_key: str) -> int | None:
        """The chat this customer opened with this key, or None. One key names one chat, for ever."""
        question = select(_chats.ticket).where(_chats.customer_id == customer_id, _chats.chat_key == chat_key)
        async with read(self._engine) as connection:
            ticket: int | None = await connection.scalar(question)
            return ticket

    async def tickets_of_external(self, external_ids: Sequence[str]) -> dict[str, int]:
        """{external_id: ticket} of those that are there."""
        question = select(_chats.external_id, _chats.ticket).where(_chats.external_id.in_(list(external_ids)))
        async with read(self._engine) as connection:
            return {str(external_id): ticket for external_id, ticket in await connection.execute(question)}

    async def rebase(self, ticket: int, epoch: int) -> Rebased | None:
        """Takes the chat over: its row gets the new epoch, and from that commit on batches of the old one are stale.

        One transaction, so what is returned is exactly what the next entry follows. None: there is no such chat.
        """
        async with write(self._engine) as connection:
            moved = await connection.execute(update(schema.chats).where(_chats.ticket == ticket).values(epoch=epoch))
            if not moved.rowcount:
                return None
            chat = await _chat(connection, ticket)
            assert chat is not None
            people, reads = await _people(connection, ticket)
            return Rebased(
                chat=chat,
                last_seq=chat.last_seq,
                last_public_seq=chat.last_public_seq,
                last_at=chat.last_at,
                participants=tuple(people),
                reads=reads,
                windows=await _windows(connection, ticket),
            )

    async def last_segment(self, ticket: int) -> Segment | None:
        """The newest segment of the chat's seal; None while nothing of it is sealed."""
        question = select(schema.seals).where(schema.seals.c.ticket == ticket).order_by(schema.seals.c.from_seq.desc())
        async with read(self._engine) as connection:
            row = (await connection.execute(question.limit(1))).mappings().first()
            return segment_of(dict(row)) if row else None

    async def record_access(self, ticket: int, who: str, how: str, at: int, *, unless_since: int | None = None) -> None:
        """Notes that somebody opened the transcript. Shown to the customer and to staff.

        Args:
            ticket: whose transcript.
            who: an id that outlives a change of name, or whoever has none ('customer', 'command line').
            how: by which way in.
            at: ms UTC.
            unless_since: not once more if the same one came the same way at this time or later.
        """
        async with write(self._engine) as connection:
            row = {"ticket": ticket, "who": who, "how": how, "at": at}
            if unless_since is not None:
                table = schema.accesses.c
                same = (table.ticket == ticket) & (table.at >= unless_since) & (table.who == who) & (table.how == how)
                if await connection.scalar(select(table.id).where(same).limit(1)):
                    return
            await connection.execute(insert(schema.accesses).values(row))

    async def accesses(self, ticket: int, *, limit: int = 200) -> list[Access]:
        """Who opened the transcript, newest first."""
        table = schema.accesses.c
        question = select(table.who, table.how, table.at).where(table.ticket == ticket)
        async with read(self._engine) as connection:
            rows = await connection.execute(question.order_by(table.at.desc(), table.id.desc()).limit(limit))
            return [Access(who=who, how=how, at=at) for who, how, at in rows]

    async def closing(self, limit: int = 100) -> list[int]:
        """Tickets the finaliser has to seal: closing ones, and closed ones with entries after their last segment."""
        question = select(_chats.ticket).where(_UNSEALED).order_by(_chats.ticket).limit(limit)
        return await self._tickets(question)

    async def unsealed(self) -> int:
        """How many chats wait for the finaliser."""
        async with read(self._engine) as connection:
            return await connection.scalar(select(func.count()).select_from(schema.chats).where(_UNSEALED)) or 0

    async def open_chats(self, *, after: int = 0, limit: int = 100) -> list[ChatHead]:
        """Chats that have not ended, by ticket."""
        question = _HEADS.where(_OPEN, _chats.ticket > after)
        async with read(self._engine) as connection:
            rows = await connection.execute(question.order_by(_chats.ticket).limit(limit))
            return [ChatHead(*row) for row in rows]

    async def heads(self, tickets: Sequence[int]) -> list[ChatHead]:
        """Those that are there."""
        async with read(self._engine) as connection:
            rows = await connection.execute(_HEADS.where(_chats.ticket.in_(list(tickets))))
            return [ChatHead(*row) for row in rows]

    async def unindexed(self, limit: int = 100) -> list[int]:
        """Tickets with entries that the search does not know yet."""
        question = (
            select(_chats.ticket).where(_chats.indexed_seq < _chats.last_seq).order_by(_chats.ticket).limit(limit)
        )
        return await self._tickets(question)

    async def _tickets(self, question: Any) -> list[int]:
        async with read(self._engine) as connection:
            return list(await connection.scalars(question))


_HEADS = select(_chats.ticket, _chats.epoch, _chats.last_seq)

# Written like the partial indexes `chats_unsealed` and `chats_open`, so that the database can use them.
_OPEN = text("state IN ('queued', 'active', 'waiting')")
_UNSEALED = or_(_chats.state == "closing", (_chats.state == "closed") & (_chats.sealed_seq < _chats.last_seq))


async def _chat(connection: AsyncConnection, ticket: int) -> Chat | None:
    rows = await connection.execute(select(schema.chats).where(_chats.ticket == ticket))
    row = rows.mappings().first()
    return chat_of(row) if row else None


async def _people(connection: AsyncConnection, ticket: int) -> tuple[list[Participant], dict[str, int]]:
    question = select(schema.participants).where(_participants.ticket == ticket)
    rows = await connection.execute(question.order_by(_participants.joined_at, _participants.participant_id))
    found = rows.mappings().all()
    reads = {row["participant_id"]: row["read_seq"] for row in found if row["read_seq"]}
    return [participant_of(row) for row in found], reads


async def _windows(connection: AsyncConnection, ticket: int) -> Windows:
    newest = func.row_number().over(partition_by=(_entries.participant_id, _entries.device), order_by=_entries.n.desc())
    ranked = (
        select(_entries.participant_id, _entries.device, _entries.n, _entries.seq, newest.label("place"))
        .where(_entries.ticket == ticket, _entries.n.is_not(None), _entries.device.is_not(None))
        .subquery()
    )
    windows: Windows = {}
    question = select(ranked).where(ranked.c.place <= WINDOW).order_by(ranked.c.place)
    for participant_id, device, n, seq, _ in await connection.execute(question):
        windows.setdefault((participant_id, device), []).append((n, seq))
    return windows
