"""Many chats erased in one run: the disk is cleaned once, nobody is held up, and who was interrupted goes on."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from record_factories import CUSTOMER, OTHER_TICKET, TICKET, make_chat
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

import transcripts.erasure.eraser
from transcripts import holds, schema
from transcripts.database import read, write
from transcripts.erasure import Certificate, Eraser, Look, Subject, is_genuine
from transcripts.errors import ErasureError
from transcripts.export import as_json
from transcripts.holds import HoldOn
from transcripts.retention import DAY_MS, Rule, due, expired, set_rule
from transcripts.seal import Sealer, SealKey
from transcripts.store import Store
from transcripts.verify import verify

pytestmark = pytest.mark.anyio

KEY = SealKey.from_bytes(bytes(range(32)))
KEYS = {KEY.key_id: KEY.public}
THIRD = 100023
ALL = [TICKET, OTHER_TICKET, THIRD]


class Killed(BaseException):
    """Not an error that anybody handles."""


@dataclass
class Spy:
    """A place that says what was asked of it, and does at that moment what the test wants."""

    name: str = "copies"
    calls: list[tuple[str, Any]] = field(default_factory=list)
    on: dict[tuple[str, Any], Callable[[], Any]] = field(default_factory=dict)

    async def _asked(self, what: str, of: Any) -> None:
        self.calls.append((what, of))
        if done := self.on.get((what, of), lambda: None)():
            await done

    async def settle(self, tickets: Sequence[int]) -> None:
        for ticket in tickets:
            await self._asked("settle", ticket)

    async def erase(self, tickets: Sequence[int]) -> None:
        for ticket in tickets:
            await self._asked("erase", ticket)

    async def scrub(self) -> None:
        await self._asked("scrub", None)

    async def look(self, samples: Collection[bytes]) -> Look:
        await self._asked("look", None)
        return Look(self.name, 1, 10)

    def asked(self, what: str) -> list[Any]:
        return [of for called, of in self.calls if called == what]


@pytest.fixture
def spy() -> Spy:
    return Spy()


@pytest.fixture
async def eraser(engine: AsyncEngine, store: Store, spy: Spy, monkeypatch: pytest.MonkeyPatch) -> Eraser:
    """Of a record with three sealed chats; the third is somebody else's. Every chat is a batch."""
    monkeypatch.setattr(transcripts.erasure.eraser, "BATCH", 1)
    await store.append([make_chat(TICKET), make_chat(OTHER_TICKET), make_chat(THIRD, customer_id="cust-ben")])
    sealer = Sealer(engine, KEY)
    await sealer.seal_many(ALL)
    return Eraser(engine, sealer, places=[spy])


async def said(store: Store, ticket: int) -> list[int]:
    """Numbers of the entries that still have a text."""
    return [one.seq for one in await store.entries(ticket, staff=True) if one.text]


async def interrupted(engine: AsyncEngine) -> list[int]:
    async with read(engine) as connection:
        return list(await connection.scalars(select(schema.interrupted_erasures.c.ticket)))


async def hold(engine: AsyncEngine, on: HoldOn) -> None:
    async with write(engine) as connection:
        assert await holds.place(connection, on, reason="case 7", by="sue", at=1)


async def assert_verified(store: Store, *tickets: int) -> None:
    for ticket in tickets:
        found = verify(json.loads(json.dumps(await as_json(store, ticket, "staff"))), KEYS)
        assert found.ok, found.first


async def test_everything_goes_and_each_place_is_cleaned_and_read_once(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy
) -> None:
    progress: list[tuple[int, int]] = []
    swept = await eraser.sweep(ALL, on_progress=lambda *done: progress.append(done))
    assert swept.left == {}
    assert swept.certificate
    assert [one.ticket for one in swept.certificate.chats] == ALL
    assert swept.certificate.rows["chats"] == 3
    assert swept.certificate.rows["entries"] == 3 * 5
    assert swept.certificate.samples > 10
    assert is_genuine(msgspec.to_builtins(swept.certificate), KEYS)
    assert [await said(store, ticket) for ticket in ALL] == [[], [], []]
    assert spy.asked("erase") == ALL
    assert (spy.asked("scrub"), spy.asked("look")) == ([None], [None])
    assert progress == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert await interrupted(engine) == []
    await assert_verified(store, *ALL)


