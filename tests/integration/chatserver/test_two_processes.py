"""Customer and agent on different processes, one Redis between them; on each database engine."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http import HTTPStatus

import pytest

from tests.support.client import PATIENCE, Socket
from tests.support.log import assert_one_order, until_state, whole_log
from tests.support.people import People, add_staff, elsewhere, open_chat, position
from tests.support.server import PASSWORD, RunningServer, found

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def two_processes(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    env = {}
    if request.param != "sqlite":
        env["CHAT_DATABASE_URL"] = request.getfixturevalue(request.param).empty()
    with RunningServer("--workers", "2", env=env) as running:
        add_staff(running, "ann", "ben")
        yield running


@pytest.fixture
async def people(two_processes: RunningServer) -> AsyncIterator[People]:
    async with People(two_processes) as everybody:
        yield everybody


async def test_a_whole_chat(people: People, two_processes: RunningServer) -> None:
    customer = await people.customer()
    agent = await elsewhere(lambda: people.staff("ann"), customer)
    assert {customer.process, agent.process} < set(two_processes.children())
    await agent.call("watch", topic="department:support")
    opened = await open_chat(customer, "Hello from one side")
    ticket = opened["ticket"]
    assert (await agent.until("event", type="queued"))["item"]["ticket"] == ticket
    taken = await agent.call("take_chat", ticket=ticket, n=1)
    assert (await customer.until("entry", ticket=ticket))["kind"] == "assigned"
    await agent.send({"op": "typing", "ticket": ticket})
    await customer.until("event", type="typing")
    acks = [opened, taken]
    for n in range(2, 12):
        ids = (
            await customer.start("post_message", ticket=ticket, n=n, text=f"c{n}"),
            await agent.start("post_message", ticket=ticket, n=2 * n - 2, text=f"a{n}", gen=taken["gen"]),
            await agent.start("post_note", ticket=ticket, n=2 * n - 1, text=f"note {n}"),
        )
        acks += [await customer.reply(ids[0]), await agent.reply(ids[1]), await agent.reply(ids[2])]
    for socket, text in ((customer, "a"), (agent, "c")):
        heard = [await socket.until("entry", ticket=ticket, kind="message") for _ in range(10)]
        assert [entry["text"] for entry in heard] == [f"{text}{n}" for n in range(2, 12)]
        assert [entry["seq"] for entry in heard] == sorted(entry["seq"] for entry in heard)
    await customer.send({"op": "read", "ticket": ticket, "seq": acks[-2]["seq"]})
    await agent.until("event", type="read", seq=acks[-2]["seq"])
    acks.append(await customer.call("close_chat", ticket=ticket, n=12))
    await agent.until("entry", ticket=ticket, kind="closed")
    acks.append(await customer.call("rate_chat", ticket=ticket, n=13, rating=5))
    await agent.until("entry", ticket=ticket, kind="rated")
    assert_one_order(await whole_log(agent, ticket), *acks)
    assert not customer.has_received("note")
    await until_state(customer, ticket, "closed")
    assert await asyncio.to_thread(found, two_processes, 'c11 a11 "note 11"') == [ticket]
    export = two_processes.folder / "chat.json"
    for command in (("export", str(ticket), "--staff", "-o", export), ("verify", export)):
        done = await asyncio.to_thread(two_processes.command, "transcripts", *command)
        assert done.returncode == 0, done.stderr
    assert "verified: chat" in done.stdout


async def test_resuming_in_the_other_process(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    opened = await open_chat(customer)
    taken = await agent.call("take_chat", ticket=opened["ticket"], n=1)
    first = await customer.call("post_message", ticket=opened["ticket"], n=2, text="Only once")
    await customer.cut()
    missed = await agent.call("post_message", ticket=opened["ticket"], n=2, text="Missed", gen=taken["gen"])
    again = await elsewhere(lambda: people.resume(customer, chats=[position(first)]), customer)
    assert [entry["entry_id"] for entry in again.welcome["chats"][0]["entries"]] == [missed["entry_id"]]
    repeated = await again.call("post_message", ticket=opened["ticket"], n=2, text="Only once")
    assert (repeated["dup"], repeated["entry_id"]) == (True, first["entry_id"])


async def test_two_agents_on_two_processes(people: People) -> None:
    customer, ann = await people.customer(), await people.staff("ann")
    ben = await elsewhere(lambda: people.staff("ben"), ann)
    tickets = []
    for _ in range(4):
        opened = await open_chat(customer)
        await customer.call("detach", ticket=opened["ticket"])
        tickets.append(opened["ticket"])

    async def race(agent: Socket) -> list[str]:
        ids = [await agent.start("take_chat", ticket=ticket, n=1) for ticket in tickets]
        replies = [await agent.until_reply(id_) for id_ in ids]
        return [str(reply.get("owner") or reply["op"]) for reply in replies]

    for_ann, for_ben = await asyncio.gather(race(ann), race(ben))
    assert set(zip(for_ann, for_ben, strict=True)) <= {("ack", "Ann"), ("Ben", "ack")}


async def test_signing_out_ends_the_sockets_of_every_process(people: People) -> None:
    api = people.browser()
    (await api.sign_in("ben@shop.example", PASSWORD)).raise_for_status()

    async def connect() -> Socket:
        return await api.socket(await api.new_pass())

    one = await connect()
    other = await elsewhere(connect, one)
    assert (await api.http.delete("/api/v1/agent-sessions")).status_code == HTTPStatus.NO_CONTENT
    assert (await one.closed(), await other.closed()) == (4401, 4401)


async def test_newer_connection_of_a_device_ends_the_older_in_the_other_process(people: People) -> None:
    customer = await people.customer()
    for _ in range(5):
        newer = await elsewhere(partial(people.resume, customer), customer)
        assert await customer.closed() == 4409
        await newer.round_trip()
        customer = newer


async def test_of_two_connections_at_once_one_stays(people: People) -> None:
    """Whichever process they come to, and in whichever order the two hear of each other."""
    customer = await people.customer()
    for _ in range(20):
        pair = await asyncio.gather(people.resume(customer), people.resume(customer))
        await customer.closed()
        ends = {asyncio.create_task(socket.connection.wait_closed()): socket for socket in pair}
        over, (left,) = await asyncio.wait(ends, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert [ends[end].connection.close_code for end in over] == [4409]
        left.cancel()
        customer = ends[left]
        await customer.round_trip()


async def test_killed_web_process_is_replaced(people: People, two_processes: RunningServer) -> None:
    import os
    import signal

    customer = await people.customer()
    agent = await elsewhere(lambda: people.staff("ann"), customer)
    opened = await open_chat(customer)
    taken = await agent.call("take_chat", ticket=opened["ticket"], n=1)
    os.kill(customer.process, signal.SIGKILL)
    assert await customer.closed() == 1006
    missed = await agent.call("post_message", ticket=opened["ticket"], n=2, text="Still here?", gen=taken["gen"])
    again = await people.resume(customer, chats=[position(opened)])
    assert [entry["seq"] for entry in again.welcome["chats"][0]["entries"]] == [taken["seq"], missed["seq"]]
    replaced = await elsewhere(people.customer, customer, agent)
    assert replaced.process in two_processes.children()
