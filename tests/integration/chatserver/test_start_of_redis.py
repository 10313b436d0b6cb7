"""After a start of Redis every chat has to be compared with the record before it takes entries, and all are asked for
at once.
"""

from __future__ import annotations

import asyncio

import pytest

from chatserver.broker.keys import rebase_lock
from chatserver.broker.log import MissingChat
from chatserver.stores.rebuilding import AT_ONCE
from tests.support.backstage import Backstage
from transcripts.chat import Chat

pytestmark = pytest.mark.anyio


async def test_everybody_may_write_at_once(stage: Backstage) -> None:
    """Nobody is refused for being one of many."""
    chats = [await stage.open() for _ in range(150)]
    for n in range(2, 20):
        await asyncio.gather(*(stage.send(writer, ticket, n, f"words {n}") for ticket, writer in chats))
    await stage.persist()
    stage.valkey.begin_history()
    await stage.answered()
    await asyncio.gather(*(stage.chats.rebase(ticket) for ticket, _ in chats))
    accepted = await asyncio.gather(*(stage.send(writer, ticket, 20, "words 20") for ticket, writer in chats))
    assert [(one.seq, one.dup) for one in accepted] == [(21, False)] * 150


async def test_nobody_takes_or_loses_a_chat_before_it_is_compared(stage: Backstage) -> None:
    waiting, _ = await stage.open()
    owned, _ = await stage.open()
    agent = await stage.assign(owned)
    await stage.persist()
    stage.valkey.begin_history()
    await stage.answered()
    with pytest.raises(MissingChat):
        await stage.assign(waiting)
    lost = agent.author.draft(owned, "released", agent.participant, 0, data={"reason": "agent_lost", "gen": 2})
    with pytest.raises(MissingChat):
        await stage.log.release(lost, gen=2)


async def test_few_chats_are_compared_with_the_record_at_the_same_time(
    stage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds a lock that runs out: two hundred would share the database until none had been done in time."""
    chats = [ticket for ticket, _ in [await stage.open() for _ in range(12)]]
    await stage.persist()
    stage.valkey.begin_history()
    await stage.answered()
    look, answering, asked = stage.store.chat, asyncio.Event(), asyncio.Event()

    async def look_late(ticket: int) -> Chat | None:
        asked.set()
        await answering.wait()
        return await look(ticket)

    monkeypatch.setattr(stage.store, "chat", look_late)
    comparisons = asyncio.gather(*(stage.chats.rebase(ticket) for ticket in chats))
    await asked.wait()
    for _ in range(5):  # behind all that the comparisons asked of Redis in the meantime
        await stage.link.call(b"PING")
    assert sum(await stage.link.calls([(b"EXISTS", rebase_lock(ticket)) for ticket in chats])) == AT_ONCE < len(chats)
    answering.set()
    await comparisons
    assert all([await stage.log.is_current(ticket) for ticket in chats])
