from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.support.client import JSON, MSGPACK
from tests.support.people import People, add_staff
from tests.support.postgres import Databases, OwnPostgres
from tests.support.server import RunningServer
from tests.support.sqlite import Database, SqliteFile

# How long an example takes says something about the machine, and what else it does.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


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


@pytest.fixture(params=[MSGPACK, JSON], ids=["msgpack", "json"])
def subprotocol(request: pytest.FixtureRequest) -> str:
    """A test that names it runs under both."""
    return str(request.param)


@pytest.fixture
async def people(server: RunningServer, cookies: dict[str, str]) -> AsyncIterator[People]:
    async with People(server, cookies=cookies) as everybody:
        yield everybody


ENGINES = ["sqlite", "postgresql", *(["given_postgresql"] if os.environ.get("CHAT_TEST_POSTGRES_URL") else [])]


@pytest.fixture(params=ENGINES)
def database_engine(request: pytest.FixtureRequest) -> str:
    """Each database engine in turn; those of PostgreSQL are names of fixtures."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Databases]:
    """Databases on a PostgreSQL of our own, which ends with the tests."""
    with OwnPostgres() as server, Databases(server.url, kept=True) as databases:
        yield databases


@pytest.fixture(scope="session")
def given_postgresql() -> Iterator[Databases]:
    """The same on the server of CHAT_TEST_POSTGRES_URL, by whoever may make databases there."""
    with Databases(os.environ["CHAT_TEST_POSTGRES_URL"]) as databases:
        yield databases


@pytest.fixture
def database(database_engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A database without chats, on each engine in turn: SQLite's has no tables yet."""
    if database_engine == "sqlite":
        return SqliteFile(tmp_path)
    databases: Databases = request.getfixturevalue(database_engine)
    return databases.fresh()


class ByFile(LoadScopeScheduling):
    """In several processes (`make test`) a file stays in one, for what its tests share. The contract is as many tests
    as all others and shares a server on each front: each front is one, as if it were a file.
    """

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        front = file.startswith("tests/contract/") and re.search(r"\[(picows|asgi)\b", test)
        return f"contract on {front[1]}" if front else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)
