"""A chat is taken from a lost agent while something else happens to it. No worker runs: the test is the sweeper, and
stops between its moves.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from chatserver.actions.waiting import Waiting
from chatserver.broker.keys import chat_key, routing
from chatserver.broker.link import Link
from chatserver.model.chat import LiveChat
from chatserver.stores.queue import Queue, Step
from tests.support.client import Refused
from tests.support.log import whole_log
from tests.support.people import People, Talk, open_chat, start_talk
from tests.support.sweep import HOUR, Sweep

pytestmark = pytest.mark.anyio


async def kinds(talk: Talk) -> list[str]:
    return [entry["kind"] for entry in await whole_log(talk.customer, talk.ticket)]


async def gens(talk: Talk) -> list[int]:
    """Of everything that changed the owner, in the order of the log."""
    return [
        entry["data"]["gen"] for entry in await whole_log(talk.customer, talk.ticket) if "gen" in entry.get("data", {})
    ]


async def state_of(talk: Talk) -> dict[str, Any]:
    state: dict[str, Any] = (await talk.customer.call("pull", ticket=talk.ticket))["state"]
    return state


async def assert_waiting(sweep: Sweep, talk: Talk, agent_id: str) -> None:
    assert (await state_of(talk))["state"] == "queued"
    assert await sweep.waits(talk.ticket)
    assert talk.ticket not in await sweep.hands(agent_id)
    assert not await sweep.pending(talk.ticket)


async def assert_off_everything(sweep: Sweep, talk: Talk, agent_id: str) -> None:
    assert (await state_of(talk))["state"] in ("closing", "closed")
    assert not await sweep.waits(talk.ticket)
    assert talk.ticket not in await sweep.hands(agent_id)
    assert await sweep.held(talk.ticket) == ""
    assert not await sweep.pending(talk.ticket)


# -- the agent comes back at the same instant


async def test_back_an_instant_before(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    assert (await sweep.presence.sweep())[1] == [agent_id]  # the sweeper has made up its mind …
    ann = await idlers.resume(talk.agent)
    assert await sweep.queue.release(agent_id) == []  # … and the script has not
    await ann.call("post_message", ticket=talk.ticket, n=2, text="Here I am", gen=talk.gen)
    assert await gens(talk) == [1]


async def test_back_an_instant_after(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    assert step == Step(talk.ticket, "", 2)
    ann = await idlers.resume(talk.agent)
    state = (await ann.call("watch", topic=f"agent:{agent_id}"))["state"]
    assert talk.ticket not in [item["ticket"] for item in state["chats"]]
    await sweep.releasing.complete(step)
    with pytest.raises(Refused, match="stale_gen"):
        await ann.call("post_message", ticket=talk.ticket, n=2, text="Here I am", gen=talk.gen)
    await assert_waiting(sweep, talk, agent_id)
    again = await ann.call("take_chat", ticket=talk.ticket, n=2)
    assert again["gen"] == 3
    await ann.call("post_message", ticket=talk.ticket, n=3, text="Here I am", gen=3)
    assert await gens(talk) == [1, 2, 3]


async def test_late_release_does_not_take_the_chat_from_who_has_taken_it_again(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    await sweep.releasing.complete(step)
    ann = await idlers.resume(talk.agent)
    again = await ann.call("take_chat", ticket=talk.ticket, n=2)
    await sweep.releasing.complete(step)  # by a worker that was stopped in between
    assert (await state_of(talk))["state"] == "active"
    await ann.call("post_message", ticket=talk.ticket, n=3, text="Mine", gen=again["gen"])
    assert await gens(talk) == [1, 2, 3]


async def test_only_the_chats_of_agents_who_are_really_gone(idlers: People, sweep: Sweep) -> None:
    """An outsider to the grace: connected, or away for less than it."""
    talk = await start_talk(idlers, "ann")
    agent_id = talk.agent.welcome["person"]["id"]
    assert await sweep.queue.release(agent_id) == []
    await sweep.link.call(b"ZADD", routing("away"), 1, agent_id)  # said by a late message; the node says they are here
    assert await sweep.queue.release(agent_id) == []
    await sweep.link.call(b"ZREM", routing("away"), agent_id)
    await talk.agent.cut()
    await sweep.until_away(agent_id)
    assert await sweep.queue.release(agent_id) == []
    assert (await state_of(talk))["state"] == "active"


# -- the chat is closed at the same instant


async def test_agent_closes_between_the_decision_and_the_release(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    ann = await idlers.resume(talk.agent)
    await ann.call("close_chat", ticket=talk.ticket, n=2, gen=talk.gen)
    await assert_off_everything(sweep, talk, agent_id)
    await sweep.releasing.complete(step)
    await assert_off_everything(sweep, talk, agent_id)
    assert await kinds(talk) == ["opened", "message", "assigned", "closed"]


async def test_agent_closes_after_the_release(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    assert await sweep.releasing.release(agent_id) == 1
    ann = await idlers.resume(talk.agent)
    for gen in ({"gen": talk.gen}, {"gen": talk.gen + 1}, {}):
        with pytest.raises(Refused, match="stale_gen"):
            await ann.call("close_chat", ticket=talk.ticket, n=2, **gen)
    await assert_waiting(sweep, talk, agent_id)


async def test_customer_closes_between_the_decision_and_the_release(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    await talk.customer.call("close_chat", ticket=talk.ticket, n=2)
    await sweep.releasing.complete(step)
    await assert_off_everything(sweep, talk, agent_id)


async def test_customer_closes_between_the_release_and_the_list(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    before = await sweep.chats.head(talk.ticket)
    await sweep.releasing.follow(step)
    stale = await sweep.chats.head(talk.ticket)
    await talk.customer.call("close_chat", ticket=talk.ticket, n=2)
    assert (before.state, stale.state) == ("active", "queued")
    await sweep.queue.agree(stale)  # written by one who read it before it was closed …
    assert await sweep.waits(talk.ticket)
    await sweep.waiting.agree(talk.ticket)  # … who looks again
    await assert_off_everything(sweep, talk, agent_id)


class Interrupted(Queue):
    """A queue to which one thing happens just before its script runs."""

    def __init__(self, link: Link, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__(link, grace_seconds=HOUR)
        self._happens: Callable[[], Awaitable[object]] | None = happens

    async def agree(self, chat: LiveChat, *, preview: str | None = None, strays: Iterable[str] = ()) -> bool:
        happens, self._happens = self._happens, None
        if happens:
            await happens()
        return await super().agree(chat, preview=preview, strays=strays)


async def test_chat_is_closed_while_the_slots_are_made_to_agree(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    close = functools.partial(talk.customer.call, "close_chat", ticket=talk.ticket, n=2)
    await Waiting(sweep.chats, Interrupted(sweep.link, close)).agree(talk.ticket)
    await assert_off_everything(sweep, talk, talk.agent.welcome["person"]["id"])


# -- somebody else acts meanwhile


async def test_customer_writes_meanwhile(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    await talk.say(2, "Are you there?")
    await sweep.releasing.complete(step)
    await talk.say(3, "Anybody?")
    await assert_waiting(sweep, talk, agent_id)
    assert await kinds(talk) == ["opened", "message", "assigned", "message", "released", "message"]


async def test_colleague_takes_it_at_each_moment(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    ben = await idlers.staff("ben")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    with pytest.raises(Refused, match="already_assigned"):
        await ben.call("take_chat", ticket=talk.ticket, n=1)
    await sweep.releasing.follow(step)
    taken = await ben.call("take_chat", ticket=talk.ticket, n=1)  # not listed yet, but queued
    assert taken["gen"] == 3
    await sweep.releasing.complete(step)  # the sweeper comes late
    assert (await state_of(talk))["owner"]["name"] == "Ben"
    assert talk.ticket in await sweep.hands(ben.welcome["person"]["id"])
    assert not await sweep.waits(talk.ticket)
    await ben.call("post_message", ticket=talk.ticket, n=2, text="Now me", gen=3)
    assert await gens(talk) == [1, 2, 3]


async def test_two_workers_at_once(idlers: People, sweep: Sweep) -> None:
    talks = [await start_talk(idlers, "ann") for _ in range(5)]
    for talk in talks[1:]:
        await talk.agent.cut()
    agent_id = await sweep.lose(talks[0].agent)
    await asyncio.gather(*(sweep.releasing.release(agent_id) for _ in range(4)))
    steps = [Step(talk.ticket, "", talk.gen + 1) for talk in talks]
    await asyncio.gather(*(sweep.releasing.complete(step) for step in steps * 4))
    for talk in talks:
        await assert_waiting(sweep, talk, agent_id)
        assert await gens(talk) == [1, 2]


# -- the sweeper dies, or Redis forgets


@pytest.mark.parametrize("moves", [1, 2])
async def test_what_a_dead_sweeper_left_is_completed(idlers: People, sweep: Sweep, moves: int) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    (step,) = await sweep.queue.release(agent_id)
    if moves == 2:
        await sweep.releasing.follow(step)
    assert await sweep.pending(talk.ticket)
    await sweep.sweep_up()
    await assert_waiting(sweep, talk, agent_id)
    assert await gens(talk) == [1, 2]
    await sweep.sweep_up()
    assert await gens(talk) == [1, 2]


async def test_hand_over_that_is_pending_is_confirmed_before_it_is_released(idlers: People, sweep: Sweep) -> None:
    customer, ann = await idlers.customer(), await idlers.staff("ann")
    opened = await open_chat(customer)
    ticket, agent_id = opened["ticket"], ann.welcome["person"]["id"]
    gen = await sweep.queue.take(ticket, department="support", agent_id=agent_id, agent_name="Ann", gen=0)
    await sweep.lose(ann)
    assert await sweep.queue.release(agent_id) == []
    await sweep.sweep_up()
    assert [step.gen for step in await sweep.queue.release(agent_id)] == [gen + 1]
    await sweep.sweep_up()
    log = await whole_log(customer, ticket)
    assert [entry["kind"] for entry in log] == ["opened", "message", "assigned", "released"]


async def test_routing_slot_has_lost_the_release(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    agent_id = await sweep.lose(talk.agent)
    before = await sweep.held(talk.ticket)
    await sweep.releasing.release(agent_id)
    await sweep.link.call(b"HSET", routing("asg"), talk.ticket, before)
    await sweep.link.call(b"SADD", routing(f"mine:{agent_id}"), talk.ticket)
    await sweep.link.call(b"ZREM", routing("wait:support"), talk.ticket)
    await sweep.waiting.agree(talk.ticket)
    await assert_waiting(sweep, talk, agent_id)
    ben = await idlers.staff("ben")
    assert (await ben.call("take_chat", ticket=talk.ticket, n=1))["gen"] == 3
    assert await gens(talk) == [1, 2, 3]


async def rolled_back(sweep: Sweep, ticket: int) -> dict[bytes, bytes]:
    """The chat's own keys as they are, to be put back later."""
    keys = chat_key(ticket, b":m"), chat_key(ticket, b":x")
    return {key: await sweep.link.call(b"DUMP", key) for key in keys}


