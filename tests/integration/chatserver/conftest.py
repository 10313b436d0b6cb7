from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.people import People, add_staff
from tests.support.server import RunningServer


@pytest.fixture(scope="session")
def fragile_server() -> Iterator[RunningServer]:
    """A server whose parts are broken on purpose; each test leaves it working."""
    with RunningServer() as running:
        add_staff(running)
        yield running


@pytest.fixture
async def victims(fragile_server: RunningServer) -> AsyncIterator[People]:
    """People on the fragile server; staff sign in anew in each test, for sign-ins do not outlive an empty Redis."""
    everybody = People(fragile_server)
    yield everybody
    await everybody.close()