async def test_where_nothing_is_due_nothing_is_cleaned(eraser: Eraser, spy: Spy) -> None:
    assert (await eraser.sweep([])).certificate is None
    assert spy.calls == []


@pytest.mark.parametrize("on", [HoldOn(ticket=OTHER_TICKET), HoldOn(customer_id="cust-ben")])
async def test_what_is_held_stays_and_the_others_go(
    eraser: Eraser, engine: AsyncEngine, store: Store, on: HoldOn
) -> None:
    await hold(engine, on)
    held = on.ticket or THIRD
    swept = await eraser.sweep(ALL)
    assert swept.left == {held: f"chat #{held} is on legal hold"}
    assert swept.certificate
    assert [one.ticket for one in swept.certificate.chats] == [one for one in ALL if one != held]
    assert await said(store, held) == [2, 4, 5]


async def test_a_hold_is_in_time_while_the_run_goes_on(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy
) -> None:
    """The last moment before a chat is touched; the whole of it was looked at already."""
    spy.on["settle", OTHER_TICKET] = lambda: hold(engine, HoldOn(ticket=OTHER_TICKET))
    swept = await eraser.sweep(ALL)
    assert list(swept.left) == [OTHER_TICKET]
    assert [await said(store, ticket) for ticket in ALL] == [[], [2, 4, 5], []]
    assert spy.asked("erase") == [TICKET, THIRD]


async def test_what_is_busy_stays_and_the_others_go(eraser: Eraser, store: Store, spy: Spy) -> None:
    def busy() -> None:
        raise ErasureError("it is busy")

    spy.on["settle", TICKET] = busy
    await store.append([make_chat(100037, closed=False)])
    swept = await eraser.sweep([*ALL, 100037, 100042])
    assert swept.left == {
        TICKET: "it is busy",
        100037: "chat #100037 has not ended (active): close it first",
        100042: "there is no chat #100042",
    }
    assert [await said(store, ticket) for ticket in ALL] == [[2, 4, 5], [], []]


@pytest.mark.parametrize("moment", [("erase", OTHER_TICKET), ("scrub", None), ("look", None)])
async def test_who_is_killed_goes_on_where_they_were(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy, moment: tuple[str, Any]
) -> None:
    def killed() -> None:
        raise Killed

    spy.on[moment] = killed
    with pytest.raises(Killed):
        await eraser.sweep(ALL)
    gone = [ticket for ticket in ALL if not await said(store, ticket)]
    assert await interrupted(engine) == gone
    assert gone
    spy.on.clear()
    spy.calls.clear()
    swept = await eraser.sweep([ticket for ticket in ALL if ticket not in gone])
    assert spy.asked("erase") == ALL  # also those that SQL had lost before
    assert spy.asked("scrub") == [None]
    assert swept.certificate
    assert [one.ticket for one in swept.certificate.chats] == ALL
    assert await interrupted(engine) == []
    await assert_verified(store, *ALL)


@pytest.mark.parametrize("moment", [("erase", TICKET), ("erase", OTHER_TICKET), ("scrub", None), ("look", None)])
async def test_who_was_killed_is_found_by_the_name_they_had(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy, moment: tuple[str, Any]
) -> None:
    def killed() -> None:
        raise Killed

    subject = Subject((TICKET, OTHER_TICKET), customers=(CUSTOMER, "cust-too"), called="external:c-77")
    spy.on[moment] = killed
    with pytest.raises(Killed):
        await eraser.erase(subject)
    assert await eraser.interrupted_people("external:c-7") == ()
    assert await eraser.interrupted_people("external:c-77") == (CUSTOMER, "cust-too")
    spy.on.clear()
    certificate = await eraser.erase(subject)
    assert [one.ticket for one in certificate.chats] == [TICKET, OTHER_TICKET]
    assert certificate.customers == (CUSTOMER, "cust-too")
    assert await eraser.interrupted_people("external:c-77") == ()
    assert await interrupted(engine) == []