async def test_chats_slot_has_lost_the_release(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    kept = await rolled_back(sweep, talk.ticket)
    agent_id = await sweep.lose(talk.agent)
    await sweep.releasing.release(agent_id)
    for key, value in kept.items():
        await sweep.link.call(b"RESTORE", key, 0, value, b"REPLACE")
    assert (await state_of(talk))["state"] == "active"
    await sweep.waiting.agree(talk.ticket)
    assert await sweep.pending(talk.ticket)  # the routing slot is ahead
    await sweep.sweep_up()
    await assert_waiting(sweep, talk, agent_id)
    assert await gens(talk) == [1, 2]


async def test_chats_slot_has_lost_the_hand_over(idlers: People, sweep: Sweep) -> None:
    customer, ann = await idlers.customer(), await idlers.staff("ann")
    opened = await open_chat(customer)
    kept = await rolled_back(sweep, opened["ticket"])
    taken = await ann.call("take_chat", ticket=opened["ticket"], n=1)
    for key, value in kept.items():
        await sweep.link.call(b"RESTORE", key, 0, value, b"REPLACE")
    await sweep.waiting.agree(opened["ticket"])
    assert not await sweep.waits(opened["ticket"])
    await sweep.sweep_up()
    chat: LiveChat = await sweep.chats.head(opened["ticket"])
    assert (chat.state, chat.gen) == ("active", taken["gen"])


async def test_agent_who_does_not_exist_any_more(idlers: People, sweep: Sweep) -> None:
    customer = await idlers.customer()
    opened = await open_chat(customer)
    ticket = opened["ticket"]
    await sweep.queue.take(ticket, department="support", agent_id="nobody", agent_name="Nobody", gen=0)
    await sweep.sweep_up()
    assert await sweep.waits(ticket)
    assert await sweep.hands("nobody") == set()
    ben = await idlers.staff("ben")
    assert (await ben.call("take_chat", ticket=ticket, n=1))["gen"] == 2
