"""SQL is locked or cannot be written: chats go on in Redis, an alarm is told, and the record catches up by itself."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from chatserver.broker.keys import chat_key
from tests.support.client import new_chat_key
from tests.support.log import assert_one_order, until_durable, until_state, whole_log
from tests.support.people import People, add_staff, open_chat, start_talk
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio

ANSWERED_WITHIN = 10.0  # the patience of a web process with SQL is 3 s, twice where a connection has to be had first

_LOCK = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def patient_server() -> Iterator[RunningServer]:
    with RunningServer(env={"CHAT_BEHIND_SECONDS": "1"}) as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def people(patient_server: RunningServer) -> AsyncIterator[People]:
    async with People(patient_server) as everybody:
        yield everybody


@contextmanager
def locked(server: RunningServer) -> Iterator[None]:
    """Another process has the database for itself."""
    command = [sys.executable, "-c", _LOCK, str(server.data / "chat.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdin
        assert holder.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            holder.stdin.close()
            holder.wait(20)


@contextmanager
def full(server: RunningServer) -> Iterator[None]:
    """The worker can make no file longer: to SQLite that is a disk without room."""
    worker = server.children()[-1]
    _, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))


def readiness(server: RunningServer) -> httpx.Response:
    return httpx.get(f"{server.base}/readyz", timeout=20, verify=False)


@pytest.mark.parametrize("away", [locked, full])
async def test_chats_go_on_without_the_database(
    people: People, patient_server: RunningServer, away: Callable[[RunningServer], AbstractContextManager[None]]
) -> None:
    talk = await start_talk(people)
    before = len(patient_server.log)
    await until_durable(talk.customer, talk.ticket)

    with away(patient_server):
        said = [await talk.say(n, f"message {n}") for n in range(2, 12)]
        answers = [await talk.answer(n, f"answer {n}") for n in range(2, 12)]
        assert (await talk.agent.until("entry", text="message 11"))["seq"] == said[-1]["seq"]
        # Its number is from the process' stock.
        another = await open_chat(talk.customer, "A second question", chat_key=new_chat_key())
        taken = await talk.agent.call("take_chat", ticket=another["ticket"], n=1)
        ended = await talk.agent.call("close_chat", ticket=another["ticket"], n=2, gen=taken["gen"])
        state = (await talk.customer.call("pull", ticket=talk.ticket))["state"]
        assert state["durable"] < said[0]["seq"]

        await asyncio.to_thread(wait_until, lambda: "persister.behind" in patient_server.log[before:], "the alarm")
        ready = await asyncio.to_thread(readiness, patient_server)
        assert (ready.status_code, ready.json()["ready"]) == (HTTPStatus.OK, True)
        assert any("not in the database" in warning for warning in ready.json()["warnings"])

    top = await until_durable(talk.agent, talk.ticket)
    log = await whole_log(talk.agent, talk.ticket)
    assert len(log) == top == 3 + 20
    assert_one_order(log, *said, *answers)
    await until_state(talk.agent, another["ticket"], "closed")
    assert_one_order(await whole_log(talk.agent, another["ticket"]), another, ended)
    await asyncio.to_thread(wait_until, lambda: "persister.caught_up" in patient_server.log[before:], "the all-clear")
    ready = await asyncio.to_thread(readiness, patient_server)
    assert ready.json() == {"ready": True}
    assert "Traceback" not in patient_server.log[before:]


async def test_a_chat_that_has_to_wait_for_the_database_keeps_nobody_from_the_others(
    people: People, patient_server: RunningServer
) -> None:
    talk = await start_talk(people)
    gone = await open_chat(talk.customer, "A second question", chat_key=new_chat_key())
    await until_durable(talk.customer, talk.ticket)
    await until_durable(talk.customer, gone["ticket"])
    with patient_server.redis() as redis:
        redis.delete(chat_key(gone["ticket"], b":m"), chat_key(gone["ticket"], b":x"))
    await talk.customer.cut()
    with locked(patient_server):
        again = await people.resume(talk.customer, chats=[{"ticket": talk.ticket}, {"ticket": gone["ticket"]}])
        assert [page["ticket"] for page in again.welcome["chats"]] == [talk.ticket]
        assert (await people.resume(again, chats=[{"ticket": gone["ticket"]}])).welcome["chats"] == []
        again = await people.resume(again, chats=[{"ticket": talk.ticket}])
        said = await again.call("post_message", ticket=talk.ticket, n=2, text="I am still here")
        assert (await talk.agent.until("entry", text="I am still here"))["seq"] == said["seq"]
    page = await again.call("attach", ticket=gone["ticket"])
    assert [entry.get("text") for entry in page["entries"]][-1] == "A second question"


async def test_ended_chats_whose_reading_cannot_be_recorded_keep_no_agent_waiting(
    people: People, patient_server: RunningServer
) -> None:
    agent, tickets = await people.staff("ann"), []
    for _ in range(3):
        opened = await open_chat(await people.customer())
        taken = await agent.call("take_chat", ticket=opened["ticket"], n=1)
        await agent.call("close_chat", ticket=opened["ticket"], n=2, gen=taken["gen"])
        await until_durable(agent, opened["ticket"])
        tickets.append(opened["ticket"])
    await agent.cut()
    with locked(patient_server):
        again = await people.resume(agent, chats=[{"ticket": ticket} for ticket in tickets])
    assert [page["ticket"] for page in again.welcome["chats"]] == tickets


async def test_who_needs_the_database_is_told_soon(people: People, patient_server: RunningServer) -> None:
    """More ask at once than there are connections to it; none hangs, and the process goes on with the rest."""
    talk = await start_talk(people)
    await until_durable(talk.customer, talk.ticket)
    browsers = [people.browser() for _ in range(40)]
    with locked(patient_server):
        began = time.monotonic()
        asked = [
            asyncio.create_task(browser.post("/api/v1/customer-sessions", {"site_key": "default"}))
            for browser in browsers
        ]
        for n in range(2, 20):
            await talk.say(n, f"message {n}")
        answers: list[Any] = await asyncio.gather(*asked)
        assert time.monotonic() - began < ANSWERED_WITHIN
        assert {answer.status_code for answer in answers} == {HTTPStatus.SERVICE_UNAVAILABLE}
        assert {answer.json()["error"]["code"] for answer in answers} == {"unavailable"}
    assert await until_durable(talk.agent, talk.ticket) == 3 + 18
