"""How fast one connection may be; on a node of its own with low limits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Refused
from tests.support.people import People, open_chat
from tests.support.plain_asgi import PlainAsgi
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio

BURST = 5
HOPELESS = {"CHAT_AGENT_RATE": "3/0.001"}  # after three commands none for a quarter of an hour


@pytest.fixture(scope="module")
def slow_server(server: RunningServer, front: str) -> Iterator[RunningServer]:
    env = {"CHAT_CUSTOMER_RATE": f"{BURST}/4", **HOPELESS}
    node = (
        PlainAsgi(env=env, beside=server) if front == "asgi" else RunningServer("--no-worker", env=env, beside=server)
    )
    with node as running:
        yield running


@pytest.fixture
async def people(slow_server: RunningServer, cookies: dict[str, str], subprotocol: str) -> AsyncIterator[People]:
    async with People(slow_server, subprotocol, cookies) as everybody:
        yield everybody


async def test_too_fast_is_told_when_to_come_back(people: People) -> None:
    customer = await people.customer()
    ids = [await customer.start("pull", ticket=100_009) for _ in range(60)]
    codes = []
    for id_ in ids:
        with pytest.raises(Refused) as caught:
            await customer.reply(id_)
        codes.append(caught.value.code)
        if caught.value.code == "rate_limited":
            assert 0 < caught.value.frame["retry_after_ms"] <= 250 + 1
    assert codes[:BURST] == ["not_found"] * BURST
    assert "rate_limited" in codes
    await customer.round_trip()


async def test_refused_command_keeps_its_number(people: People) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    ids = [await customer.start("pull", ticket=opened["ticket"]) for _ in range(60)]
    for id_ in ids[:-1]:
        try:
            await customer.reply(id_)
        except Refused as refused:
            limited = refused
    assert limited.code == "rate_limited"
    for _ in range(100):
        try:
            ack = await customer.call("post_message", ticket=opened["ticket"], n=2, text="Patience")
            break
        except Refused as refused:
            await asyncio.sleep(refused.frame["retry_after_ms"] / 1000)
    assert (ack["n"], ack["seq"]) == (2, 3)
    assert "dup" not in ack


async def test_far_too_fast_is_the_end(people: People) -> None:
    agent = await people.staff("ben")
    with contextlib.suppress(ConnectionClosed):  # perhaps it ends before all are sent
        for _ in range(300):
            await agent.start("pull", ticket=100_009)
    assert await agent.closed() == 4429


async def test_signs_of_life_are_free(people: People) -> None:
    agent = await people.staff("ben")
    for _ in range(50):
        await agent.send({"op": "ping"})
    for _ in range(50):
        await agent.until("pong")


FOR_NOTHING = [
    {"op": "ping"},
    {"op": "typing", "ticket": 100_009},
    {"op": "dance"},
    {"op": "pull"},
    {"op": "detach", "id": 1, "ticket": 100_009},
    {"op": "unwatch", "id": 1, "topic": "department:nowhere"},
]


@pytest.mark.parametrize("frame", FOR_NOTHING, ids=lambda frame: str(frame["op"]))
async def test_flood_of_what_costs_nothing_is_the_end(people: People, frame: dict[str, object]) -> None:
    agent = await people.staff("ben")
    with contextlib.suppress(ConnectionClosed):
        for _ in range(3_000):
            await agent.send(frame)
    assert await agent.closed() == 4429
