"""Who may append an entry is what the chat says at that moment, whatever the hub takes somebody's rights to be."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chatserver.broker.draft import Draft
from chatserver.broker.keys import chat_key
from chatserver.broker.log import Accepted, ChatLog
from chatserver.errors import ChatError, NotFoundError, StaleGenError
from chatserver.ids import new_id
from chatserver.model.person import Participant
from tests.support.backstage import Backstage, Valkey, backstage
from tests.support.sqlite import SqliteFile

pytestmark = pytest.mark.anyio

PERSON, ME, OTHER = new_id(), "k" * 16, "l" * 16
RIGHTS = ["read", "post", "note", "close", "own"]
NAMES = None, "Ann Lee", "post own", "note\nk post own \n", "", " own post "


@pytest.fixture
async def stage(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Backstage]:
    async with backstage(valkey, SqliteFile(tmp_path)) as made:
        yield made


def somebody(chance: random.Random, id_: str = ME) -> Participant:
    rights = " ".join(right for right in RIGHTS if chance.random() < 0.7)
    return Participant(id_, PERSON, "agent", rights, chance.choice(NAMES))


def refusal(there: Participant | None, draft: Draft, gen: int, owner: str) -> type[ChatError] | None:
    """What the chat has to answer, by the rules."""
    rights = there.rights.split() if there else []
    if there is None or there.id != draft.participant or draft.right not in rights:
        return NotFoundError
    owns = "own" in rights
    stale = (draft.gen is not None or owns) and draft.gen != gen
    if draft.right != "note" and (stale or (owns and owner != there.id)):
        return StaleGenError
    return None


async def test_rights_are_those_of_the_moment(stage: Backstage) -> None:
    """400 commands, about each as the hub knows somebody: rightly, wrongly, or not at all."""
    chance, n, found = random.Random(400), 1, set()
    ticket, _ = await stage.open()
    meta = chat_key(ticket, b":m")
    for _ in range(400):
        there = chance.choice([None, somebody(chance, OTHER), *[somebody(chance) for _ in range(8)]])
        known = chance.choice([None, there if there and there.id == ME else None, there, somebody(chance)])
        if known and known.id != ME:
            known = None
        gen, owner = chance.randint(0, 1), chance.choice(["", ME, ME, OTHER])
        await stage.link.call("HSET", meta, "gen", gen, "owner", owner)
        if there:
            await stage.link.call("HSET", meta, f"p:{PERSON}", there.line())
        else:
            await stage.link.call("HDEL", meta, f"p:{PERSON}")
        draft = Draft(
            ticket=ticket,
            kind="message",
            role="agent",
            entry_id=new_id(),
            person_id=PERSON,
            participant=ME,
            device="d" * 22,
            n=n,
            text="?",
            right=chance.choice(["post", "post", "note"]),
            gen=chance.choice([None, 0, 1]),
            me=known,
        )
        answer = await said(stage.log, draft)
        expected = refusal(there, draft, gen, owner)
        assert isinstance(answer, expected or Accepted), (there, known, draft)
        found.add((expected, known is not None and known == there))
        n += expected is None
    assert len(found) == 6


async def said(log: ChatLog, draft: Draft) -> Accepted | ChatError:
    answer: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
    log.send(draft, bytes(8), answer.set_result)
    return await answer
