from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from search_factories import CHATS
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.support.sqlite import Database
from transcripts.database import open_database
from transcripts.migrate import upgrade
from transcripts.search import Search
from transcripts.store import Store


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def empty_database(database_engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables, on each engine in turn."""
    if database_engine == "sqlite":
        return f"sqlite:///{tmp_path}/chat.db"
    address: str = request.getfixturevalue(database_engine).empty()
    return address


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    engine = open_database(database.url)
    await upgrade(engine)
    yield engine
    await engine.dispose()


@pytest.fixture
def store(engine: AsyncEngine) -> Store:
    return Store(engine)


@pytest.fixture
async def search(engine: AsyncEngine, store: Store) -> Search:
    """Of a record with a few chats in it."""
    await store.append(CHATS)
    made = Search(engine)
    assert await made.index_pending() == len(CHATS)
    return made
