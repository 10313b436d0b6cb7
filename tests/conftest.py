from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.people import People, add_staff
from tests.support.server import RunningServer


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="FOLDER", help="keep the pictures of the browser tests there")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[RunningServer]:
    """One server for all tests that do not disturb each other: own chats, own customers, own addresses."""
    with RunningServer(env={"CHAT_AUDIT_SECONDS": "2"}) as running:
        add_staff(running)
        yield running
        assert "queue.drift" not in running.log  # the queue and the chats have agreed all the time


@pytest.fixture(scope="session")
def cookies() -> dict[str, str]:
    """The sign-ins on the shared server."""
    return {}


@pytest.fixture
async def people(server: RunningServer, cookies: dict[str, str]) -> AsyncIterator[People]:
    everybody = People(server, cookies=cookies)
    yield everybody
    await everybody.close()
