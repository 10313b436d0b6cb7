"""What a round of the persister asks of Redis, and that what it does not ask for is not lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from chatserver.broker.event import NOBODY
from chatserver.broker.keys import ticket_work_list
from chatserver.worker import persister as persisting
from chatserver.worker.persister import EVERY_SECONDS, MUCH, RARELY_SECONDS, Persister
from tests.support.backstage import Backstage, Writer
from tests.support.client import PATIENCE

pytestmark = pytest.mark.anyio


@pytest.fixture
def asked(stage: Backstage, monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """The commands of a persister that is made afterwards, counted."""
    counted: Counter[bytes] = Counter()
    calls = stage.link.calls

    async def count(commands: Sequence[Sequence[bytes | str | int]], **how: bool) -> object:
        counted.update(command[0] for command in commands if isinstance(command[0], bytes))
        return await calls(commands, **how)

    monkeypatch.setattr(stage.link, "calls", count)
    return counted


async def has_read(stage: Backstage, ticket: int, reader: Writer, seq: int) -> None:
    stage.log.read(ticket, reader.participant, seq, NOBODY)
    await stage.link.call(b"PING")


async def test_messages_are_written_without_the_heads_of_their_chats(stage: Backstage, asked: Counter[bytes]) -> None:
    begun = [await stage.open() for _ in range(3)]
    persister = stage.persister()
    await persister.run_once()
    assert asked[b"HGETALL"] == len(begun), "what was opened needs all that was said of it"
    asked.clear()
    for ticket, customer in begun:
        await stage.send(customer, ticket, 2, "and")
    assert await persister.run_once() == len(begun)
    assert asked[b"HGETALL"] == 0
    assert (asked[b"HMGET"], asked[b"XRANGE"]) == (len(begun), len(begun))
    for ticket, _ in begun:
        assert [entry.text for entry in await stage.entries(ticket)][-1] == "and"
        assert (await stage.live(ticket)).durable == 3


async def test_who_comes_later_is_recorded_with_what_they_say(stage: Backstage) -> None:
    ticket, customer = await stage.open()
    persister = stage.persister()
    await persister.run_once()
    await stage.send(customer, ticket, 2, "anybody?")
    agent = await stage.assign(ticket)
    await stage.send(agent, ticket, 2, "me")
    await persister.run_once()
    chat = await stage.store.chat(ticket)
    assert chat
    assert (chat.owner, chat.last_seq) == (agent.author.person.id, 5)
    assert agent.participant.id in {one.participant_id for one in await stage.store.participants(ticket)}


async def test_read_marker_is_recorded_once(stage: Backstage, asked: Counter[bytes]) -> None:
    ticket, customer = await stage.open()
    persister = stage.persister()
    await has_read(stage, ticket, customer, 1)
    await persister.run_once()
    await has_read(stage, ticket, customer, 2)
    await persister.run_once()
    assert await stage.store.reads(ticket) == {customer.participant.id: 2}
    asked.clear()
    await stage.send(customer, ticket, 2, "and")
    await persister.run_once()
    assert asked[b"HGETALL"] == 0, "they are recorded"
    await has_read(stage, ticket, customer, 3)
    await stage.persister().run_once()  # another worker knows nothing of what this one has done
    assert await stage.store.reads(ticket) == {customer.participant.id: 3}


async def test_read_marker_of_what_is_not_recorded_yet_waits_for_it(
    stage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(persisting, "ENTRIES_A_CHAT", 2)
    ticket, customer = await stage.open()
    for n in range(2, 6):
        await stage.send(customer, ticket, n, f"{n}")
    await has_read(stage, ticket, customer, 5)
    persister = stage.persister()
    for recorded, read in ((2, 2), (4, 4), (6, 5)):
        await persister.run_once()
        assert (await stage.live(ticket)).durable == recorded
        assert await stage.store.reads(ticket) == {customer.participant.id: read}
    assert not await stage.log.work(b"dirty", stage.partitions)


async def test_read_markers_of_another_history_are_recorded(stage: Backstage, asked: Counter[bytes]) -> None:
    """Redis may have counted their versions anew since."""
    ticket, customer = await stage.open()
    await has_read(stage, ticket, customer, 2)
    persister = stage.persister()
    await persister.run_once()
    asked.clear()
    before = stage.log.replid(ticket)
    stage.valkey.begin_history()
    async with asyncio.timeout(PATIENCE):
        while True:
            await stage.answered()
            if stage.log.replid(ticket) != before:
                break
    with stage.valkey.redis() as redis:
        redis.zadd(ticket_work_list(b"dirty", ticket), {ticket: 1})
    await persister.run_once()
    assert asked[b"HGETALL"] == 1


async def test_the_more_there_is_to_do_the_rarer_the_rounds(stage: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(persisting, "MUCH", 4)
    persister: Persister = stage.persister()
    assert persister.every == EVERY_SECONDS
    ticket, customer = await stage.open()
    await persister.run_once()
    assert EVERY_SECONDS < persister.every < RARELY_SECONDS
    for n in range(2, 12):
        await stage.send(customer, ticket, n, f"{n}")
    await persister.run_once()
    assert persister.every == RARELY_SECONDS
    await persister.run_once()
    assert persister.every == EVERY_SECONDS
    assert MUCH >= 1_000, "two entries do not make a customer wait for their mark"
