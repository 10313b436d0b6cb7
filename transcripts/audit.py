"""Checks all seals of a database: the chain from its first segment to its head, and every sealed entry against it."""

from collections.abc import AsyncIterator, Callable, Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts import schema
from transcripts.export import export_of
from transcripts.segment import START, segment_of
from transcripts.verify import verify

_chats = schema.chats.c
_seals = schema.seals.c

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is."""


async def broken_seals(
    connection: AsyncConnection, keys: Mapping[str, bytes], on_progress: Progress = lambda done, total: None
) -> AsyncIterator[str]:
    """What does not hold, a sentence each; nothing if every sealed entry is as it was sealed.

    Args:
        connection: in a transaction. What it has written counts.
        keys: {key_id: public key} that are trusted.
        on_progress: counts chats; about 1.5 ms for one of a dozen entries.
    """
    async for broken in _broken_chain(connection):
        yield broken
    sealed = _chats.sealed_seq > 0
    total = await connection.scalar(select(func.count()).select_from(schema.chats).where(sealed)) or 0
    done = last = 0
    while True:
        page = select(_chats.ticket).where(sealed, _chats.ticket > last).order_by(_chats.ticket).limit(500)
        tickets = list(await connection.scalars(page))
        if not tickets:
            return
        for ticket in tickets:
            export = await export_of(connection, ticket, "staff")
            if export is None:
                yield f"chat #{ticket}: its entries are gone"
                continue
            for problem in verify(export, keys).problems:
                if problem.what != "unsealed":  # of a chat that goes on, or waits for the finaliser
                    yield f"chat #{ticket}: {problem.message}"
        done, last = done + len(tickets), tickets[-1]
        on_progress(done, total)


async def _broken_chain(connection: AsyncConnection) -> AsyncIterator[str]:
    number, digest = 0, START
    async with connection.stream(select(schema.seals).order_by(_seals.number)) as rows:
        async for row in rows.mappings():
            segment = segment_of(dict(row))
            if (segment.number, segment.prev_seal) != (number + 1, digest):
                yield f"segment {segment.number} of the chain does not follow segment {number}"
            if (digest := segment.digest()) != row["digest"]:
                yield f"segment {segment.number} of the chain is not what its digest says"
            number = segment.number
    head = (await connection.execute(select(schema.seal_chain.c.number, schema.seal_chain.c.digest))).first()
    if head is None or (head.number, head.digest if number else START) != (number, digest):
        yield f"the head of the chain is not its last segment, {number}"
