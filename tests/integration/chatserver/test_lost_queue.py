"""Redis forgets the queue and who has what: both come back with the chats, and consoles notice without a reload."""

import asyncio
from typing import Any

import pytest

from chatserver.broker.keys import routing
from tests.support.client import Socket
from tests.support.log import until_durable
from tests.support.people import People, open_chat, start_talk
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio


async def until_shown(socket: Socket, topic: str, name: str, *tickets: int) -> dict[str, Any]:
    """The unasked snapshot that has these chats."""
    while True:
        snapshot = await socket.until("snapshot", topic=topic)
        assert "id" not in snapshot
        if set(tickets) <= {item["ticket"] for item in snapshot["state"][name]}:
            return snapshot


async def test_consoles_show_queue_and_own_chats_again(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims, "ann", text="Mine", name="Sam")
    ann, desk = talk.agent, await victims.staff("ben")
    topic = f"agent:{ann.welcome['person']['id']}"
    waiting = [await open_chat(await victims.customer(), f"Waiting {n}") for n in range(3)]
    mine = await ann.call("watch", topic=topic)
    queue = await desk.call("watch", topic="department:support")
    assert queue["version"] > 3
    for opened in waiting:
        await until_durable(desk, opened["ticket"])
    await until_durable(ann, talk.ticket)
    with fragile_server.redis() as redis:
        redis.flushall()
    victims.cookies.clear()

    for ticket in (talk.ticket, *(opened["ticket"] for opened in waiting)):  # somebody touches each
        await desk.call("pull", ticket=ticket)
    tickets = [opened["ticket"] for opened in waiting]
    shown = await until_shown(desk, "department:support", "waiting", *tickets)
    assert [item["ticket"] for item in shown["state"]["waiting"] if item["ticket"] in tickets] == tickets
    (item,) = (await until_shown(ann, topic, "chats", talk.ticket))["state"]["chats"]
    assert (item["name"], item["since"]) == ("Sam", mine["state"]["chats"][-1]["since"])

    await talk.answer(2, "Still mine")
    taken = await desk.call("take_chat", ticket=tickets[0], n=1)
    assert taken["gen"] == 1
    left = await desk.until("event", topic="department:support", type="left", ticket=tickets[0])
    assert left["taken_by"] == "Ben"


async def test_version_that_goes_back_is_a_new_snapshot(victims: People, fragile_server: RunningServer) -> None:
    desk = await victims.staff("ann")
    await desk.call("watch", topic="department:support")
    await open_chat(await victims.customer())
    before = await desk.until("event", topic="department:support", type="queued")
    with fragile_server.redis() as redis:
        redis.hset(routing("ver"), "department:support", before["version"] - 1)
    opened = await open_chat(await victims.customer())
    shown = await until_shown(desk, "department:support", "waiting", opened["ticket"])
    assert shown["version"] == before["version"]  # which a client would take for one that it knows
    assert not desk.seen("event", topic="department:support", type="queued")


async def test_agent_who_was_gone_when_redis_forgot_loses_the_chat_all_the_same(
    victims: People, fragile_server: RunningServer
) -> None:
    """The grace itself is forgotten: it begins when the chat is found again."""
    talk = await start_talk(victims, "ann")
    agent_id = talk.agent.welcome["person"]["id"]
    await until_durable(talk.customer, talk.ticket)
    await talk.agent.cut()
    with fragile_server.redis() as redis:
        await asyncio.to_thread(wait_until, lambda: redis.zscore(routing("away"), agent_id) is not None, "she is away")
        redis.flushall()
        assert redis.zscore(routing("away"), agent_id) is None
        victims.cookies.clear()
        await talk.customer.call("pull", ticket=talk.ticket)
        await asyncio.to_thread(wait_until, lambda: redis.zscore(routing("away"), agent_id) is not None, "she is away")


async def test_taking_again_after_everything_was_rebuilt(victims: People, fragile_server: RunningServer) -> None:
    """The log does not remember which entry made the owner; the record does."""
    talk = await start_talk(victims, "ann")
    desk = await victims.staff("ann")
    await until_durable(talk.customer, talk.ticket)
    with fragile_server.redis() as redis:
        redis.flushall()
    victims.cookies.clear()
    first = await desk.call("take_chat", ticket=talk.ticket, n=1)
    assert (first["dup"], first["gen"], first["entry_id"]) == (True, talk.gen, talk.taken["entry_id"])
    retried = await desk.call("take_chat", ticket=talk.ticket, n=1)
    assert retried == first | {"id": retried["id"], "page": retried["page"]}
    await desk.call("post_message", ticket=talk.ticket, n=2, text="From my desk", gen=first["gen"])
