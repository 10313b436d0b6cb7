"""The routing slot is compared with the chats: what has drifted is found, put right, and said."""

import pytest
from structlog.testing import capture_logs

from chatserver.broker.keys import chat_key, routing, ticket_work_list
from chatserver.worker.auditor import Auditor
from chatserver.worker.leases import Leases
from tests.support.people import People, Talk, open_chat, start_talk
from tests.support.sweep import Sweep

pytestmark = pytest.mark.anyio


async def audit(sweep: Sweep) -> dict[int, str]:
    """One round of a worker that has the routing slot: {ticket: what had drifted}."""
    leases = Leases(sweep.link)
    await leases.renew()
    auditor = Auditor(sweep.link, sweep.chats.directory, sweep.queue, sweep.waiting, leases, settle_seconds=0)
    try:
        with capture_logs() as lines:
            found = await auditor.run_once()
    finally:
        await leases.release()
    drifted = {line["ticket"]: line["why"] for line in lines if line["event"] == "queue.drift"}
    assert len(drifted) == found
    return drifted


async def test_normal_life_is_no_drift(idlers: People, sweep: Sweep) -> None:
    talks = [await start_talk(idlers, "ann") for _ in range(3)]
    waiting = await open_chat(await idlers.customer())
    await talks[0].end(2)
    for talk in talks[:2]:
        await talk.agent.cut()
    agent_id = await sweep.lose(talks[2].agent)
    await sweep.releasing.release(agent_id)
    step = await sweep.queue.take(waiting["ticket"], department="support", agent_id=agent_id, agent_name="Ann", gen=0)
    assert step == 1  # and pending: somebody is at it
    assert await audit(sweep) == {}


async def test_what_the_sweeper_is_about_to_do_is_no_drift(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    await sweep.link.call(b"HDEL", routing("asg"), talk.ticket)
    await sweep.link.call(b"ZADD", ticket_work_list(b"todo", talk.ticket), 0, talk.ticket)
    assert await audit(sweep) == {}
    await sweep.waiting.agree(talk.ticket)
    assert await sweep.held(talk.ticket) == f"{talk.agent.welcome['person']['id']}|{talk.gen}"


async def test_without_the_routing_slot_nobody_looks(sweep: Sweep) -> None:
    auditor = Auditor(sweep.link, sweep.chats.directory, sweep.queue, sweep.waiting, Leases(sweep.link))
    await sweep.link.call(b"ZADD", routing("wait:support"), 1, 100_009)
    assert await auditor.run_once() == 0
    assert await sweep.waits(100_009)


async def drift_of(sweep: Sweep, talk: Talk, *command: bytes | str | int) -> str:
    """Breaks it, and has it put right; what was found."""
    await sweep.link.call(*command)
    found = await audit(sweep)
    assert list(found) == [talk.ticket]
    assert await audit(sweep) == {}
    return found[talk.ticket]


async def test_what_an_agent_owns_is_in_their_hands_only(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    ann, ben = talk.agent.welcome["person"]["id"], (await idlers.staff("ben")).welcome["person"]["id"]
    ticket, right = talk.ticket, f"{ann}|{talk.gen}"
    asg, mine = routing("asg"), routing(f"mine:{ann}")
    wrong = "another agent has it, or by another gen"
    assert await drift_of(sweep, talk, b"SREM", mine, ticket) == "it is not in its owner's hands"
    assert await drift_of(sweep, talk, b"SADD", routing(f"mine:{ben}"), ticket) == "it is not in its owner's hands"
    assert await drift_of(sweep, talk, b"HDEL", asg, ticket) == wrong
    assert await drift_of(sweep, talk, b"HSET", asg, ticket, f"{ben}|{talk.gen}") == wrong
    assert await drift_of(sweep, talk, b"HSET", asg, ticket, f"{ann}|0") == wrong
    assert await drift_of(sweep, talk, b"ZADD", routing("wait:support"), 1, ticket) == "it is active and listed"
    assert await sweep.held(ticket) == right
    assert (await sweep.hands(ann), await sweep.hands(ben)) == ({ticket}, set())
    await talk.end(2)
    ended = "it is closing and in an agent's hands"
    assert await drift_of(sweep, talk, b"HSET", asg, ticket, right) == ended
    assert await drift_of(sweep, talk, b"SADD", mine, ticket) == ended
    assert await drift_of(sweep, talk, b"ZADD", routing("wait:support"), 1, ticket) == "it is closing and listed"
    assert await sweep.held(ticket) == ""


async def test_waiting_chat_in_an_agents_hands_is_listed_again(idlers: People, sweep: Sweep) -> None:
    talk = await start_talk(idlers, "ann")
    ann = talk.agent.welcome["person"]["id"]
    await sweep.lose(talk.agent)
    await sweep.releasing.release(ann)
    found = await drift_of(sweep, talk, b"SADD", routing(f"mine:{ann}"), talk.ticket)
    assert found == "it waits and is in an agent's hands"
    await sweep.link.call(b"HSET", routing("asg"), talk.ticket, f"{ann}|1")
    assert await drift_of(sweep, talk, b"ZREM", routing("wait:support"), talk.ticket) == "it waits and is not listed"
    assert await sweep.waits(talk.ticket)
    assert await sweep.hands(ann) == set()


async def test_chat_that_nobody_knows_any_more(idlers: People, sweep: Sweep) -> None:
    """No worker has taken it into SQL, and Redis has lost it."""
    talk = await start_talk(idlers, "ann")
    ann = talk.agent.welcome["person"]["id"]
    await sweep.link.call(b"DEL", chat_key(talk.ticket, b":m"))
    assert await audit(sweep) == {talk.ticket: "the chat has no keys"}
    assert await sweep.hands(ann) == set()
    assert await sweep.held(talk.ticket) == ""
    assert await audit(sweep) == {}
