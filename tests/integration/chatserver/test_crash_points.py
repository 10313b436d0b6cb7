"""A worker may die before any step it takes, which is after the one before. The next worker ends where an undisturbed
one does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.broker.keys import partition
from chatserver.broker.link import Link
from tests.support.backstage import Backstage
from transcripts import schema
from transcripts.database import open_database, read
from transcripts.search import Search

pytestmark = pytest.mark.anyio

Work = Callable[[Backstage, Link, AsyncEngine], Awaitable[object]]


class Died(BaseException):
    """Not an Exception: nothing may catch it, as nothing catches a kill -9."""


class Life:
    """So many steps, and none after."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died


class MortalLink(Link):
    """A link whose every command is a step of a life."""

    def __init__(self, link: Link, life: Life) -> None:
        self._inner, self._life, self.by_tag = link, life, link.by_tag

    async def call(self, *args: bytes | str | int) -> Any:
        self._life.step()
        return await self._inner.call(*args)

    async def calls(self, commands: Sequence[Any], **_: bool) -> list[Any]:
        return [await self.call(*command) for command in commands]

    async def scripts(self, name: str, each: Sequence[Any], **_: bool) -> list[Any]:
        return [await self.script(name, keys, args) for keys, args in each]

    async def script(self, *args: Any) -> Any:
        self._life.step()
        return await self._inner.script(*args)


def mortal_engine(url: str, life: Life) -> AsyncEngine:
    """A database whose every statement and commit is a step of a life."""
    engine = open_database(url)
    for name in ("before_cursor_execute", "commit"):
        event.listen(engine.sync_engine, name, lambda *_: life.step())
    return engine


async def persist_seal_index(stage: Backstage, link: Link, engine: AsyncEngine) -> None:
    """A worker's round, so often that nothing is left to do."""
    for _ in range(2):
        await stage.persister(link=link, engine=engine).run_once()
        await stage.finaliser(link=link, engine=engine).run_once()
        await Search(engine).index_pending(100)


async def reconcile(stage: Backstage, link: Link, engine: AsyncEngine) -> None:
    await stage.reconciler(link=link, engine=engine).run_once()
    await persist_seal_index(stage, link, engine)


async def two_chats(stage: Backstage) -> list[int]:
    """One goes on, one has just been closed; nothing is in SQL."""
    going_on, customer = await stage.open("Going on")
    await stage.send(customer, going_on, 2, "still here")
    ended, _ = await stage.open("Done")
    agent = await stage.assign(ended)
    await stage.send(agent, ended, 2, "A note about kettles", "note")
    await stage.send(agent, ended, 3, None, "closed")
    return [going_on, ended]


async def redis_went_back(stage: Backstage) -> list[int]:
    """What SQL has of two chats, one of them closed there, is not what Redis has; a third one it has not at all."""
    going_on, customer = await stage.open("Going on")
    ended, _ = await stage.open("Done")
    agent = await stage.assign(ended)
    await stage.persist()
    copy = stage.valkey.copy()
    gone, _ = await stage.open("Gone")
    await stage.send(customer, going_on, 2, "durable")
    await stage.send(agent, ended, 2, None, "closed")
    await stage.persist()
    stage.valkey.go_back(copy)
    await stage.send(customer, going_on, 2, "something else")
    await stage.send(agent, ended, 2, "before it closed")
    return [going_on, ended, gone]


@pytest.mark.parametrize(("begin", "work"), [(two_chats, persist_seal_index), (redis_went_back, reconcile)])
async def test_next_worker_ends_where_an_undisturbed_one_does(
    stage: Backstage,
    begin: Callable[[Backstage], Awaitable[list[int]]],
    work: Work,
) -> None:
    tickets = await begin(stage)
    stage.partitions = {*map(partition, tickets), 0}
    await stage.keep_record()
    before = stage.valkey.copy()
    await work(stage, stage.link, stage.engine)
    wanted = await outcome(stage, tickets)

    deaths = 0
    while True:
        await stage.record_goes_back()
        stage.valkey.go_back(before)
        life = Life(deaths)
        engine = mortal_engine(stage.database.url, life)
        try:
            await work(stage, MortalLink(stage.link, life), engine)
        except Died:
            deaths += 1 if is_sqlite(stage) else 3  # the same steps, and a database goes back more slowly
        else:
            break
        finally:
            life.left = 1_000_000  # for closing the connections
            await engine.dispose()
        with stage.valkey.redis() as redis:
            redis.delete(*(f"chat:{{p{partition(ticket):02d}}}:{ticket}:rebase" for ticket in tickets))  # as time does
        await work(stage, stage.link, stage.engine)
        assert await outcome(stage, tickets) == wanted, f"died at step {deaths}"
    assert deaths > 20


def is_sqlite(stage: Backstage) -> bool:
    return stage.engine.dialect.name == "sqlite"


async def outcome(stage: Backstage, tickets: list[int]) -> dict[str, Any]:
    """Everything that is not random: what people said, the seals and their chain, the index, the keys in Redis."""
    async with read(stage.engine) as connection:
        seals = (await connection.execute(select(schema.seals).order_by(schema.seals.c.number))).mappings().all()
        chain = (await connection.execute(select(schema.seal_chain))).mappings().one()
        chats = (await connection.execute(select(schema.chats).order_by(schema.chats.c.ticket))).mappings().all()
    digests = [bytes(32), *(row["digest"] for row in seals)]
    assert [row["prev_seal"] for row in seals][1:] == digests[1:-1]
    assert (chain["number"], chain["digest"] if seals else digests[-1]) == (len(seals), digests[-1])
    entries = {ticket: await stage.entries(ticket) for ticket in tickets}
    return {
        "said": {
            ticket: [(one.seq, one.prev, one.kind, one.text, one.n, one.data) for one in found]
            for ticket, found in entries.items()
        },
        "seals": [(row["number"], row["ticket"], row["from_seq"], row["to_seq"]) for row in seals],
        "chats": [{name: value for name, value in row.items() if name not in ("epoch", "last_at")} for row in chats],
        "redis": [await kept(stage, ticket) for ticket in tickets],
        "lists": lists(stage),
    }


async def kept(stage: Backstage, ticket: int) -> tuple[Any, ...] | None:
    if not await stage.log.exists(ticket):
        return None
    live = await stage.live(ticket)
    recorded = await stage.store.chat(ticket)
    assert recorded is not None
    assert (live.epoch, live.seq, live.durable) == (recorded.epoch, recorded.last_seq, recorded.last_seq)
    return live.state, live.seq, live.owner, live.gen, dict(live.last_n)


def lists(stage: Backstage) -> dict[str, list[str]]:
    """What the persister and the finaliser still have to do."""
    with stage.valkey.redis() as redis:
        names = [name for name in redis.keys("chat:{p*") if name.rsplit(b":", 1)[1] in (b"dirty", b"fin")]
        return {name.decode(): [str(one) for one in redis.zrange(name, 0, -1)] for name in names}
