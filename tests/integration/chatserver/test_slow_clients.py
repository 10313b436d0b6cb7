"""Clients that do not read, or say nothing any more: cut off, while everybody else goes on."""

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

from chatserver.hub.connection import MAX_BACKLOG_BYTES
from tests.support.client import JSON, PATIENCE, Socket, decode, new_device
from tests.support.people import People, Talk, add_staff, position, start_talk
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio

SAID = 1_500
TEXT = "x" * 4_000
WATCHERS = 20


@pytest.fixture(scope="module")
def patient() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture(scope="module")
def impatient() -> Iterator[RunningServer]:
    with RunningServer(env={"CHAT_PING_SECONDS": "1"}) as running:
        yield running


@pytest.fixture
async def people(patient: RunningServer, subprotocol: str) -> AsyncIterator[People]:
    async with People(patient, subprotocol) as everybody:
        yield everybody


@pytest.fixture
async def hurried(impatient: RunningServer, subprotocol: str) -> AsyncIterator[People]:
    async with People(impatient, subprotocol) as everybody:
        yield everybody


class Deaf:
    """A customer's other device: it says hello and attaches to a chat, and from then on reads nothing by itself. Below
    any library, so that nothing is read behind its back.
    """

    def __init__(self, server: RunningServer, pass_: str, *tickets: int) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", server.port))
        self.protocol = ClientProtocol(
            parse_uri(f"ws://127.0.0.1:{server.port}/ws"), origin=server.base, subprotocols=[JSON], max_size=None
        )
        self.protocol.send_request(self.protocol.connect())
        hello = {
            "op": "hello",
            "id": 1,
            "pass": pass_,
            "device": new_device(),
            "chats": [{"ticket": one} for one in tickets],
        }
        self._flush()
        while not self.protocol.events_received():
            self.protocol.receive_data(self.socket.recv(4096))
        self.protocol.send_text(json.dumps(hello).encode())
        self._flush()
        frame = None
        while frame is None:
            self.protocol.receive_data(self.socket.recv(65536))
            frame = next((one for one in self.protocol.events_received() if isinstance(one, Frame)), None)
        self.welcome = decode(bytes(frame.data).decode())[0]  # what happened meanwhile may follow in the same frame

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            self.socket.sendall(data)

    def rest(self) -> tuple[int, int]:
        """Reads what lies there to the end: how many bytes, and the close code, if one came."""
        size = 0
        self.socket.settimeout(60)
        try:
            while data := self.socket.recv(65536):
                size += len(data)
                self.protocol.receive_data(data)
        except ConnectionResetError:
            pass
        self.socket.close()
        return size, self.protocol.close_rcvd.code if self.protocol.close_rcvd else 1006


def memory_of_web(server: RunningServer) -> int:
    """Resident bytes of all children."""
    pages = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in server.children()]
    return sum(pages) * os.sysconf("SC_PAGE_SIZE")


def slow_lines(server: RunningServer) -> list[str]:
    return [line for line in server.log.splitlines() if "connection.slow" in line]


async def much_is_said(talk: Talk) -> None:
    """Both sides say a lot, and each hears all of the other."""

    async def say(who: Socket, n: int, **more: object) -> None:
        for begin in range(n, n + SAID, 10):
            ids = [
                await who.start("post_message", ticket=talk.ticket, n=number, text=TEXT, **more)
                for number in range(begin, begin + 10)
            ]
            for id_ in ids:
                assert (await who.reply(id_))["op"] == "ack"

    await asyncio.gather(say(talk.customer, 2), say(talk.agent, 2, gen=talk.gen))
    for who in (talk.customer, talk.agent):
        heard = [await who.until("entry", ticket=talk.ticket, kind="message") for _ in range(SAID)]
        assert [entry["seq"] for entry in heard] == sorted(entry["seq"] for entry in heard)
        who.received.clear()


async def test_nobody_waits_for_who_does_not_read(people: People, patient: RunningServer) -> None:
    talk = await start_talk(people)
    token = talk.customer.welcome["customer_token"]
    passes = [await people.browser().new_pass(token) for _ in range(WATCHERS)]
    deaf = [await asyncio.to_thread(Deaf, patient, pass_, talk.ticket) for pass_ in passes]
    before = memory_of_web(patient)
    await much_is_said(talk)
    grown = memory_of_web(patient) - before
    # 12 MB for each, had they been kept; what is kept is below 0.5 MB, and they are cut off.
    assert grown < 60_000_000, grown
    for one in deaf:
        size, code = await asyncio.to_thread(one.rest)
        assert size < 2 * SAID * len(TEXT) / 2
        assert code in (4002, 1006)  # the close frame, if it had room
    assert len(slow_lines(patient)) >= WATCHERS
    # One of them comes back and gets the rest from where it was.
    resumed = await people.customer_at(token, chats=[position(talk.opened)])
    assert resumed.welcome["chats"][0]["ok"] is True


async def test_who_takes_nothing_for_ten_seconds_ends(people: People, patient: RunningServer) -> None:
    """Also when too little waits to be too much, and long before a ping is missed."""
    talk = await start_talk(people)
    pass_ = await people.browser().new_pass(talk.customer.welcome["customer_token"])
    deaf = await asyncio.to_thread(Deaf, patient, pass_, talk.ticket)
    before = len(slow_lines(patient))
    for n in range(2, 62):
        await talk.say(n, TEXT)
    await asyncio.to_thread(wait_until, lambda: len(slow_lines(patient)) > before, "it is cut off")
    found = re.search(r"bytes=(\d+)", slow_lines(patient)[-1])
    assert found
    assert 0 < int(found[1]) < MAX_BACKLOG_BYTES
    await asyncio.to_thread(deaf.rest)


async def test_client_that_does_not_answer_ends_and_resumes(hurried: People) -> None:
    customer, other = await hurried.customer(), await hurried.customer()
    assert customer.welcome["ping_every"] == 1_000
    listening = asyncio.create_task(other.until("nothing"))  # reads, and answers every ping
    async with asyncio.timeout(PATIENCE):
        await customer.connection.wait_closed()
    assert customer.connection.close_code == 4004
    again = await hurried.resume(customer)
    await again.round_trip()
    assert not listening.done()
    listening.cancel()


async def test_frozen_client_ends(hurried: People, impatient: RunningServer) -> None:
    pass_ = (await hurried.browser().post("/api/v1/customer-sessions", {"site_key": "default"})).json()["pass"]
    frozen = await asyncio.to_thread(Deaf, impatient, pass_)
    assert (await asyncio.to_thread(frozen.rest))[1] == 4004
