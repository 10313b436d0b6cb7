"""One chat of an erasure: whether something of it can go, what still has a body, and which entries say what went."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts import schema
from transcripts.database import is_postgresql
from transcripts.entry import Entry
from transcripts.erasure.certificate import ErasedChat
from transcripts.erasure.rules import ENTRIES, Subject
from transcripts.errors import ErasureError
from transcripts.ids import new_id

_chats = schema.chats.c
_entries = schema.entries.c


@dataclass(frozen=True)
class EndedChat:
    """A chat of which something can be erased."""

    ticket: int
    epoch: int
    last_seq: int
    last_public_seq: int
    last_at: int


async def ended_chat(connection: AsyncConnection, ticket: int, *, lock: bool = False) -> EndedChat:
    """The chat as it is, with `lock` until the transaction ends.

    Raises:
        ErasureError: it is not there, or has not ended.
    """
    question = select(
        _chats.ticket, _chats.epoch, _chats.last_seq, _chats.last_public_seq, _chats.last_at, _chats.state
    ).where(_chats.ticket == ticket)
    if lock and is_postgresql(connection):
        question = question.with_for_update()  # SQLite: the whole database is ours already
    row = (await connection.execute(question)).first()
    if row is None:
        raise ErasureError(f"there is no chat #{ticket}")
    if row.state != "closed":
        raise ErasureError(f"chat #{ticket} has not ended ({row.state}): close it first")
    return EndedChat(*row[:-1])


async def check_entries(connection: AsyncConnection, subject: Subject) -> None:
    """That the entries which the subject names are there.

    Raises:
        ErasureError: one of them is not.
    """
    if not subject.entries:
        return
    if len(subject.tickets) != 1:
        raise ErasureError("entries are numbered within one chat: name that chat")
    question = select(_entries.seq).where(_entries.ticket.in_(subject.tickets), _entries.seq.in_(subject.entries))
    missing = set(subject.entries) - set(await connection.scalars(question))
    if missing:
        raise ErasureError(f"chat #{subject.tickets[0]} has no entry {min(missing)}")


async def bodies_of(connection: AsyncConnection, subject: Subject, ticket: int) -> list[tuple[int, str]]:
    """(seq, audience) of the entries that still have what is to go."""
    where = ENTRIES.where(Subject((ticket,), subject.entries))
    assert where is not None
    rows = await connection.execute(select(_entries.seq, _entries.audience).where(where).order_by(_entries.seq))
    return [(seq, audience) for seq, audience in rows]


def redacted(chat: EndedChat, bodies: Iterable[tuple[int, str]], now: int) -> tuple[Entry, ...]:
    """One entry for everybody and one for staff: a customer learns nothing of a note, not even its number."""
    named: dict[str, list[int]] = {}
    for seq, audience in bodies:
        named.setdefault(audience, []).append(seq)
    entries: list[Entry] = []
    prev = chat.last_public_seq
    for audience in sorted(named):
        seq = chat.last_seq + 1 + len(entries)
        entries.append(
            Entry(
                ticket=chat.ticket,
                seq=seq,
                prev=prev,
                entry_id=new_id(),
                at=max(now, chat.last_at),
                kind="redacted",
                audience=audience,
                role="system",
                participant_id="system",
                data={"entries": named[audience]},
            )
        )
        prev = seq if audience == "all" else prev
    return tuple(entries)


async def erased_chat(connection: AsyncConnection, ticket: int) -> ErasedChat:
    """What is gone of the chat, for the certificate."""
    gone = select(_entries.seq).where(_entries.ticket == ticket, _entries.erased_at.is_not(None))
    sealed = select(_chats.sealed_seq).where(_chats.ticket == ticket)
    numbers = tuple(await connection.scalars(gone.order_by(_entries.seq)))
    return ErasedChat(ticket, numbers, await connection.scalar(sealed) or 0)
