"""The client library against the real server, while things go wrong."""

import asyncio
import re
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from chatserver.client import (
    JSON,
    MSGPACK,
    AgentSignIn,
    ChatClient,
    CustomerSession,
    Pass,
    RefusedError,
    StoppedError,
)
from chatserver.client.observations import Acked, Connected, Lost, Observation, Refused, Reset, Seen, Sent
from chatserver.wire import close_codes
from tests.support.client import PATIENCE, Api, new_address
from tests.support.people import add_staff
from tests.support.server import PASSWORD, RunningServer

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def fragile_server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann", "ben")
        yield running


class Clients:
    """Clients of one test, each with its history."""

    def __init__(self, server: RunningServer) -> None:
        self.address = server.base.replace("http", "ws") + "/ws"
        self.history: dict[ChatClient, list[Observation]] = {}

    def customer(self, **options: Any) -> ChatClient:
        return self.start(CustomerSession(local_address=new_address()), **options)

    def agent(self, login: str = "ann", **options: Any) -> ChatClient:
        return self.start(AgentSignIn(f"{login}@shop.example", PASSWORD, local_address=new_address()), **options)

    def start(self, credentials: Any, **options: Any) -> ChatClient:
        told: list[Observation] = []
        client = ChatClient(connect=[self.address], credentials=credentials, observer=told.append, **options)
        self.history[client] = told
        client.start()
        return client

    async def close(self) -> None:
        for client in self.history:
            await client.stop()

    def told(self, client: ChatClient, kind: type) -> list[Any]:
        return [one for one in self.history[client] if isinstance(one, kind)]


@pytest.fixture
async def clients(fragile_server: RunningServer) -> AsyncIterator[Clients]:
    all_ = Clients(fragile_server)
    yield all_
    await all_.close()


async def soon(waiting: Coroutine[Any, Any, Any]) -> Any:
    """It is due: by then it has come, on any machine."""
    async with asyncio.timeout(3 * PATIENCE):
        return await waiting


async def start_talk(customer: ChatClient, agent: ChatClient) -> int:
    """A chat that the agent has taken."""
    opened = customer.open_chat("Where is my parcel?")
    ticket: int = (await soon(opened.acked()))["ticket"]
    await soon(agent.take_chat(ticket).acked())
    await soon(customer.until(lambda: customer.state(ticket).phase == "active"))
    return ticket


def lines(client: ChatClient, ticket: int) -> list[tuple[int, str]]:
    state = client.state(ticket)
    return [(entry["seq"], entry["entry_id"]) for entry in state.log]


def texts(client: ChatClient, ticket: int, kind: str = "message") -> list[str]:
    return [entry["text"] for entry in client.state(ticket).log if entry["kind"] == kind]


async def same_log(one: ChatClient, other: ChatClient, ticket: int) -> None:
    """Both have the same, once everything has come."""
    for client in (one, other):
        await soon(client.settled())
    top = max(one.state(ticket).seq, other.state(ticket).seq)
    for client in (one, other):
        await soon(client.until(lambda client=client: client.state(ticket).seq == top))
    assert lines(one, ticket) == lines(other, ticket)


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
async def test_a_chat_from_its_first_message_to_its_rating(clients: Clients, subprotocol: str) -> None:
    customer, agent = clients.customer(subprotocol=subprotocol), clients.agent(subprotocol=subprotocol)
    waiting = agent.watch("department:support")
    opened = customer.open_chat("Where is my parcel?", topic="Delivery")
    ticket = (await soon(opened.acked()))["ticket"]
    await soon(agent.until(lambda: ticket in waiting.items))
    await soon(agent.take_chat(ticket).acked())
    await soon(agent.until(lambda: ticket not in waiting.items))
    said = [agent.post_message(ticket, "On its way."), agent.post_note(ticket, "A regular.")]
    for command in said:
        await soon(command.durable())
    await soon(customer.post_message(ticket, "My card is 4111 1111 1111 1111").acked())
    await soon(agent.close_chat(ticket).durable())
    await soon(customer.rate_chat(ticket, 5, "Quick").durable())
    await soon(agent.until(lambda: agent.state(ticket).info.get("rating") == 5))
    kinds = [entry["kind"] for entry in agent.state(ticket).log]
    assert kinds == ["opened", "message", "assigned", "message", "note", "message", "closed", "rated"]
    assert [entry["kind"] for entry in customer.state(ticket).log] == [kind for kind in kinds if kind != "note"]
    assert customer.state(ticket).log[-3]["text"] == "My card is •••• 1111"
    assert customer.waiting == agent.waiting == 0
    await soon(agent.until(lambda: agent.state(ticket).durable == customer.state(ticket).durable))
    for client in (customer, agent):
        assert [one.entry_id for one in clients.told(client, Seen)] == [
            entry["entry_id"] for entry in client.state(ticket).log
        ]
        assert {(one.n, one.dup) for one in clients.told(client, Acked)} == {
            (one.n, False) for one in clients.told(client, Sent)
        }


