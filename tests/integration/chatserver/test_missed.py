"""Messages that Redis does not deliver, on connections that stand: found by looking, not by an error."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from chatserver.broker.keys import chat_key, topic_channel
from tests.support.client import PATIENCE
from tests.support.log import until_durable
from tests.support.people import People, add_staff, open_chat, start_talk
from tests.support.redis_proxy import RedisProxy
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def healthy() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def proxy(healthy: RunningServer) -> AsyncIterator[RedisProxy]:
    async with RedisProxy.to(healthy.data / "valkey" / "valkey.sock") as between:
        yield between


@pytest.fixture
async def forgetful(healthy: RunningServer, proxy: RedisProxy) -> AsyncIterator[RunningServer]:
    """A node whose subscriptions can be taken away."""
    env = {"CHAT_REDIS_URL": proxy.url, "CHAT_CHECK_SECONDS": "1"}
    node = RunningServer("--no-worker", env=env, beside=healthy)
    try:
        await asyncio.to_thread(node.start)
        yield node
    finally:
        await asyncio.to_thread(node.close)


@pytest.fixture
async def there(healthy: RunningServer) -> AsyncIterator[People]:
    async with People(healthy) as everybody:
        yield everybody


@pytest.fixture
async def here(forgetful: RunningServer) -> AsyncIterator[People]:
    async with People(forgetful) as everybody:
        yield everybody


async def logged(server: RunningServer, line: str) -> None:
    await asyncio.to_thread(wait_until, lambda: line in server.log, f"{line} in the log")


async def test_entry_that_was_not_delivered(
    here: People, there: People, proxy: RedisProxy, forgetful: RunningServer
) -> None:
    talk = await start_talk(there)
    customer = await here.customer_at(talk.customer.welcome["customer_token"])
    await customer.call("attach", ticket=talk.ticket)
    proxy.forget(chat_key(talk.ticket))
    await customer.round_trip()
    said = [await talk.answer(n, f"Unheard {n}") for n in (2, 3)]
    heard = [await customer.until("entry", ticket=talk.ticket, kind="message") for _ in said]
    assert [entry["seq"] for entry in heard] == [ack["seq"] for ack in said]
    await logged(forgetful, "feed.missed")


async def test_history_that_was_lost_without_a_word(
    here: People, there: People, proxy: RedisProxy, healthy: RunningServer, forgetful: RunningServer
) -> None:
    talk = await start_talk(there)
    customer = await here.customer_at(talk.customer.welcome["customer_token"])
    page = await customer.call("attach", ticket=talk.ticket)
    assert await until_durable(talk.agent, talk.ticket) == 3
    with healthy.redis() as redis:
        redis.delete(chat_key(talk.ticket, b":m"), chat_key(talk.ticket, b":x"))
    reset = await customer.until("page", ticket=talk.ticket, reset=True)
    assert reset["epoch"] != page["epoch"]
    assert [entry["entry_id"] for entry in reset["entries"]] == [entry["entry_id"] for entry in page["entries"]]
    await logged(forgetful, "chat.rewound")


async def test_event_of_a_topic_that_was_not_delivered(here: People, there: People, proxy: RedisProxy) -> None:
    agent, customer = await here.staff("ann"), await there.customer()
    before = await agent.call("watch", topic="department:support")
    proxy.forget(topic_channel("department:support"))
    await agent.round_trip()
    opened = await open_chat(customer)
    snapshot = await agent.until("snapshot", topic="department:support")
    assert snapshot["version"] > before["version"]
    assert opened["ticket"] in {item["ticket"] for item in snapshot["state"]["waiting"]}


async def test_deaf_connection_is_made_anew(
    here: People, there: People, proxy: RedisProxy, forgetful: RunningServer
) -> None:
    talk = await start_talk(there)
    customer = await here.customer_at(talk.customer.welcome["customer_token"])
    await customer.call("attach", ticket=talk.ticket)
    proxy.forget()
    await logged(forgetful, "pushes.deaf")
    # What no log has is heard again, too.
    async with asyncio.timeout(PATIENCE):
        while not customer.seen("event", type="typing"):
            await talk.agent.send({"op": "typing", "ticket": talk.ticket})
            await asyncio.sleep(0.2)
            await customer.round_trip()
    assert forgetful.log.count("pushes.deaf") == 1
