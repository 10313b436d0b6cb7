"""Valkey hangs (SIGSTOP: it accepts and answers nothing): everybody is told soon, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from tests.support.client import PATIENCE, Refused
from tests.support.log import assert_one_order, repeat, until_durable, whole_log
from tests.support.people import People, position, start_talk
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def hanging(fragile_server: RunningServer) -> Iterator[int]:
    """Valkey's process id; whatever happens, it goes on at the end."""
    pid = fragile_server.valkey_pid()
    yield pid
    os.kill(pid, signal.SIGCONT)


async def test_everybody_is_told_and_everything_goes_on(
    victims: People, fragile_server: RunningServer, hanging: int
) -> None:
    talk = await start_talk(victims)
    first = await talk.say(2, "Before")
    await until_durable(talk.customer, talk.ticket)
    os.kill(hanging, signal.SIGSTOP)

    with pytest.raises(Refused, match="unavailable"):
        await talk.say(3, "Meanwhile")  # waits, until it is given up
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(50):
        with pytest.raises(Refused, match="unavailable"):
            await talk.say(3, "Meanwhile")
    assert loop.time() - began < PATIENCE / 2  # at once: fifty that waited would take minutes
    ready = await asyncio.to_thread(httpx.get, f"{fragile_server.base}/readyz", timeout=10, verify=False)
    assert ready.json()["problems"] == ["Redis does not answer"]
    session = await victims.browser().post("/api/v1/customer-sessions", {"site_key": "default"})
    assert session.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert fragile_server.valkey_pid() == hanging  # it lives: a second one would spoil its files
    os.kill(hanging, signal.SIGCONT)

    second, _ = await repeat(talk.customer, "post_message", ticket=talk.ticket, n=3, text="Meanwhile")
    third, _ = await repeat(talk.agent, "post_message", ticket=talk.ticket, n=2, text="After", gen=talk.gen)
    again = await victims.resume(talk.customer, chats=[position(first)])
    (page,) = again.welcome["chats"]
    assert [entry["text"] for entry in page["entries"]] == ["Meanwhile", "After"]
    assert "reset" not in page or not page["reset"]
    assert_one_order(await whole_log(talk.agent, talk.ticket), talk.opened, talk.taken, first, second, third)
