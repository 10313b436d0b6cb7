from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.client import JSON, MSGPACK, PATIENCE
from tests.support.people import People
from tests.support.plain_asgi import PlainAsgi
from tests.support.raw_socket import Caller
from tests.support.server import RunningServer


@pytest.fixture(scope="session", params=["picows", "asgi"])
def front(request: pytest.FixtureRequest) -> str:
    """What carries WebSockets: the server's own front, or plain ASGI."""
    return str(request.param)


@pytest.fixture(scope="session")
def server(server: RunningServer, front: str) -> Iterator[RunningServer]:
    """The shared server, or a node beside it."""
    if front == "picows":
        yield server
    else:
        with PlainAsgi(beside=server) as node:
            yield node


@pytest.fixture(scope="session")
def caller(server: RunningServer) -> Caller:
    """Somebody for raw sockets."""
    return Caller(server)


@pytest.fixture
async def people(server: RunningServer, cookies: dict[str, str], subprotocol: str) -> AsyncIterator[People]:
    """Everybody speaks the subprotocol under test."""
    async with People(server, subprotocol, cookies) as everybody:
        yield everybody


@pytest.fixture(scope="session", autouse=True)
def silent(server: RunningServer) -> Iterator[list[Future[int]]]:
    """Two connections that say nothing while the other tests run; the close code of each."""

    def say_nothing(subprotocol: str) -> int:
        url = f"ws://127.0.0.1:{server.port}/ws"
        options = {"origin": server.base, "subprotocols": [subprotocol], "open_timeout": PATIENCE}
        with connect(url, **options) as socket:  # type: ignore[arg-type]
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=PATIENCE)
            return socket.close_code or 0

    with ThreadPoolExecutor(2) as pool:
        yield [pool.submit(say_nothing, subprotocol) for subprotocol in (JSON, MSGPACK)]
