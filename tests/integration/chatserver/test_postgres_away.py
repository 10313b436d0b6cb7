"""PostgreSQL is restarted, or hangs, under a running server: people talk on, and the record catches up by itself.

What can only be read from a file that is locked (test_database_away) cannot be read here: new chats wait, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

import httpx
import pytest

from tests.support.log import assert_one_order, until_durable, until_state, whole_log
from tests.support.people import People, add_staff, start_talk
from tests.support.postgres import Databases, OwnPostgres
from tests.support.server import RunningServer, wait_until

pytestmark = pytest.mark.anyio

ANSWERED_WITHIN = 15.0  # 3 s for a connection, 4 s for a statement, 3 s for a connection in its place, and a machine


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with OwnPostgres() as running:
        yield running


@pytest.fixture(scope="module")
def patient_server(postgres: OwnPostgres) -> Iterator[RunningServer]:
    address = Databases(postgres.url, kept=True).empty()
    with RunningServer(env={"CHAT_BEHIND_SECONDS": "1", "CHAT_DATABASE_URL": address}) as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def people(patient_server: RunningServer) -> AsyncIterator[People]:
    async with People(patient_server) as everybody:
        yield everybody


def readiness(server: RunningServer) -> httpx.Response:
    return httpx.get(f"{server.base}/readyz", timeout=30)


@pytest.mark.parametrize(("leave", "come_back"), [("stop", "start"), ("pause", "go_on")])
async def test_people_talk_on_without_the_database(
    people: People, patient_server: RunningServer, postgres: OwnPostgres, leave: str, come_back: str
) -> None:
    talk = await start_talk(people)
    before = len(patient_server.log)
    await until_durable(talk.customer, talk.ticket)
    await asyncio.to_thread(getattr(postgres, leave))
    try:
        said = [await talk.say(n, f"message {n}") for n in range(2, 12)]
        answers = [await talk.answer(n, f"answer {n}") for n in range(2, 12)]
        state = (await talk.customer.call("pull", ticket=talk.ticket))["state"]
        assert state["durable"] < said[0]["seq"]
        await asyncio.to_thread(wait_until, lambda: "persister.behind" in patient_server.log[before:], "the alarm")

        browsers = [people.browser() for _ in range(20)]  # more than there are connections
        began = time.monotonic()
        refused = await asyncio.gather(
            *(one.post("/api/v1/customer-sessions", {"site_key": "default"}) for one in browsers)
        )
        assert time.monotonic() - began < ANSWERED_WITHIN
        assert {one.status_code for one in refused} == {HTTPStatus.SERVICE_UNAVAILABLE}
        ready = await asyncio.to_thread(readiness, patient_server)
        assert (ready.status_code, ready.json()["ready"]) == (HTTPStatus.OK, True)
        assert any("PostgreSQL" in warning for warning in ready.json()["warnings"])
    finally:
        await asyncio.to_thread(getattr(postgres, come_back))

    top = await until_durable(talk.agent, talk.ticket)
    log = await whole_log(talk.agent, talk.ticket)
    assert len(log) == top == 3 + 20
    assert_one_order(log, *said, *answers)
    ended = await talk.agent.call("close_chat", ticket=talk.ticket, n=12, gen=talk.gen)
    await until_state(talk.agent, talk.ticket, "closed")
    assert ended["seq"] == top + 1
    await asyncio.to_thread(wait_until, lambda: readiness(patient_server).json() == {"ready": True}, "the all-clear")
    assert "Traceback" not in patient_server.log[before:]
