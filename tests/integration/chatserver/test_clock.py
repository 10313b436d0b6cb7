"""The clock of Redis, or of the whole machine, jumps back and forth: order, owners and leases stay what they were."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from itertools import groupby
from pathlib import Path

import pytest
from redis import Redis

from chatserver.broker.keys import PARTITIONS, routing
from chatserver.broker.log import ChatLog
from chatserver.broker.repair import LogRepair
from chatserver.stores.presence import Presence
from chatserver.worker.leases import Leases
from tests.support.backstage import Backstage, Valkey
from tests.support.client import PATIENCE, Api
from tests.support.fake_clock import FakeClock
from tests.support.link import linked
from tests.support.log import assert_one_order, until_durable, until_state, whole_log
from tests.support.people import People, add_staff, open_chat, position, start_talk
from tests.support.server import RunningServer
from tests.support.sqlite import SqliteFile
from tests.support.sweep import Sweep
from tests.support.valkey import OwnValkey
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

BACK, AHEAD = -600, 3600  # seconds


async def jump(clock: FakeClock, seconds: int, redis: Redis) -> None:
    """Lets the clock jump, and waits until Redis has seen it."""
    clock.jump(seconds)
    await until(lambda: abs(redis.time()[0] - time.time() - seconds) < 60)  # type: ignore[index]  # not asynchronous


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    with tempfile.TemporaryDirectory(prefix="chat-clock-") as folder:
        yield FakeClock(Path(folder))


@pytest.fixture
def server_with_clock(clock: FakeClock) -> Iterator[RunningServer]:
    """Web process, worker and Valkey all see this clock."""
    with RunningServer(env=clock.env) as running:
        add_staff(running, "ann", "ben")
        yield running


@pytest.fixture
async def people(server_with_clock: RunningServer) -> AsyncIterator[People]:
    async with People(server_with_clock) as everybody:
        yield everybody


async def test_a_talk_while_the_clock_jumps(people: People, clock: FakeClock, server_with_clock: RunningServer) -> None:
    redis = server_with_clock.redis()
    talk = await start_talk(people)
    acks = [talk.opened, talk.taken, await talk.say(2, "Before")]
    await jump(clock, BACK, redis)
    acks += [await talk.say(3, "Back"), await talk.answer(2, "I see"), await talk.note(3, "Odd")]
    await until_durable(talk.agent, talk.ticket)
    await jump(clock, AHEAD, redis)
    n = 3
    while (
        acks[-1]["at"] < acks[0]["at"] + AHEAD * 1000
    ):  # the web process hears of it with its next look at Redis' clock
        acks.append(await talk.say(n := n + 1, "Ahead"))
    acks.append(await talk.answer(4, "Strange"))
    again = await people.resume(talk.customer, chats=[position(acks[-2])])
    await jump(clock, 0, redis)
    acks += [await again.call("post_message", ticket=talk.ticket, n=n + 1, text="Home"), await talk.answer(5, "Good")]
    other = await open_chat(again, "Another one")
    assert (await talk.agent.call("take_chat", ticket=other["ticket"], n=1))["gen"] == 1
    acks.append(await talk.end(6))
    await until_state(talk.agent, talk.ticket, "closed")
    redis.close()

    log = await whole_log(talk.agent, talk.ticket)
    assert_one_order(log, *acks)
    times = [entry["at"] for entry in log]
    assert times == sorted(times)
    said = [text for text, _ in groupby(entry["text"] for entry in log if entry["kind"] == "message")]
    assert said[1:] == ["Before", "Back", "I see", "Ahead", "Strange", "Home", "Good"]


async def test_entries_have_redis_time_when_the_clock_of_the_web_process_jumps(clock: FakeClock) -> None:
    """By less than what a script takes for a mistake."""
    with OwnValkey() as valkey, RunningServer(env={**clock.env, "CHAT_REDIS_URL": valkey.url}) as running:
        add_staff(running, "ann")
        async with People(running) as people:
            talk = await start_talk(people)
            ats = [talk.opened["at"], talk.taken["at"]]
            with valkey.redis() as redis:
                for n, seconds in enumerate((6, -6, AHEAD, 0), 2):
                    clock.jump(seconds)
                    await until_shown(people.browser(), seconds)
                    ats.append((await talk.say(n, "What time is it?"))["at"])
                    ats.append((await talk.answer(n, "Look out of the window"))["at"])
                    assert ats[-1] <= by_its_clock(redis)
    assert ats == sorted(ats)


async def until_shown(browser: Api, seconds: int) -> None:
    """Until the server's answers have the jump in their date."""
    async with asyncio.timeout(PATIENCE):
        while True:
            date = parsedate_to_datetime((await browser.http.get("/readyz")).headers["Date"]).timestamp()
            if abs(date - time.time() - seconds) < 2.5:
                return
            await asyncio.sleep(0.05)


