"""How a server goes: clients are told, go on working until they leave, and find another node."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from chatserver.broker.keys import routing
from tests.support.log import whole_log
from tests.support.people import People, add_staff, open_chat, position, start_talk
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def installation() -> Iterator[RunningServer]:
    """A node that stays, and holds the embedded Valkey."""
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
def node(installation: RunningServer) -> Iterator[RunningServer]:
    """A node that goes."""
    with RunningServer("--no-worker", beside=installation) as running:
        yield running


@pytest.fixture
async def people(node: RunningServer, subprotocol: str) -> AsyncIterator[People]:
    async with People(node, subprotocol) as everybody:
        yield everybody


@pytest.fixture
async def others(installation: RunningServer, subprotocol: str) -> AsyncIterator[People]:
    async with People(installation, subprotocol) as everybody:
        yield everybody


@pytest.fixture(scope="module")
def alone() -> Iterator[RunningServer]:
    """The only node of its installation."""
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def clients(alone: RunningServer, subprotocol: str) -> AsyncIterator[People]:
    async with People(alone, subprotocol) as everybody:
        yield everybody


SLOW_OTHERS = {"CHAT_DRAIN_RATE": "1", "CHAT_DRAIN_SECONDS": "600"}


def health(server: RunningServer) -> int:
    return httpx.get(f"{server.base}/healthz", timeout=10, verify=False).status_code


def readiness(server: RunningServer) -> tuple[int, list[str]]:
    answer = httpx.get(f"{server.base}/readyz", timeout=10, verify=False)
    return answer.status_code, answer.json().get("problems", [])


async def test_clients_work_on_until_they_leave_for_another_node(
    installation: RunningServer, others: People, subprotocol: str
) -> None:
    with RunningServer("--no-worker", beside=installation, env=SLOW_OTHERS) as node:
        people = People(node, subprotocol)
        customers = [await people.customer() for _ in range(40)]
        node.tell(signal.SIGTERM)
        byes = [await customer.until("bye") for customer in customers]
        assert all(0 <= bye["after_ms"] <= 40_000 and bye["reconnect"] for bye in byes)
        # They are spread; who is told to go last has half a minute for what follows.
        latest = max(range(40), key=lambda number: byes[number]["after_ms"])
        customer = customers.pop(latest)
        assert byes[latest]["after_ms"] > 30_000

        assert await asyncio.to_thread(readiness, node) == (HTTPStatus.SERVICE_UNAVAILABLE, ["shutting down"])
        assert (await asyncio.to_thread(health, node)) == HTTPStatus.OK
        with pytest.raises(InvalidStatus) as caught:
            await people.stranger()
        assert caught.value.response.status_code == HTTPStatus.SERVICE_UNAVAILABLE
        assert caught.value.response.headers["Retry-After"] == "1"

        opened = await open_chat(customer)
        said = await customer.call("post_message", ticket=opened["ticket"], n=2, text="Still at work")
        await customer.close()
        again = await others.resume(customer, chats=[position(opened)])
        assert again.welcome["chats"][0]["entries"][-1]["entry_id"] == said["entry_id"]
        # A second signal: no more patience for the others.
        node.tell(signal.SIGINT)
        assert {await customer.closed() for customer in customers} == {4001}
        assert await asyncio.to_thread(node.ended) == 0
        await people.close()


async def test_agent_is_there_until_the_own_goodbye_and_has_the_grace_from_then_on(
    installation: RunningServer, others: People, subprotocol: str
) -> None:
    """A node that goes is still one that lives: what its agents have is not taken from them meanwhile."""
    with (
        RunningServer("--no-worker", beside=installation, env=SLOW_OTHERS) as node,
        installation.redis() as redis,
    ):
        async with People(node, subprotocol) as people:
            talk = await start_talk(people, "ann")
            ann = talk.agent.welcome["person"]["id"]
            screens = [talk.agent, *[await people.staff("ann") for _ in range(40)]]
            node.tell(signal.SIGTERM)
            byes = [await screen.until("bye") for screen in screens]
            latest = max(range(len(screens)), key=lambda number: byes[number]["after_ms"])
            assert byes[latest]["after_ms"] > 20_000  # so long the last of her screens may stay
            last = screens.pop(latest)
            for screen in screens:
                await screen.close()
            await last.round_trip()
            assert redis.zscore(routing("away"), ann) is None

            await last.close()
            await asyncio.to_thread(wait_until, lambda: redis.zscore(routing("away"), ann) is not None, "she is away")
            again = await others.resume(last, chats=[position(talk.taken)])
            await asyncio.to_thread(wait_until, lambda: redis.zscore(routing("away"), ann) is None, "she is back")
            n = 2 if last is talk.agent else 1  # each of her devices counts by itself
            await again.call("post_message", ticket=talk.ticket, n=n, text="Still mine", gen=talk.gen)
            assert await asyncio.to_thread(node.ended) == 0
    assert [entry["kind"] for entry in await whole_log(again, talk.ticket)][2:] == ["assigned", "message"]


async def test_who_does_not_go_is_closed(people: People, node: RunningServer) -> None:
    customers = [await people.customer() for _ in range(5)]
    node.tell(signal.SIGTERM)
    assert {await customer.closed() for customer in customers} == {4001}
    assert await asyncio.to_thread(node.ended) == 0


async def test_the_end_comes_when_all_have_left(installation: RunningServer, subprotocol: str) -> None:
    with RunningServer("--no-worker", beside=installation, env=SLOW_OTHERS) as node:
        people = People(node, subprotocol)
        customers = [await people.customer() for _ in range(200)]  # 200 s, and the test's patience is shorter
        node.tell(signal.SIGTERM)
        for customer in customers:
            await customer.until("bye")
            await customer.close()
        assert await asyncio.to_thread(node.ended) == 0
        await people.close()


async def test_without_another_node_the_end_is_at_once(clients: People, alone: RunningServer) -> None:
    customers = [await clients.customer() for _ in range(20)]
    opened = await open_chat(customers[0])
    alone.tell(signal.SIGTERM)
    byes = [await customer.until("bye") for customer in customers]
    assert all(0 <= bye["after_ms"] <= 1_000 and bye["reconnect"] for bye in byes)
    assert len({bye["after_ms"] for bye in byes}) > 1
    assert {await customer.closed() for customer in customers} == {4001}
    assert await asyncio.to_thread(alone.ended) == 0
    alone.start()
    again = await clients.resume(customers[0], chats=[position(opened)])
    assert again.welcome["chats"][0]["ok"] is True


async def test_what_was_sent_is_answered_before_the_end(clients: People, alone: RunningServer) -> None:
    talk = await start_talk(clients)
    os.kill(alone.valkey_pid(), signal.SIGSTOP)
    try:
        ids = [await talk.customer.start("post_message", ticket=talk.ticket, n=n, text="Quick") for n in (2, 3)]
        pull = await talk.customer.start("pull", ticket=talk.ticket)
        await talk.customer.round_trip()  # they are on their way to Redis
        alone.tell(signal.SIGTERM)
        await talk.customer.until("bye")
    finally:
        os.kill(alone.valkey_pid(), signal.SIGCONT)
    assert [(await talk.customer.reply(id_))["n"] for id_ in ids] == [2, 3]
    assert (await talk.customer.reply(pull))["op"] == "page"
    assert await talk.customer.closed() == 4001
    assert await asyncio.to_thread(alone.ended) == 0
    alone.start()


async def test_ctrl_c_reaches_every_process_and_is_an_orderly_end(installation: RunningServer) -> None:
    with RunningServer("--workers", "2", beside=installation) as node:
        people = People(node)
        customers = [await people.customer() for _ in range(6)]
        for pid in node.children():
            os.kill(pid, signal.SIGINT)
        for customer in customers:
            await customer.round_trip()
        for pid in node.children():
            os.kill(pid, signal.SIGINT)
        node.tell(signal.SIGINT)
        assert {await customer.closed() for customer in customers} == {4001}
        assert await asyncio.to_thread(node.ended) == 0
        await people.close()
