"""kill -9 of the whole server in the middle of a chat."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Socket
from tests.support.log import assert_one_order, until_durable, whole_log
from tests.support.people import People, add_staff, position, start_talk
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
def cookies() -> dict[str, str]:
    return {}


class Writer:
    """Writes as fast as it may until its connection is gone; remembers what was acknowledged."""

    def __init__(self, socket: Socket, ticket: int, **fields: Any) -> None:
        self.socket, self.ticket, self.fields = socket, ticket, fields
        self.acks: list[dict[str, Any]] = []
        self.next = 2

    def command(self, n: int) -> dict[str, Any]:
        return {"ticket": self.ticket, "n": n, "text": f"message {n} of {self.socket.device}", **self.fields}

    async def write(self, enough: asyncio.Event) -> None:
        waiting: list[int] = []
        try:
            while True:
                self.next += 1  # first: sent or not, nobody can know once the connection ends in between
                waiting.append(await self.socket.start("post_message", **self.command(self.next - 1)))
                if len(waiting) == 8:
                    self.acks.append(await self.socket.reply(waiting.pop(0)))
                if len(self.acks) >= 40:
                    enough.set()
        except ConnectionClosed:
            # Answers that had come before the end count.
            self.acks += sorted(self.socket.seen("ack", ticket=self.ticket), key=lambda ack: int(ack["n"]))

    async def finish(self, socket: Socket) -> None:
        """Sends again what was not acknowledged, under the same numbers."""
        for n in range(len(self.acks) + 2, self.next):
            self.acks.append(await socket.call("post_message", **self.command(n)))


async def test_both_resume_and_nothing_acknowledged_is_lost(people: People, server: RunningServer) -> None:
    talk = await start_talk(people)
    customer = Writer(talk.customer, talk.ticket)
    agent = Writer(talk.agent, talk.ticket, gen=talk.gen)
    at_it = [asyncio.Event(), asyncio.Event()]
    writing = asyncio.gather(customer.write(at_it[0]), agent.write(at_it[1]))
    await asyncio.gather(*(event.wait() for event in at_it))
    server.kill9()
    await writing
    acknowledged = [*customer.acks, *agent.acks]
    assert len(acknowledged) >= 80

    await asyncio.to_thread(server.start)
    again = await people.resume(talk.customer, chats=[position(customer.acks[-1])])
    back = await people.resume(talk.agent, chats=[position(agent.acks[-1])])
    for socket, writer in ((again, customer), (back, agent)):
        (page,) = socket.welcome["chats"]
        assert page["ok"] is True  # Redis has lived on: the position is still one
        assert [entry["seq"] for entry in page["entries"]] == list(range(writer.acks[-1]["seq"] + 1, page["top"] + 1))
    await customer.finish(again)
    await agent.finish(back)
    log = await whole_log(back, talk.ticket)
    assert_one_order(log, *acknowledged, *customer.acks, *agent.acks)
    assert len(log) == 3 + len(customer.acks) + len(agent.acks)
    for writer in (customer, agent):
        mine = [entry["text"] for entry in log if entry.get("device") == writer.socket.device and entry["n"] > 1]
        assert mine == [writer.command(n)["text"] for n in range(2, writer.next)]
    assert await until_durable(back, talk.ticket) == len(log)


async def test_orderly_stop_and_start(people: People, server: RunningServer) -> None:
    """Nothing but the connection ends."""
    talk = await start_talk(people)
    said = await talk.say(2, "Before")
    assert await asyncio.to_thread(server.stop) == 0  # in a thread: our own end of the connections has to answer
    assert await talk.customer.closed() in (1012, 4001)
    await asyncio.to_thread(server.start)
    again = await people.resume(talk.customer, chats=[position(said)])
    assert again.welcome["chats"][0]["entries"] == []
    assert (await again.call("post_message", ticket=talk.ticket, n=2, text="Before"))["dup"] is True
    assert (await again.call("post_message", ticket=talk.ticket, n=3, text="After"))["prev"] == said["seq"]
