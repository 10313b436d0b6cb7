"""What must stay and what goes after a time: legal holds and retention."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from record_factories import CUSTOMER, OTHER_TICKET, START, TICKET, make_chat
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from transcripts import holds, retention, schema
from transcripts.database import read, write
from transcripts.erasure import Eraser, Plan, Subject
from transcripts.errors import HeldError
from transcripts.holds import Hold, HoldOn
from transcripts.retention import DAY_MS, Rule
from transcripts.seal import Sealer, SealKey
from transcripts.store import Store

pytestmark = pytest.mark.anyio

CHAT, PERSON = HoldOn(ticket=TICKET), HoldOn(customer_id=CUSTOMER)


async def keep(
    store: Store, ticket: int, *, closed_at: int | None = START, state: str = "closed", **opening: Any
) -> None:
    await store.append([make_chat(ticket, **opening)])
    async with write(store.engine) as connection:
        chat = update(schema.chats).where(schema.chats.c.ticket == ticket)
        await connection.execute(chat.values(state=state, closed_at=START))


async def rule(engine: AsyncEngine, department: str | None, topic: str | None, days: int | None) -> None:
    async with write(engine) as connection:
        await retention.set_rule(connection, Rule(department, topic, days))


async def due(engine: AsyncEngine, days: float) -> list[int]:
    async with read(engine) as connection:
        return [one.ticket for one in await retention.due(connection, START + round(days * DAY_MS)) if not one.held]


async def hold(engine: AsyncEngine, on: HoldOn, reason: str = "case 7") -> bool:
    async with write(engine) as connection:
        return await holds.place(connection, on, reason=reason, by="sue", at=START)


async def lift(engine: AsyncEngine, on: HoldOn) -> bool:
    async with write(engine) as connection:
        return await holds.lift(connection, on, by="sue", at=START + 1)


async def test_without_a_rule_everything_is_kept(engine: AsyncEngine, store: Store) -> None:
    await keep(store, TICKET)
    assert await due(engine, 1_000_000) == []


async def test_a_chat_goes_when_its_days_are_over_and_not_before(engine: AsyncEngine, store: Store) -> None:
    await keep(store, TICKET)
    await rule(engine, None, None, 30)
    assert await due(engine, 30) == [TICKET]
    assert await due(engine, 30 - 1 / DAY_MS) == []


@pytest.mark.parametrize("state", ["queued", "active", "waiting", "closing"])
async def test_only_what_has_ended_goes(engine: AsyncEngine, store: Store, state: str) -> None:
    await keep(store, TICKET, state=state)
    await rule(engine, None, None, 1)
    assert await due(engine, 1000) == []


async def test_the_rule_that_says_most_counts(engine: AsyncEngine, store: Store) -> None:
    chats = {
        100009: ("support", "Returns"),
        100014: ("support", "Delivery"),
        100023: ("billing", "Returns"),
        100037: ("billing", "Invoice"),
        100042: (None, None),
    }
    for ticket, (department, topic) in chats.items():
        await keep(store, ticket, department=department, topic=topic)
    await rule(engine, None, None, 10)
    await rule(engine, None, "Returns", 20)
    await rule(engine, "support", None, 30)
    await rule(engine, "support", "Returns", 40)
    async with read(engine) as connection:
        found = {one.ticket: one.days for one in await retention.due(connection, START + 100 * DAY_MS)}
        rules = await retention.rules(connection)
    assert found == {100009: 40, 100014: 30, 100023: 20, 100037: 10, 100042: 10}
    assert rules == [
        Rule("support", "Returns", 40),
        Rule("support", None, 30),
        Rule(None, "Returns", 20),
        Rule(None, None, 10),
    ]
    # For ever is a rule, too, and hides the ones that say less.
    await rule(engine, "support", "Returns", None)
    assert await due(engine, 100) == [100014, 100023, 100037, 100042]
    async with write(engine) as connection:
        assert await retention.remove_rule(connection, "support", "Returns")
        assert not await retention.remove_rule(connection, "support", "Returns")
    assert await due(engine, 30) == [100009, 100014, 100023, 100037, 100042]
    async with read(engine) as connection:
        counts = await retention.count_due(connection, START + 15 * DAY_MS)
    assert set(counts) == {
        (None, None, 1, 0),
        ("billing", "Invoice", 1, 0),
    }  # where NULL sorts is the database's affair


async def test_due_chats_come_in_pages(engine: AsyncEngine, store: Store) -> None:
    for ticket in (TICKET, OTHER_TICKET, 100023):
        await keep(store, ticket)
    await rule(engine, None, None, 1)
    async with read(engine) as connection:
        now = START + 2 * DAY_MS
        first = await retention.due(connection, now, limit=2)
        second = await retention.due(connection, now, after=first[-1].ticket, limit=2)
    assert [one.ticket for one in first + second] == [TICKET, OTHER_TICKET, 100023]


async def test_what_was_erased_is_not_due_again(engine: AsyncEngine, store: Store) -> None:
    await keep(store, TICKET)
    await rule(engine, None, None, 1)
    sealer = Sealer(engine, SealKey.from_bytes(bytes(32)))
    await sealer.seal_many([TICKET])
    await Eraser(engine, sealer).erase(Subject((TICKET,), (2,)))
    assert await due(engine, 2) == [TICKET]  # the rest of it is left
    await Eraser(engine, sealer).erase(Subject((TICKET,)))
    assert await due(engine, 2) == []


async def test_a_hold_that_comes_while_a_chat_is_erased_waits_for_the_end(
    engine: AsyncEngine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(store, TICKET)
    sealer = Sealer(engine, SealKey.from_bytes(bytes(32)))
    await sealer.seal_many([TICKET])
    holding: list[asyncio.Task[bool]] = []
    apply = Eraser._apply

    async def applied(self: Eraser, connection: AsyncConnection, subject: Subject) -> dict[str, int]:
        if subject.tickets:  # the erasure has looked for holds, and not committed
            holding.extend(asyncio.create_task(hold(engine, on)) for on in (CHAT, PERSON))
            await asyncio.wait(holding, timeout=0.3)
            assert not any(one.done() for one in holding)
        return await apply(self, connection, subject)

    monkeypatch.setattr(Eraser, "_apply", applied)
    await Eraser(engine, sealer).erase(Subject((TICKET,)))
    assert await asyncio.gather(*holding) == [True, True]


async def test_of_two_that_place_a_hold_at_once_one_has_placed_it(engine: AsyncEngine, store: Store) -> None:
    await keep(store, TICKET)
    for on in (CHAT, PERSON):
        assert sorted(await asyncio.gather(*(hold(engine, on) for _ in range(4)))) == [False, False, False, True]


@pytest.mark.parametrize("on", [CHAT, PERSON])
async def test_what_is_held_is_not_erased(engine: AsyncEngine, store: Store, on: HoldOn) -> None:
    await keep(store, TICKET)
    sealer = Sealer(engine, SealKey.from_bytes(bytes(32)))
    await sealer.seal_many([TICKET])
    await hold(engine, on)
    eraser = Eraser(engine, sealer)
    for subject in (Subject((TICKET,)), Subject((TICKET,), (2,)), Subject((TICKET,), customers=(CUSTOMER,))):
        with pytest.raises(HeldError):
            await eraser.plan(subject)
        with pytest.raises(HeldError):
            await eraser.erase(subject)
    assert all(one.erased_at is None for one in await store.entries(TICKET, staff=True))
    await lift(engine, on)
    assert (await eraser.erase(Subject((TICKET,)))).chats[0].ticket == TICKET


async def test_a_hold_that_comes_while_an_erasure_begins_is_in_time(
    engine: AsyncEngine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(store, TICKET)
    sealer = Sealer(engine, SealKey.from_bytes(bytes(32)))
    await sealer.seal_many([TICKET])
    plan = Eraser.plan

    async def planned(self: Eraser, subject: Subject) -> Plan:
        found = await plan(self, subject)
        await hold(engine, CHAT)
        return found

    monkeypatch.setattr(Eraser, "plan", planned)
    with pytest.raises(HeldError):
        await Eraser(engine, sealer).erase(Subject((TICKET,)))
    assert all(one.erased_at is None for one in await store.entries(TICKET, staff=True))


@pytest.mark.parametrize("on", [CHAT, PERSON])
async def test_what_is_held_stays_until_the_hold_is_lifted(engine: AsyncEngine, store: Store, on: HoldOn) -> None:
    await keep(store, TICKET)
    await keep(store, OTHER_TICKET, customer_id="somebody-else")
    await rule(engine, None, None, 1)
    assert await hold(engine, on)
    assert await due(engine, 2) == [OTHER_TICKET]
    async with read(engine) as connection:
        assert [one.held for one in await retention.due(connection, START + 2 * DAY_MS)] == [True, False]
        assert await retention.count_due(connection, START + 2 * DAY_MS) == [("support", "Returns", 1, 1)]
        await holds.check(connection, [OTHER_TICKET])
        with pytest.raises(HeldError, match="100009"):
            await holds.check(connection, [OTHER_TICKET, TICKET])
    assert await lift(engine, on)
    assert await due(engine, 2) == [TICKET, OTHER_TICKET]
    async with read(engine) as connection:
        await holds.check(connection, [OTHER_TICKET, TICKET])


async def test_a_customer_who_is_held_keeps_later_chats(engine: AsyncEngine, store: Store) -> None:
    await hold(engine, PERSON)
    await keep(store, TICKET)
    async with read(engine) as connection:
        with pytest.raises(HeldError):
            await holds.check(connection, [TICKET])


async def test_a_customer_who_is_held_is_kept_without_any_chat(engine: AsyncEngine) -> None:
    await hold(engine, PERSON)
    async with read(engine) as connection:
        await holds.check(connection, customers=["somebody-else"])
        with pytest.raises(HeldError, match=CUSTOMER):
            await holds.check(connection, customers=["somebody-else", CUSTOMER])


async def test_a_hold_protects_whoever_is_the_same_person(engine: AsyncEngine, store: Store) -> None:
    """Who that is, is asked each time, and only where a customer is held."""
    await keep(store, TICKET)
    await keep(store, OTHER_TICKET, customer_id="also-mia")
    await rule(engine, None, None, 1)
    asked: list[set[str]] = []

    async def same(connection: AsyncConnection, customers: Collection[str]) -> Collection[str]:
        asked.append(set(customers))
        return {*customers, "also-mia"} if CUSTOMER in customers else customers

    now = START + 2 * DAY_MS
    eraser = Eraser(engine, Sealer(engine, SealKey.from_bytes(bytes(32))), same=same)
    async with read(engine) as connection:
        assert await retention.expired(connection, now, limit=9, same=same) == [TICKET, OTHER_TICKET]
    await eraser.plan(Subject((OTHER_TICKET,), customers=("also-mia",)))
    assert asked == []
    await hold(engine, PERSON)
    for subject in (Subject((OTHER_TICKET,)), Subject(customers=("also-mia",))):
        with pytest.raises(HeldError):
            await eraser.erase(subject)
    async with read(engine) as connection:
        assert await retention.expired(connection, now, limit=9, same=same) == []
        assert await retention.expired(connection, now, limit=9) == [OTHER_TICKET]
    assert set(map(frozenset, asked)) == {frozenset((CUSTOMER,))}


async def test_two_holds_on_a_chat_are_lifted_one_by_one(engine: AsyncEngine, store: Store) -> None:
    await keep(store, TICKET)
    assert await hold(engine, CHAT)
    assert await hold(engine, PERSON)
    assert await lift(engine, CHAT)
    async with read(engine) as connection:
        with pytest.raises(HeldError):
            await holds.check(connection, [TICKET])


async def test_a_hold_stands_once_and_can_come_back(engine: AsyncEngine) -> None:
    assert await hold(engine, CHAT)
    assert not await hold(engine, CHAT, "another")
    async with read(engine) as connection:
        assert await holds.standing(connection) == [Hold(CHAT, "case 7", "sue", START)]
        assert await holds.standing(connection, on=[PERSON]) == []
    assert await lift(engine, CHAT)
    assert not await lift(engine, CHAT)
    assert await hold(engine, CHAT, "another")
    async with read(engine) as connection:
        assert [one.reason for one in await holds.standing(connection, on=[CHAT, PERSON])] == ["another"]