async def test_the_example_of_the_page(fragile_server: RunningServer, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python_client.md").read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    await soon(names["main"]([Clients(fragile_server).address], "ann@shop.example", PASSWORD))
    assert capsys.readouterr().out.splitlines() == [
        "1 opened ",
        "2 message Where is my parcel?",
        "3 assigned ",
        "4 message It comes tomorrow.",
    ]


async def test_refused_commands_are_told_and_the_next_one_gets_their_number(clients: Clients) -> None:
    customer, agent = clients.customer(), clients.agent()
    ticket = await start_talk(customer, agent)
    before, long, after = (customer.post_message(ticket, text) for text in ("before", "x" * 5000, "after"))
    with pytest.raises(RefusedError) as caught:
        await soon(long.acked())
    assert caught.value.code == "too_big"
    assert (await soon(after.durable()))["n"] == (await soon(before.acked()))["n"] + 1 == 3
    (refused,) = clients.told(customer, Refused)
    assert (refused.n, refused.code, refused.text) == (3, "too_big", "x" * 5000)
    await soon(agent.close_chat(ticket).acked())
    with pytest.raises(RefusedError, match="chat_closed"):
        await soon(customer.post_message(ticket, "too late").acked())
    await same_log(customer, agent, ticket)
    assert texts(agent, ticket) == ["Where is my parcel?", "before", "after"]


async def write(client: ChatClient, ticket: int, count: int, name: str) -> list[str]:
    """Says so many things, at most 32 ahead of what is acknowledged."""
    said = []
    for number in range(count):
        said.append(client.post_message(ticket, f"{name} {number}"))
        if number >= 32:
            await said[number - 32].acked()
    for command in said:
        await command.acked()
    return [command.text or "" for command in said]


async def interrupted(
    clients: Clients, interrupt: Callable[[], Coroutine[Any, Any, Any]], *, count: int = 300, **options: Any
) -> tuple[ChatClient, ChatClient, int]:
    """Both sides write without a pause while something happens; nothing is lost, doubled or out of order."""
    customer, agent = clients.customer(**options), clients.agent(**options)
    ticket = await start_talk(customer, agent)
    writing = asyncio.gather(write(customer, ticket, count, "customer"), write(agent, ticket, count, "agent"))
    await soon(agent.until(lambda: agent.state(ticket).seq > 40))
    await interrupt()
    told = await soon(writing)
    await same_log(customer, agent, ticket)
    by_author = defaultdict(list)
    for text in texts(agent, ticket)[1:]:
        by_author[text.split()[0]].append(text)
    assert [by_author["customer"], by_author["agent"]] == told
    assert len(lines(agent, ticket)) == 3 + 2 * count
    return customer, agent, ticket


async def test_cut_connections(clients: Clients) -> None:
    async def cut() -> None:
        for times in range(2, 7):
            for client in clients.history:
                client.cut()
                await soon(client.until(lambda who=client, due=times: len(clients.told(who, Connected)) == due))

    await interrupted(clients, cut)


@pytest.mark.parametrize("subprotocol", [MSGPACK, JSON])
async def test_doubled_and_repeated_frames_change_nothing(clients: Clients, subprotocol: str) -> None:
    async def nothing() -> None: ...

    await interrupted(clients, nothing, duplicate=0.3, replay=0.3, subprotocol=subprotocol)


async def test_killed_server(clients: Clients, fragile_server: RunningServer) -> None:
    async def kill() -> None:
        fragile_server.kill9()
        await asyncio.to_thread(fragile_server.start)

    customer, agent, _ = await interrupted(clients, kill)
    for client in (customer, agent):
        assert clients.told(client, Lost)
        assert not clients.told(client, Reset)  # Redis has lived on


async def test_empty_redis_begins_again_and_what_was_not_durable_comes_back_once(
    clients: Clients, fragile_server: RunningServer
) -> None:
    async def wipe() -> None:
        with fragile_server.redis() as redis:
            redis.flushall()

    customer, agent, ticket = await interrupted(clients, wipe)
    for client in (customer, agent):
        *_, reset = clients.told(client, Reset)  # told again when it had asked for more from the old place
        assert reset.epoch == client.state(ticket).epoch
        # What was seen after the reset is the whole log, once.
        told = clients.history[client]
        again = [one.entry_id for one in told[told.index(reset) :] if isinstance(one, Seen)]
        assert again == [entry_id for _, entry_id in lines(client, ticket)]


async def test_a_chat_that_redis_lost_before_it_was_durable_is_opened_again_with_its_ticket() -> None:
    """Nothing gets durable without a worker: all that is left of the chat is what its two clients have."""
    with RunningServer("--no-worker") as server:
        add_staff(server, "ann")
        clients = Clients(server)
        customer, agent = clients.customer(), clients.agent()
        ticket = await start_talk(customer, agent)
        said = [customer.post_message(ticket, "One"), agent.post_message(ticket, "Two"), agent.post_note(ticket, "N")]
        for command in said:
            await soon(command.acked())
        with server.redis() as redis:
            redis.flushall()
        for client in (customer, agent):
            client.cut()
        for client in (customer, agent):
            await soon(client.until(lambda client=client: clients.told(client, Reset)))
            await soon(client.until(lambda client=client: len(texts(client, ticket)) == 3))
        await soon(agent.until(lambda: agent.state(ticket).seq == 6))
        await clients.close()
    assert sorted(texts(agent, ticket)) == ["One", "Two", "Where is my parcel?"]
    assert texts(agent, ticket, "note") == ["N"]
    assert [entry["kind"] for entry in agent.state(ticket).log].count("assigned") == 1
    assert agent.state(ticket).is_mine


async def test_two_devices_of_one_customer_open_one_chat_and_count_each_for_itself(clients: Clients) -> None:
    session = CustomerSession(local_address=new_address())
    one = clients.start(session)
    await soon(one.connected())
    other = clients.start(session)
    key = secrets.token_hex(16)
    ticket = (await soon(one.open_chat("Hello", chat_key=key).acked()))["ticket"]
    again = other.open_chat("Hello", chat_key=key)
    assert (await soon(again.durable()))["ticket"] == ticket
    assert (await soon(again.acked()))["dup"] is True
    assert (await soon(other.post_message(ticket, "From the other").acked()))["n"] == 1
    assert (await soon(one.post_message(ticket, "From the one").acked()))["n"] == 2
    await same_log(one, other, ticket)
    assert texts(one, ticket) == ["Hello", "From the other", "From the one"]


async def test_who_comes_back_to_a_chat_counts_on(clients: Clients) -> None:
    customer = clients.start(CustomerSession(local_address=new_address()))
    await soon(customer.connected())
    ticket = (await soon(customer.open_chat("Hello").acked()))["ticket"]
    await soon(customer.post_message(ticket, "before").durable())
    customer.detach(ticket)
    assert customer.state(ticket) is None
    customer.attach(ticket)
    assert (await soon(customer.post_message(ticket, "after").acked()))["n"] == 3
    await soon(customer.until(lambda: texts(customer, ticket) == ["Hello", "before", "after"]))


async def test_newer_connection_of_the_same_device_stops_the_older(clients: Clients) -> None:
    session = CustomerSession(local_address=new_address())
    older = clients.start(session, device="device-" + "a" * 16)
    await soon(older.connected())
    newer = clients.start(session, device="device-" + "a" * 16)
    await soon(newer.connected())
    await soon(older.until(lambda: older.stopped is not None))
    assert older.stopped == close_codes.SUPERSEDED
    with pytest.raises(StoppedError):
        await older.connected()


async def test_wrong_password_stops(clients: Clients) -> None:
    agent = clients.start(AgentSignIn("ann@shop.example", "not this", local_address=new_address()))
    with pytest.raises(StoppedError) as caught:
        await soon(agent.connected())
    assert caught.value.code == HTTPStatus.UNAUTHORIZED


async def test_used_pass_and_resume_token(clients: Clients, fragile_server: RunningServer) -> None:
    """A pass opens one connection; the resume token goes on after a cut."""
    api = Api(fragile_server.base)
    session = (await api.post("/api/v1/customer-sessions", {"site_key": "default"})).json()
    await api.close()
    client = clients.start(Pass(session["pass"]))
    await soon(client.connected())
    client.cut()
    await soon(client.connected())
    second = clients.start(Pass(session["pass"]))
    await soon(second.until(lambda: second.stopped is not None))
    assert second.stopped == HTTPStatus.UNAUTHORIZED
