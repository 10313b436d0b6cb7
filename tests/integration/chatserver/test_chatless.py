"""Retention takes the customers of an import of whom no chat is left; nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chatserver.actions import expiring
from chatserver.stores.chatless import chatless, count_chatless
from chatserver.stores.erasing import ALL_RULES
from chatserver.stores.same_person import kept_with
from chatserver.stores.schema import customers, preferences
from tests.support.backstage import SEAL_KEY, Backstage
from transcripts import holds, retention, schema
from transcripts.database import read, write
from transcripts.erasure import Eraser, Subject
from transcripts.holds import HoldOn
from transcripts.retention import DAY_MS
from transcripts.seal import Sealer

pytestmark = pytest.mark.anyio

NOW = 9 * DAY_MS

# All but `open` and `later` have one chat, which is due; these two have another one.
WHO: dict[str, dict[str, Any]] = {
    "gone": {"name": "Wilhelmina Brandt", "email": "wilhelmina@example.org"},
    "open": {"name": "Otto Blumenkohl"},
    "later": {"email": "lara.laterly@example.org"},
    "held": {"external_id": "h-1"},
    "signed": {"external_id": "s-1", "verified": True},
    "browser": {},
    "merged": {"name": "Marie-Luise Kaschnitz", "merged_into": "into"},
    "into": {"name": "Marie Kaschnitz-Weinberg"},
}
EVER_SINCE = {"site": "default", "verified": False, "merged_into": None, "name": None, "email": None}


@pytest.fixture
async def eraser(stage: Backstage) -> Eraser:
    """Of a record with all of them, and somebody without any chat; every chat is kept for a day."""
    chats = {who: await ended(stage) for who in WHO}
    others = {"later": await ended(stage), "open": (await stage.open("Hello again"))[0]}
    await stage.persist()
    await stage.finaliser().run_once()
    async with write(stage.engine) as connection:
        rows = [{"id": who, "created_at": 0, "external_id": None} | EVER_SINCE | fields for who, fields in WHO.items()]
        await connection.execute(insert(customers), rows)
        await connection.execute(insert(customers).values(id="never", created_at=0, **(EVER_SINCE | {"name": "Nie"})))
        await connection.execute(insert(preferences).values(person_id="gone", name="look", value="dark"))
        for found, closed_at in ((chats, DAY_MS), ({"later": others["later"]}, NOW), ({"open": others["open"]}, None)):
            for who, ticket in found.items():
                chat = update(schema.chats).where(schema.chats.c.ticket == ticket)
                await connection.execute(chat.values(customer_id=who, closed_at=closed_at))
        await retention.set_rule(connection, retention.Rule(None, None, 1))
    return Eraser(stage.engine, Sealer(stage.engine, SEAL_KEY), rules=ALL_RULES, same=kept_with)


async def ended(stage: Backstage) -> int:
    ticket, _ = await stage.open("Hello")
    await stage.send(await stage.assign(ticket), ticket, 2, None, "closed")
    return ticket


async def known(stage: Backstage) -> set[str]:
    """Who is not erased; whoever is has kept nothing but the id."""
    async with read(stage.engine) as connection:
        rows = (await connection.execute(select(customers))).mappings().all()
        assert {(one["name"], one["email"], one["external_id"]) for one in rows if one["erased_at"]} <= {(None,) * 3}
        return {one["id"] for one in rows if not one["erased_at"]}


async def apply(stage: Backstage, eraser: Eraser) -> tuple[str, ...]:
    """The customers whom a run of retention has taken."""
    applied = await expiring.apply_retention(stage.engine, eraser, NOW)
    assert applied.left == {}
    return applied.certificate.customers if applied.certificate else ()


async def hold(stage: Backstage, who: str) -> None:
    async with write(stage.engine) as connection:
        assert await holds.place(connection, HoldOn(customer_id=who), reason="case 7", by="sue", at=1)


async def test_who_has_no_chat_left_goes_with_the_last(stage: Backstage, eraser: Eraser) -> None:
    everybody = await known(stage)
    async with read(stage.engine) as connection:
        held = await connection.scalar(select(schema.chats.c.ticket).where(schema.chats.c.customer_id == "held"))
        assert (await count_chatless(connection), await chatless(connection)) == (0, [])
    await eraser.erase(Subject((held,)))
    async with read(stage.engine) as connection:
        assert (await count_chatless(connection), await chatless(connection)) == (1, ["held"])
    await hold(stage, "held")
    assert await apply(stage, eraser) == ("gone",)
    assert everybody - await known(stage) == {"gone"}
    async with read(stage.engine) as connection:
        assert (await connection.execute(select(preferences))).all() == []
        assert await count_chatless(connection) == 0
    async with write(stage.engine) as connection:
        assert await holds.lift(connection, HoldOn(customer_id="held"), by="sue", at=2)
        await connection.execute(update(schema.chats).values(state="closed", closed_at=DAY_MS))
    await stage.finaliser().run_once()
    assert set(await apply(stage, eraser)) == {"held", "open", "later"}


async def test_without_a_rule_everybody_is_kept(stage: Backstage, eraser: Eraser) -> None:
    async with write(stage.engine) as connection:
        ticket = await connection.scalar(select(schema.chats.c.ticket).where(schema.chats.c.customer_id == "gone"))
        assert await retention.remove_rule(connection, None, None)
    await eraser.erase(Subject((ticket,)))
    assert await apply(stage, eraser) == ()
    async with read(stage.engine) as connection:
        assert await count_chatless(connection) == 0


async def test_a_hold_that_comes_while_it_runs_is_in_time(
    stage: Backstage, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def then_held(connection: AsyncConnection, among: Sequence[str] | None = None) -> list[str]:
        found = await chatless(connection, among)
        if among is None:
            await hold(stage, "gone")
        return found

    monkeypatch.setattr(expiring, "chatless", then_held)
    assert await apply(stage, eraser) == ("held",)  # whom nobody holds in this test
    assert "gone" in await known(stage)


async def test_who_is_killed_before_the_disk_was_cleaned_leaves_that_to_the_next(
    stage: Backstage, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(self: Eraser, run: object) -> None:
        raise Killed

    async with read(stage.engine) as connection:
        due = await retention.expired(connection, NOW, limit=99)
    await eraser.sweep(due)  # nothing is due any more, and the customers are left
    with monkeypatch.context() as broken:
        broken.setattr(Eraser, "_end", killed)
        with pytest.raises(Killed):
            await apply(stage, eraser)
    assert "gone" not in await known(stage)
    applied = await expiring.apply_retention(stage.engine, eraser, NOW)
    assert applied.certificate
    (database,) = applied.certificate.searched
    assert database.bytes
    assert (await expiring.apply_retention(stage.engine, eraser, NOW)).certificate is None


async def test_what_they_were_called_is_looked_for_on_the_disk(
    stage: Backstage, eraser: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[bytes] = []
    ended = Eraser._end

    async def spied(self: Eraser, run: Any) -> Any:
        looked.extend(run.samples)
        return await ended(self, run)

    monkeypatch.setattr(Eraser, "_end", spied)
    await apply(stage, eraser)
    assert {b"Wilhelmina Brandt", b"wilhelmina@example.org"} <= set(looked)