async def test_who_is_told_to_stop_stops_between_two_batches(eraser: Eraser, engine: AsyncEngine, store: Store) -> None:
    def stop(done: int, total: int) -> None:
        if done == 1:
            raise Killed

    with pytest.raises(Killed):
        await eraser.sweep(ALL, on_progress=stop)
    assert [await said(store, ticket) for ticket in ALL] == [[], [2, 4, 5], [2, 4, 5]]
    assert await interrupted(engine) == [TICKET]


async def test_an_interrupted_erasure_of_one_entry_takes_no_other(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy
) -> None:
    def killed() -> None:
        raise Killed

    spy.on["scrub", None] = killed
    with pytest.raises(Killed):
        await eraser.erase(Subject((TICKET,), (5,)))
    spy.on.clear()
    await hold(engine, HoldOn(customer_id=CUSTOMER))  # comes too late for that entry, and in time for the others
    swept = await eraser.sweep([])
    assert swept.certificate
    assert [(one.ticket, one.entries) for one in swept.certificate.chats] == [(TICKET, (5,))]
    assert await said(store, TICKET) == [2, 4]
    assert (await eraser.sweep([])).certificate is None


async def test_a_chat_of_which_an_entry_was_erased_goes_once(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy
) -> None:
    def killed() -> None:
        raise Killed

    spy.on["scrub", None] = killed
    with pytest.raises(Killed):
        await eraser.erase(Subject((TICKET,), (5,)))
    spy.on.clear()
    swept = await eraser.sweep([TICKET])
    assert swept.certificate
    assert [(one.ticket, one.entries) for one in swept.certificate.chats] == [(TICKET, (1, 2, 4, 5, 6))]


async def test_a_place_that_is_busy_is_cleaned_by_the_next_run(
    eraser: Eraser, engine: AsyncEngine, store: Store, spy: Spy
) -> None:
    def busy() -> None:
        raise ErasureError("busy in Redis")

    spy.on["erase", OTHER_TICKET] = busy
    swept = await eraser.sweep(ALL)
    assert swept.left == {OTHER_TICKET: "busy in Redis"}
    assert swept.certificate
    assert [one.ticket for one in swept.certificate.chats] == [TICKET, THIRD]  # it says nothing of the other
    assert await interrupted(engine) == [OTHER_TICKET]
    spy.on.clear()
    again = await eraser.sweep([])
    assert again.certificate
    assert [one.ticket for one in again.certificate.chats] == [OTHER_TICKET]
    await assert_verified(store, *ALL)


async def test_the_certificate_is_kept_or_the_erasure_has_not_ended(eraser: Eraser, engine: AsyncEngine) -> None:
    kept: list[Certificate] = []

    async def keep(connection: AsyncConnection, certificate: Certificate) -> None:
        kept.append(certificate)
        if len(kept) == 1:
            raise Killed

    keeping = Eraser(engine, Sealer(engine, KEY), keep=keep)
    with pytest.raises(Killed):
        await keeping.sweep(ALL)
    assert await interrupted(engine) == ALL
    swept = await keeping.sweep([])
    assert swept.certificate == kept[1]
    assert await interrupted(engine) == []


async def test_what_is_due_is_handed_over_without_what_is_held(
    eraser: Eraser, engine: AsyncEngine, store: Store
) -> None:
    async with write(engine) as connection:
        await set_rule(connection, Rule(None, None, 30))
    await hold(engine, HoldOn(ticket=TICKET))
    chat = await store.chat(TICKET)
    assert chat
    assert chat.closed_at
    now = chat.closed_at + 31 * DAY_MS

    async def tickets(limit: int = 10, at: int = now) -> list[int]:
        async with read(engine) as connection:
            return await expired(connection, at, limit=limit)

    assert await tickets() == [OTHER_TICKET, THIRD]
    assert await tickets(1) == [OTHER_TICKET]
    assert await tickets(at=now - 2 * DAY_MS) == []
    assert (await eraser.sweep(await tickets())).left == {}
    assert await tickets() == []
    async with read(engine) as connection:
        assert [(one.ticket, one.held) for one in await due(connection, now)] == [(TICKET, True)]
