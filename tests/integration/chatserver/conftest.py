from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.backstage import Backstage, Valkey, backstage, running_valkey
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


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A Valkey without a server, for tests that call the parts of a worker themselves."""
    with running_valkey() as running:
        yield running


@pytest.fixture
async def stage(valkey: Valkey, tmp_path: Path) -> AsyncIterator[Backstage]:
    """Those parts, on a record of their own."""
    async with backstage(valkey, tmp_path) as made:
        yield made
