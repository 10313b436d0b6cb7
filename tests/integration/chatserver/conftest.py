from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.backstage import Backstage, Valkey, backstage, running_valkey
from tests.support.people import People, add_staff
from tests.support.redis_proxy import RedisProxy
from tests.support.server import RunningServer
from tests.support.sqlite import Database
from tests.support.sweep import Sweep
from tests.support.valkey import OwnValkey


@pytest.fixture(scope="session")
def fragile_server() -> Iterator[RunningServer]:
    """A server whose parts are broken on purpose; each test leaves it working."""
    with RunningServer() as running:
        add_staff(running)
        yield running


@pytest.fixture
async def victims(fragile_server: RunningServer) -> AsyncIterator[People]:
    """People on the fragile server; staff sign in anew in each test, for sign-ins do not outlive an empty Redis."""
    async with People(fragile_server) as everybody:
        yield everybody


@pytest.fixture(scope="module")
def valkey() -> Iterator[Valkey]:
    """A Valkey without a server, for tests that call the parts of a worker themselves."""
    with running_valkey() as running:
        yield running


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[OwnValkey]:
    """A Valkey that is paused, and reached through the proxy."""
    with OwnValkey() as own:
        yield own


@pytest.fixture
async def proxy(own_valkey: OwnValkey) -> AsyncIterator[RedisProxy]:
    """What stands before it."""
    async with RedisProxy.to(own_valkey.socket) as proxy:
        yield proxy


@pytest.fixture
async def stage(valkey: Valkey, database: Database) -> AsyncIterator[Backstage]:
    """Those parts, on a record of their own, on each engine in turn."""
    async with backstage(valkey, database) as made:
        yield made


@pytest.fixture(scope="module")
def idle() -> Iterator[RunningServer]:
    """A server without a worker: the test does its work, and stops between its steps."""
    with RunningServer("--no-worker", env={"CHAT_AGENT_GRACE_SECONDS": "3600"}) as running:
        add_staff(running, "ann", "ben")
        yield running


@pytest.fixture
async def idlers(idle: RunningServer) -> AsyncIterator[People]:
    """People on that server."""
    async with People(idle) as everybody:
        yield everybody


@pytest.fixture
async def sweep(idle: RunningServer) -> AsyncIterator[Sweep]:
    """The sweeper's hands there; nobody has or waits for anything."""
    async with Sweep(idle) as hands:
        await hands.begin_anew()
        yield hands
