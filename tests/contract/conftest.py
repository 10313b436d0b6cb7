from collections.abc import AsyncIterator

import pytest

from tests.support.client import JSON, MSGPACK
from tests.support.people import People
from tests.support.server import RunningServer


@pytest.fixture(params=[MSGPACK, JSON], ids=["msgpack", "json"])
def subprotocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def people(server: RunningServer, cookies: dict[str, str], subprotocol: str) -> AsyncIterator[People]:
    """Everybody speaks the subprotocol under test."""
    everybody = People(server, subprotocol, cookies)
    yield everybody
    await everybody.close()