def by_its_clock(redis: Redis) -> float:
    """Milliseconds, rounded up."""
    seconds, micros = redis.time()  # type: ignore[misc]  # not asynchronous
    return seconds * 1000 + micros / 1000 + 1


# -- leases of the dead


@pytest.fixture
def valkey(clock: FakeClock) -> Iterator[OwnValkey]:
    with OwnValkey(env=clock.env) as own:
        yield own


async def test_a_dead_workers_leases_do_not_last_as_long_as_the_clock_went_back(
    valkey: OwnValkey, clock: FakeClock
) -> None:
    async with linked(valkey.url) as link:
        dead, other = Leases(link), Leases(link)
        await dead.renew()
        await other.renew()
        assert (len(dead.held()), other.held()) == (PARTITIONS, [])
        with valkey.redis() as redis:
            await jump(clock, BACK, redis)
        await other.renew()
        assert len(other.held()) == PARTITIONS


async def test_a_chat_that_a_dead_process_was_rebuilding_is_not_locked_for_as_long(
    valkey: OwnValkey, clock: FakeClock
) -> None:
    async with linked(valkey.url) as link:
        log = LogRepair(ChatLog(link))
        assert await log.lock_rebase(100_009, "dead")
        assert not await log.lock_rebase(100_009, "other")
        with valkey.redis() as redis:
            await jump(clock, BACK, redis)
        assert await log.lock_rebase(100_009, "other")
        assert not await log.lock_rebase(100_009, "third")


async def test_a_chat_that_never_came_to_its_queue_does_not_wait_for_as_long(clock: FakeClock) -> None:
    """Its web process died between the chat's slot and the queue's, and then the clock went back."""
    with RunningServer("--no-worker", env=clock.env) as running, running.redis() as redis:
        async with Sweep(running) as hands:
            stage = Backstage(Valkey(running.data), SqliteFile(running.data), hands.engine, hands.link, hands.chats)
            ticket, _ = await stage.open()
            await jump(clock, BACK, redis)
            just_now, _ = await stage.open()
            await hands.sweeper().run_once()
            assert await hands.waits(ticket)
            assert not await hands.waits(just_now)  # whoever has opened it is about to do that


async def test_dead_nodes_and_lost_agents_are_found_although_the_clock_went_back(
    valkey: OwnValkey, clock: FakeClock
) -> None:
    async with linked(valkey.url) as link:
        dead, other = [Presence(link, lease_seconds=0.5, grace_seconds=0.5) for _ in range(2)]
        await dead.report(["ann", "ben"])
        await dead.report(["ann"])
        await link.call(b"SADD", routing("mine:ann"), 100_009)
        await link.call(b"SADD", routing("mine:ben"), 100_017)
        with valkey.redis() as redis:
            await jump(clock, BACK, redis)
        lost: set[str] = set()
        async with asyncio.timeout(PATIENCE):
            while lost != {"ann", "ben"}:
                await other.report([])
                lost |= set((await other.sweep())[1])
        assert await link.call(b"ZRANGE", routing("nodes"), 0, -1) == [other.node.encode()]


async def test_a_live_node_outlives_the_clocks_jumps(valkey: OwnValkey, clock: FakeClock) -> None:
    async with linked(valkey.url) as link:
        node, worker = [Presence(link, lease_seconds=15, grace_seconds=45) for _ in range(2)]
        await link.call(b"SADD", routing("mine:ann"), 100_009)
        for seconds in (BACK, 0, AHEAD, 0):
            await node.report(["ann"])
            with valkey.redis() as redis:
                await jump(clock, seconds, redis)
            assert (await worker.sweep())[1] == []
            await node.report(["ann"])
            assert await worker.sweep() == (0, [])
            assert await worker.other_nodes() == 1
            assert await link.call(b"ZCARD", routing("away")) == 0
