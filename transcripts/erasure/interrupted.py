"""Which erasures have begun and not ended: killed in the middle, the next one finds here what is left to do."""

from collections.abc import Collection, Iterable
from hashlib import blake2b

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from transcripts.schema import interrupted_erasures, interrupted_people
from transcripts.seal import SealKey
from transcripts.upsert import upsert

_AT_ONCE = 500  # of one question: engines count its values


async def begin_chats(connection: AsyncConnection, tickets: Collection[int], *, now: int) -> None:
    """In the transaction that erases something of these chats."""
    begun = upsert(connection, interrupted_erasures, key=["ticket"], kept=())
    if tickets:
        await connection.execute(begun, [{"ticket": ticket, "begun_at": now} for ticket in tickets])


async def begin_people(
    connection: AsyncConnection, customers: Iterable[str], *, called: str, key: SealKey, now: int
) -> None:
    """In the transaction that erases what is known of them, `called` included: nobody finds them by it afterwards,
    except who calls them so again.
    """
    begun = upsert(connection, interrupted_people, key=["customer_id"], kept=())
    rows = [{"customer_id": one, "called": _digest(called, key), "begun_at": now} for one in customers]
    if rows:
        await connection.execute(begun, rows)


async def chats(connection: AsyncConnection) -> list[int]:
    """Of which something was erased that may still be in the other places and on the disk."""
    question = select(interrupted_erasures.c.ticket).order_by(interrupted_erasures.c.ticket)
    return list(await connection.scalars(question))


async def people(connection: AsyncConnection, *, called: str, key: SealKey) -> tuple[str, ...]:
    """The customers whose erasure was asked for under this name, and has not ended."""
    theirs = interrupted_people.c.called == _digest(called, key)
    question = select(interrupted_people.c.customer_id).where(theirs).order_by(interrupted_people.c.customer_id)
    return tuple(await connection.scalars(question))


async def end(connection: AsyncConnection, tickets: Collection[int], customers: Collection[str]) -> None:
    """In the transaction that keeps the certificate."""
    for column, ended in (
        (interrupted_erasures.c.ticket, list(tickets)),
        (interrupted_people.c.customer_id, list(customers)),
    ):
        for at in range(0, len(ended), _AT_ONCE):
            await connection.execute(delete(column.table).where(column.in_(ended[at : at + _AT_ONCE])))


def _digest(called: str, key: SealKey) -> str:
    """With the installation's secret: the row lies in the file for a while, and names can be guessed."""
    return blake2b(called.encode(), key=key.to_bytes(), digest_size=32, person=b"chat-interrupted").hexdigest()
