"""How long transcripts are kept, by department and topic, and which ones that time is over for.

A rule says how many days after its end a chat is kept, or that it is kept for ever. The rule that says most about a
chat counts: of its department and topic, of its department, of its topic, of all. Without a rule nothing ever goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, and_, case, delete, func, insert, literal, null, select, true
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from transcripts import schema
from transcripts.erasure.rules import NOT_SAID
from transcripts.holds import SamePeople, each_alone, held

DAY_MS = 86_400_000
MOST_DAYS = 36_500

_chats = schema.chats.c
_entries = schema.entries.c
_rules = schema.retention.c


@dataclass(frozen=True)
class Rule:
    """How long chats are kept. None as department or topic: any; None as days: for ever."""

    department: str | None
    topic: str | None
    days: int | None


@dataclass(frozen=True)
class Due:
    """A chat whose time is over. One that is held stays all the same."""

    ticket: int
    department: str | None
    topic: str | None
    closed_at: int
    days: int
    held: bool


async def rules(connection: AsyncConnection) -> list[Rule]:
    """All rules, those that say most first."""
    rows = await connection.execute(select(_rules.department, _rules.topic, _rules.days))
    found = [Rule(department or None, topic or None, days) for department, topic, days in rows]

    def order(rule: Rule) -> tuple[bool, bool, str, str]:
        return rule.department is None, rule.topic is None, rule.department or "", rule.topic or ""

    return sorted(found, key=order)


async def set_rule(connection: AsyncConnection, rule: Rule) -> None:
    """Sets the rule of a department, a topic, both or none of them."""
    await remove_rule(connection, rule.department, rule.topic)
    values = {"department": rule.department or "", "topic": rule.topic or "", "days": rule.days}
    await connection.execute(insert(schema.retention).values(values))


async def remove_rule(connection: AsyncConnection, department: str | None, topic: str | None) -> bool:
    """Removes it; False if there is none."""
    which = (_rules.department == (department or "")) & (_rules.topic == (topic or ""))
    return (await connection.execute(delete(schema.retention).where(which))).rowcount > 0


async def due(
    connection: AsyncConnection, now: int, *, after: int = 0, limit: int = 1000, same: SamePeople = each_alone
) -> list[Due]:
    """Chats whose time is over at `now` (ms UTC) and that still say something, by ticket from `after` on."""
    days = _days(await rules(connection))
    question = (
        select(_chats.ticket, _chats.department, _chats.topic, _chats.closed_at, days, await held(connection, same))
        .where(_chats.ticket > after, _over(days, now), says_something())
        .order_by(_chats.ticket)
        .limit(limit)
    )
    return [Due(*row) for row in await connection.execute(question)]


async def expired(connection: AsyncConnection, now: int, *, limit: int, same: SamePeople = each_alone) -> list[int]:
    """Of the chats that are due, those that nobody holds, by ticket."""
    days = _days(await rules(connection))
    question = select(_chats.ticket).where(_over(days, now), says_something(), ~await held(connection, same))
    return list(await connection.scalars(question.order_by(_chats.ticket).limit(limit)))


async def count_due(
    connection: AsyncConnection, now: int, *, same: SamePeople = each_alone
) -> list[tuple[str | None, str | None, int, int]]:
    """(department, topic, how many go, how many stay because they are held), by department and topic."""
    days = _days(await rules(connection))
    on_hold = func.sum(case((await held(connection, same), 1), else_=0))
    question = (
        select(_chats.department, _chats.topic, func.count() - on_hold, on_hold)
        .where(_over(days, now), says_something())
        .group_by(_chats.department, _chats.topic)
        .order_by(_chats.department, _chats.topic)
    )
    rows = await connection.execute(question)
    return [(department, topic, int(go), int(stay)) for department, topic, go, stay in rows]


def _days(found: Sequence[Rule]) -> ColumnElement[int]:
    """The days of the first rule that is about the chat; NULL for ever, and where there is none."""
    if not found:
        return null().cast(BigInteger)
    whens = [(_about(rule), literal(rule.days, BigInteger) if rule.days is not None else null()) for rule in found]
    return case(*whens, else_=null()).cast(BigInteger)


def _about(rule: Rule) -> ColumnElement[bool]:
    department = true() if rule.department is None else _chats.department == rule.department
    topic = true() if rule.topic is None else _chats.topic == rule.topic
    return and_(department, topic)


def _over(days: ColumnElement[int], now: int) -> ColumnElement[bool]:
    # From the end of the chat: a rating that came later, or an erasure, does not make it young again.
    return and_(_chats.state == "closed", _chats.closed_at <= now - days * DAY_MS)


def says_something() -> ColumnElement[bool]:
    """Whether an erasure would find anything in this row of `chats`."""
    left = select(_entries.seq).where(
        _entries.ticket == _chats.ticket, _entries.erased_at.is_(None), _entries.kind.not_in(NOT_SAID)
    )
    return left.correlate(schema.chats).exists()
