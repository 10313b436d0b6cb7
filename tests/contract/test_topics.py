"""Versioned topics: a snapshot and its events give the same as a later snapshot. And the place in the queue."""

from typing import Any

import pytest

from tests.support.client import JSON, Refused, Socket
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio


def apply(state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """What a client does with an event of a waiting list."""
    waiting = list(state["waiting"])
    if event["type"] == "queued":
        waiting.append(event["item"])
    elif event["type"] == "left":
        waiting = [item for item in waiting if item["ticket"] != event["ticket"]]
    waiting.sort(key=lambda item: (item["since"], str(item["ticket"])))
    return {"waiting": waiting, "count": len(waiting)}


@pytest.fixture
def quiet(subprotocol: str) -> str:
    """A department of this module alone."""
    return "places-json" if subprotocol == JSON else "places-msgpack"


async def events_until(socket: Socket, topic: str, **last: Any) -> list[dict[str, Any]]:
    found = []
    while True:
        event = await socket.until("event", topic=topic)
        found.append(event)
        if all(event.get(name) == value for name, value in last.items()):
            return found


async def test_snapshot_and_events_give_the_later_snapshot(people: People, quiet: str) -> None:
    topic = f"department:{quiet}"
    agent, other = await people.staff("ann"), await people.staff("ann")
    customer = await people.customer()
    before = await open_chat(customer, "First", department=quiet, name="Sam", topic="Returns", order="7-7")
    snapshot = await agent.call("watch", topic=topic)
    assert snapshot["topic"] == topic
    (item,) = [item for item in snapshot["state"]["waiting"] if item["ticket"] == before["ticket"]]
    assert item == {
        "ticket": before["ticket"],
        "since": before["at"],
        "name": "Sam",
        "topic": "Returns",
        "order": "7-7",
        "department": quiet,
        "preview": "First",
        "verified": False,
    }
    second = await open_chat(customer, department=quiet)
    third = await open_chat(customer, department=quiet)
    await other.call("take_chat", ticket=before["ticket"], n=1)
    await customer.call("close_chat", ticket=second["ticket"], n=2)
    events = await events_until(agent, topic, type="left", ticket=second["ticket"])
    assert [event["version"] for event in events] == list(
        range(snapshot["version"] + 1, snapshot["version"] + 1 + len(events))
    )
    assert [(event["type"], event.get("ticket"), event.get("taken_by")) for event in events] == [
        ("queued", None, None),
        ("queued", None, None),
        ("left", before["ticket"], "Ann"),
        ("left", second["ticket"], None),
    ]
    state = snapshot["state"]
    for event in events:
        state = apply(state, event)
    later = await agent.call("watch", topic=topic)
    assert later["version"] == events[-1]["version"]
    assert later["state"] == state
    assert [item["ticket"] for item in state["waiting"]] == [third["ticket"]]
    await customer.call("close_chat", ticket=third["ticket"], n=2)
    await events_until(agent, topic, type="left", ticket=third["ticket"])  # no event of ours reaches the next test


async def test_every_watcher_gets_every_event_once(people: People, quiet: str) -> None:
    topic = f"department:{quiet}"
    watchers = [await people.staff("ann"), await people.staff("sue")]
    for watcher in watchers:
        await watcher.call("watch", topic=topic)
        await watcher.call("watch", topic=topic)  # twice is once
    customer = await people.customer()
    opened = await open_chat(customer, department=quiet)
    await customer.call("close_chat", ticket=opened["ticket"], n=2)
    for watcher in watchers:
        events = await events_until(watcher, topic, type="left", ticket=opened["ticket"])
        assert [event["type"] for event in events] == ["queued", "left"]


async def test_unwatch_ends_it(people: People, quiet: str) -> None:
    topic = f"department:{quiet}"
    agent, other = await people.staff("ann"), await people.staff("ann")
    for watcher in (agent, other):
        await watcher.call("watch", topic=topic)
    ack = await agent.call("unwatch", topic=topic)
    assert (ack["op"], ack["topic"]) == ("ack", topic)
    customer = await people.customer()
    opened = await open_chat(customer, department=quiet)
    await customer.call("close_chat", ticket=opened["ticket"], n=2)
    await events_until(other, topic, type="left", ticket=opened["ticket"])
    await agent.round_trip()
    assert agent.seen("event", topic=topic) == []


async def test_agent_watches_the_own_chats(people: People) -> None:
    agent = await people.staff("ann")
    topic = f"agent:{agent.welcome['person']['id']}"
    await agent.call("watch", topic=topic)
    talk = await start_talk(people, "ann", text="Hello")
    assigned = await agent.until("event", topic=topic, type="assigned")
    assert (assigned["item"]["ticket"], assigned["item"]["preview"]) == (talk.ticket, "Hello")
    snapshot = await agent.call("watch", topic=topic)
    assert talk.ticket in [item["ticket"] for item in snapshot["state"]["chats"]]
    await talk.end(2)
    released = await agent.until("event", topic=topic, type="released", ticket=talk.ticket)
    assert released["version"] > assigned["version"]
    snapshot = await agent.call("watch", topic=topic)
    assert talk.ticket not in [item["ticket"] for item in snapshot["state"]["chats"]]


async def test_topics_of_others_are_not_there(people: People) -> None:
    ann, cid, customer = await people.staff("ann"), await people.staff("cid"), await people.customer()
    assert "support" not in [one["id"] for one in cid.welcome["person"]["departments"]]
    foreign = f"agent:{ann.welcome['person']['id']}"
    answers = []
    for socket, topic in (
        (cid, "department:support"),
        (cid, foreign),
        (cid, "department:nowhere"),
        (cid, "department:"),
        (cid, "agent:"),
        (cid, "weather"),
        (cid, ""),
        (customer, "department:support"),
        (customer, foreign),
        (customer, "department:nowhere"),
        (customer, f"customer:{customer.welcome['person']['id']}"),
    ):
        with pytest.raises(Refused) as caught:
            await socket.call("watch", topic=topic)
        answers.append((caught.value.code, caught.value.frame["message"]))
    assert set(answers) == {("not_found", "It is not there, or it is not yours.")}
    await cid.call("watch", topic="department:billing")


async def test_supervisor_watches_every_department(people: People) -> None:
    supervisor = await people.staff("sue")
    for department in ("support", "billing"):
        assert (await supervisor.call("watch", topic=f"department:{department}"))["op"] == "snapshot"


async def test_places_move_up_when_others_are_taken(people: People, quiet: str) -> None:
    agent = await people.staff("ann")
    customers = [await people.customer() for _ in range(3)]
    opened = [await open_chat(customer, department=quiet) for customer in customers]
    tickets = [ack["ticket"] for ack in opened]
    assert [ack["page"]["state"]["queue"]["place"] for ack in opened] == [1, 2, 3]

    async def told(who: int, place: int, waiting: int) -> None:
        await customers[who].until(
            "event", topic="chat", ticket=tickets[who], type="queue", place=place, waiting=waiting
        )

    await told(0, 1, 3)
    await told(1, 2, 3)
    await agent.call("take_chat", ticket=tickets[0], n=1)
    await told(1, 1, 2)
    await told(2, 2, 2)
    await customers[1].call("close_chat", ticket=tickets[1], n=2)
    await told(2, 1, 1)
    page = await customers[2].call("pull", ticket=tickets[2])
    assert page["state"]["queue"] == {"place": 1, "waiting": 1}
    await customers[2].call("close_chat", ticket=tickets[2], n=2)
