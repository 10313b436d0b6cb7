"""Agents who lose their connection: after a grace their chats go back to the queue, and nobody else's."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import pytest

from tests.support.client import Refused, Socket
from tests.support.log import assert_one_order, until_durable, whole_log
from tests.support.people import People, Talk, add_staff, elsewhere, open_chat, start_talk
from tests.support.server import PASSWORD, RunningServer
from transcripts.database import open_database
from transcripts.store import Store

pytestmark = pytest.mark.anyio

LEASE, GRACE = "3", "2"


@pytest.fixture(scope="module")
def quick() -> Iterator[RunningServer]:
    env = {"CHAT_NODE_LEASE_SECONDS": LEASE, "CHAT_AGENT_GRACE_SECONDS": GRACE}
    with RunningServer("--workers", "2", env=env) as running:
        add_staff(running)
        yield running


@pytest.fixture
async def people(quick: RunningServer) -> AsyncIterator[People]:
    async with People(quick) as everybody:
        yield everybody


async def released(talk: Talk) -> dict[str, object]:
    """What the customer is told when the agent has lost the chat."""
    return await talk.customer.until("entry", ticket=talk.ticket, kind="released")


async def test_chat_goes_back_to_its_old_place(people: People, quick: RunningServer) -> None:
    talk = await start_talk(people, "ann")
    ann = talk.agent
    desk = await people.staff("ben")
    before = await desk.call("watch", topic="department:support")
    later = await open_chat(await people.customer(), "I came later")
    await desk.until("event", type="queued")
    await ann.cut()

    entry = await released(talk)
    me = talk.taken["page"]["state"]["me"]
    assert (entry["role"], entry["participant"], entry["name"], entry["audience"]) == ("system", me, "Ann", "all")
    assert entry["data"] == {"reason": "agent_lost", "gen": talk.gen + 1}
    assert "device" not in entry
    place = len(before["state"]["waiting"]) + 1  # behind who came before, ahead of who came later
    told = await talk.customer.until("event", type="queue", place=place)
    assert told["waiting"] == place + 1
    event = await desk.until("event", type="queued")
    assert (event["item"]["ticket"], event["item"]["preview"]) == (talk.ticket, "Where is my parcel?")
    state = (await desk.call("watch", topic="department:support"))["state"]
    assert [item["ticket"] for item in state["waiting"]][-2:] == [talk.ticket, later["ticket"]]
    shown = (await talk.customer.call("pull", ticket=talk.ticket))["state"]
    assert shown["state"] == "queued"
    assert "owner" not in shown
    said = await talk.say(2, "Hello? Anybody?")
    await until_durable(talk.customer, talk.ticket)
    engine = open_database(f"sqlite:///{quick.data}/chat.db")
    row = await Store(engine).chat(talk.ticket)
    await engine.dispose()
    assert row
    assert (row.state, row.owner_participant, row.gen) == ("queued", None, talk.gen + 1)

    taken = await desk.call("take_chat", ticket=talk.ticket, n=1)
    assert taken["gen"] == talk.gen + 2
    assert_one_order(await whole_log(desk, talk.ticket), talk.opened, talk.taken, said, taken)
    await people_who_lost_it(people, talk)


async def people_who_lost_it(people: People, talk: Talk) -> None:
    """The old owner's commands with the old `gen`, or with none, are refused; what they had done counts."""
    ann = await people.resume(talk.agent)
    for gen in ({"gen": talk.gen}, {}, {"gen": talk.gen + 2}):
        for op, fields in (("post_message", {"text": "Still me"}), ("close_chat", {})):
            with pytest.raises(Refused) as caught:
                await ann.call(op, ticket=talk.ticket, n=2, **fields, **gen)
            assert caught.value.code == "stale_gen"
    again = await ann.call("take_chat", ticket=talk.ticket, n=1)
    assert (again["dup"], again["gen"], again["entry_id"]) == (True, talk.gen, talk.taken["entry_id"])
    with pytest.raises(Refused, match="already_assigned"):
        await ann.call("take_chat", ticket=talk.ticket, n=2)
    assert (await ann.call("watch", topic=f"agent:{ann.welcome['person']['id']}"))["state"]["chats"] == []


async def test_who_is_back_in_time_keeps_the_chat(people: People) -> None:
    lost, kept = await start_talk(people, "ben"), await start_talk(people, "ann")
    await kept.agent.cut()
    back = await people.resume(kept.agent)
    await lost.agent.cut()
    await released(lost)  # whose grace began later
    assert (await kept.customer.call("pull", ticket=kept.ticket))["state"]["state"] == "active"
    await back.call("post_message", ticket=kept.ticket, n=2, text="I am back", gen=kept.gen)


async def test_agent_of_a_killed_process(people: People) -> None:
    customer = await people.customer()
    ann = await elsewhere(lambda: people.staff("ann"), customer)
    opened = await open_chat(customer)
    taken = await ann.call("take_chat", ticket=opened["ticket"], n=1)
    os.kill(ann.process, signal.SIGKILL)
    entry = await customer.until("entry", kind="released")
    assert entry["data"]["gen"] == taken["gen"] + 1
    await customer.until("event", type="queue")
    ben = await people.staff("ben")
    again = await ben.call("take_chat", ticket=opened["ticket"], n=1)
    assert again["gen"] == taken["gen"] + 2


async def test_agent_who_moved_from_the_killed_process_keeps_the_chat(people: People) -> None:
    lost = await start_talk(people, "ben")
    customer = lost.customer
    there = await elsewhere(lambda: people.staff("ann"), customer)
    here = await elsewhere(lambda: people.staff("ann"), there)
    opened = await open_chat(customer)
    taken = await there.call("take_chat", ticket=opened["ticket"], n=1)
    await lost.agent.cut()
    os.kill(there.process, signal.SIGKILL)
    await released(lost)
    await here.call("post_message", ticket=opened["ticket"], n=1, text="From the other one", gen=taken["gen"])


async def test_signing_out_begins_the_grace_too(people: People) -> None:
    talk = await start_talk(people, "ann")
    other = await start_talk(people, "ben")
    api = people.browser()
    (await api.sign_in("sue@shop.example", PASSWORD)).raise_for_status()
    sue: Socket = await api.socket(await api.new_pass())
    customer = await people.customer()
    opened = await open_chat(customer)
    await sue.call("take_chat", ticket=opened["ticket"], n=1)
    assert (await api.http.delete("/api/v1/agent-sessions")).status_code == HTTPStatus.NO_CONTENT
    assert await sue.closed() == 4401
    assert (await customer.until("entry", kind="released"))["name"] == "Sue"
    for kept in (talk, other):
        assert (await kept.customer.call("pull", ticket=kept.ticket))["state"]["state"] == "active"
