"""A hand-over that could be answered in several ways is answered in one: number, end of the chat, owner, gen, in this
order. Each test is a case to which two of these apply; which one is told decides what the agent's client does next.
"""

from __future__ import annotations

import pytest

from chatserver.broker.log import Accepted, MissingChat
from chatserver.errors import ChatClosedError, ConflictError, GapError, StaleGenError
from chatserver.model.person import Participant
from tests.support.backstage import Backstage, Writer

pytestmark = pytest.mark.anyio


async def assign(stage: Backstage, ticket: int, agent: Writer, *, gen: int, n: int) -> Accepted:
    """The agent's command `n`, for which the routing slot has counted `gen`."""
    data = {"owner": agent.participant.id, "name": "Ann", "gen": gen}
    draft = agent.author.draft(ticket, "assigned", agent.participant, n, data=data)
    return await stage.log.assign(draft, gen=gen, participant=agent.participant, origin=agent.author.origin)


def at_another_desk(agent: Writer) -> Writer:
    """The same person at a device that has not said anything yet."""
    author = type(agent.author)(agent.author.person, "desk-" * 4, agent.author.origin)
    return Writer(author, agent.participant, agent.gen)


async def last_n(stage: Backstage, ticket: int, agent: Writer) -> int:
    """The last number that the log has counted of this device."""
    return (await stage.live(ticket)).last_n.get(f"{agent.participant.id}:{agent.author.device}", 0)


async def closed(stage: Backstage) -> tuple[int, Writer]:
    """A chat that its owner has closed by their second command."""
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    await stage.send(ann, ticket, 2, None, "closed")
    return ticket, ann


# -- the number before everything else


async def test_retry_is_answered_although_the_chat_has_ended(stage: Backstage) -> None:
    ticket, ann = await closed(stage)
    again = await assign(stage, ticket, ann, gen=1, n=1)
    assert (again.dup, again.seq) == (True, 3)


async def test_retry_is_answered_although_the_chat_is_anothers(stage: Backstage) -> None:
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    await stage.assign(ticket, gen=2, name="Ben")
    again = await assign(stage, ticket, ann, gen=1, n=1)
    assert (again.dup, again.seq) == (True, 3)


async def test_number_that_was_another_commands_is_a_conflict_although_the_chat_has_ended(stage: Backstage) -> None:
    ticket, ann = await closed(stage)
    with pytest.raises(ConflictError):
        await assign(stage, ticket, ann, gen=2, n=2)


async def test_number_that_was_another_commands_is_a_conflict_although_the_chat_is_theirs(stage: Backstage) -> None:
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    await stage.send(ann, ticket, 2, "Hello")
    with pytest.raises(ConflictError):
        await assign(stage, ticket, ann, gen=1, n=2)


@pytest.mark.parametrize("gen", [0, 1, 2], ids=["stale", "theirs", "new"])
async def test_gap_is_told_whatever_the_gen_is(stage: Backstage, gen: int) -> None:
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    with pytest.raises(GapError) as caught:
        await assign(stage, ticket, ann, gen=gen, n=3)
    assert caught.value.details["last_n"] == 1


async def test_gap_is_told_although_the_chat_has_ended(stage: Backstage) -> None:
    ticket, ann = await closed(stage)
    with pytest.raises(GapError):
        await assign(stage, ticket, ann, gen=2, n=4)


async def test_chat_without_keys_has_no_numbers(stage: Backstage) -> None:
    """A gap would make the client count anew, before the chat is filled again from SQL."""
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    with stage.valkey.redis() as redis:
        redis.flushall()
    with pytest.raises(MissingChat):
        await assign(stage, ticket, ann, gen=1, n=7)


# -- then the end


@pytest.mark.parametrize("gen", [0, 1, 2], ids=["stale", "theirs", "new"])
async def test_chat_that_has_ended_is_nobodys_whatever_the_gen_is(stage: Backstage, gen: int) -> None:
    ticket, ann = await closed(stage)
    desk = at_another_desk(ann)
    with pytest.raises(ChatClosedError):
        await assign(stage, ticket, desk, gen=gen, n=1)
    assert await last_n(stage, ticket, desk) == 0
    assert (await stage.live(ticket)).seq == 4


# -- then the owner, then the gen


async def test_who_owns_it_already_is_not_told_that_the_gen_is_stale(stage: Backstage) -> None:
    """Nothing is appended, and the command counts all the same: the next of that device is 2."""
    ticket, _ = await stage.open()
    desk = at_another_desk(ann := await stage.assign(ticket))
    joined = await assign(stage, ticket, desk, gen=1, n=1)
    assert (joined.dup, joined.seq, joined.event is not None) == (True, 3, True)
    assert await last_n(stage, ticket, desk) == 1
    assert (await stage.live(ticket)).seq == 3
    assert (await assign(stage, ticket, ann, gen=2, n=2)).seq == 4  # the same owner by a newer gen: a new entry


async def test_gen_of_the_present_owner_does_not_make_another_one_the_owner(stage: Backstage) -> None:
    ticket, _ = await stage.open()
    ann = await stage.assign(ticket)
    ben = Writer(at_another_desk(ann).author, Participant("ben", "ben", "agent", ann.participant.rights, "Ben"))
    for gen in (0, 1):
        with pytest.raises(StaleGenError):
            await assign(stage, ticket, ben, gen=gen, n=1)
    chat = await stage.live(ticket)
    owner = chat.owner_participant()
    assert owner
    assert (owner.id, chat.gen, chat.seq) == (ann.participant.id, 1, 3)
    assert await last_n(stage, ticket, ben) == 0
    assert (await assign(stage, ticket, ben, gen=2, n=1)).seq == 4
