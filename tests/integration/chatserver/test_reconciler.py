"""One of log and record has lost something that nobody touches: the worker finds it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from chatserver.broker.keys import chat_key, partition, ticket_work_list, work_list
from chatserver.stores.queue import Queue
from tests.support.backstage import Backstage

pytestmark = pytest.mark.anyio


def scores(stage: Backstage, name: bytes, *tickets: int) -> list[bool]:
    """Which of the chats are on their partition's work list."""
    with stage.valkey.redis() as redis:
        return [redis.zscore(ticket_work_list(name, ticket), str(ticket)) is not None for ticket in tickets]


async def test_empty_redis_gets_all_open_chats_back(stage: Backstage) -> None:
    waiting, _ = await stage.open()
    taken, _ = await stage.open()
    agent = await stage.assign(taken)
    ended, _ = await stage.open()
    agent_2 = await stage.assign(ended)
    await stage.send(agent_2, ended, 2, None, "closed")
    await stage.persist()
    await stage.finaliser().run_once()
    reconciler = stage.reconciler()
    await reconciler.run_once()
    before = await stage.live(waiting), await stage.live(taken)
    with stage.valkey.redis() as redis:
        redis.flushall()

    await reconciler.run_once()
    after = await stage.live(waiting), await stage.live(taken)
    assert [(one.state, one.seq, one.owner) for one in after] == [(one.state, one.seq, one.owner) for one in before]
    assert [one.epoch for one in after] != [one.epoch for one in before]
    assert after[1].owner == agent.participant.id
    assert scores(stage, b"todo", waiting, taken) == [True, True]  # the routing slot has to look at them
    assert not await stage.log.exists(ended)  # whoever wants it gets it from SQL

    epochs = [one.epoch for one in after]
    await reconciler.run_once()
    assert [(await stage.live(ticket)).epoch for ticket in (waiting, taken)] == epochs


async def test_log_that_lost_its_tail_gets_it_back(stage: Backstage) -> None:
    ticket, customer = await stage.open()
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(customer, ticket, 2, "two")
    await stage.persist()
    reconciler = stage.reconciler()
    await reconciler.run_once()
    stage.valkey.go_back(copy)
    with capture_logs() as logs:
        await reconciler.run_once()
    assert (await stage.live(ticket)).seq == 3
    rewound = next(line for line in logs if line["event"] == "chat.reconciled")
    assert (rewound["ticket"], rewound["log"], rewound["record"], rewound["appended_again"]) == (ticket, 2, 3, 0)
    assert (await stage.send(customer, ticket, 2, "two")).dup


async def test_closed_chat_that_redis_takes_for_open_is_closed_again(stage: Backstage) -> None:
    """It is not among SQL's open chats: the other direction finds it."""
    ticket, _ = await stage.open()
    agent = await stage.assign(ticket)
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(agent, ticket, 2, None, "closed")
    await stage.persist()
    await stage.finaliser().run_once()
    stage.valkey.go_back(copy)
    await stage.reconciler().run_once()
    assert (await stage.live(ticket)).state == "closed"


async def test_work_that_is_on_no_list_is_put_on_it(stage: Backstage) -> None:
    dirty, customer = await stage.open()
    await stage.persist()
    await stage.send(customer, dirty, 2, "two")
    closing, _ = await stage.open()
    agent = await stage.assign(closing)
    await stage.send(agent, closing, 2, None, "closed")
    with stage.valkey.redis() as redis:
        for name in (b"dirty", b"fin"):
            for ticket in (dirty, closing):
                redis.delete(ticket_work_list(name, ticket))
    await stage.reconciler().run_once()
    assert scores(stage, b"dirty", dirty, closing) == [True, True]
    assert scores(stage, b"fin", dirty, closing) == [False, True]
    await stage.persist()
    await stage.finaliser().run_once()
    assert (await stage.live(closing)).state == "closed"


async def test_routing_slot_that_lost_a_chat_has_it_again(stage: Backstage) -> None:
    """Redis was restarted with an older file: each open chat is looked at, whether it fits or not."""
    ticket, _ = await stage.open()
    await stage.persist()
    with stage.valkey.redis() as redis:
        redis.delete(ticket_work_list(b"todo", ticket))
        redis.set(work_list(b"walked", partition(ticket)), "another run")
    await stage.reconciler().run_once()
    assert scores(stage, b"todo", ticket) == [True]
    assert await Queue(stage.link, grace_seconds=45).agree(await stage.live(ticket))


async def test_sql_from_an_older_copy_gets_what_the_log_still_has(stage: Backstage) -> None:
    known, customer = await stage.open()
    await stage.persist()
    await stage.keep_record()
    texts = [f"message {n}" for n in range(2, 30)]
    for n, said in enumerate(texts, start=2):
        await stage.send(customer, known, n, said)
    unknown, _ = await stage.open("Only in Redis")
    await stage.persist()
    await stage.record_goes_back()
    assert len(await stage.entries(known)) == 2
    assert await stage.store.chat(unknown) is None

    await stage.reconciler().run_once()
    await stage.persist()
    assert [entry.text for entry in await stage.entries(known)][2:] == texts
    assert [entry.text for entry in await stage.entries(unknown)] == [None, "Only in Redis"]
    assert (await stage.live(known)).durable == 30


async def test_hole_that_nobody_can_fill_is_told_and_left_alone(stage: Backstage) -> None:
    ticket, customer = await stage.open()
    await stage.persist()
    await stage.keep_record()
    await stage.send(customer, ticket, 2, "two")
    await stage.persist()
    await stage.record_goes_back()
    await stage.send(customer, ticket, 3, "three")
    with stage.valkey.redis() as redis:
        redis.xtrim(chat_key(ticket, b":x"), minid="4-0", approximate=False)
    reconciler = stage.reconciler()
    with capture_logs() as logs:
        await reconciler.run_once()
        await reconciler.run_once()
    holes = [line for line in logs if line["event"] == "chat.hole"]
    assert [(line["ticket"], line["after"], line["stream"], line["log"]) for line in holes] == [(ticket, 2, 4, 4)]
    await stage.persister().run_once()
    live = await stage.live(ticket)
    assert (live.seq, live.durable) == (4, 3)
    assert len(await stage.entries(ticket)) == 2
