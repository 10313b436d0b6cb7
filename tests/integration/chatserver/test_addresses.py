"""An address with too many connections gets no more, and nobody else notices; on both fronts."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.client import JSON, PATIENCE
from tests.support.plain_asgi import PlainAsgi
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio

MOST, AT_ONCE, PROXY = 4, 12, "127.0.0.9"
ENV = {
    "CHAT_ADDRESS_CONNECTIONS": str(MOST),
    "CHAT_ADDRESS_RATE": f"{AT_ONCE}/0.01",
    "CHAT_TRUSTED_PROXIES": PROXY,
}


@pytest.fixture(scope="module", params=["picows", "asgi"])
def node(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    with RunningServer("--no-worker", env=ENV) as running:
        if request.param == "picows":
            yield running
        else:
            with PlainAsgi(beside=running, env=ENV) as asgi:
                yield asgi


def socket(node: RunningServer, address: str, forwarded: str | None = None, **options: Any) -> connect:
    """A WebSocket from an address of this machine; all of 127.0.0.0/8 are."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    url = f"ws://127.0.0.1:{node.port}{options.pop('path', '/ws')}"
    return connect(
        url,
        origin=options.pop("origin", node.base),  # type: ignore[arg-type]
        subprotocols=[JSON],  # type: ignore[list-item]
        additional_headers=headers,
        local_addr=(address, 0),
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
    )


async def refused(node: RunningServer, *whose: str, **options: Any) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as caught:
        await socket(node, *whose, **options)
    return caught.value


async def test_one_more_than_it_may_have(node: RunningServer) -> None:
    async with AsyncExitStack() as held:
        first = await held.enter_async_context(socket(node, "127.0.1.1"))
        for _ in range(MOST - 1):
            await held.enter_async_context(socket(node, "127.0.1.1"))
        for _ in range(2):
            answer = (await refused(node, "127.0.1.1")).response
            assert answer.status_code == HTTPStatus.TOO_MANY_REQUESTS
            assert int(answer.headers["Retry-After"]) > 0
        assert "socket.address_refused" in node.log
        await held.enter_async_context(socket(node, "127.0.1.2"))
        await first.close()
        await held.enter_async_context(socket(node, "127.0.1.1"))  # in its place


async def test_faster_than_it_may_come(node: RunningServer) -> None:
    for _ in range(AT_ONCE // 2):
        async with socket(node, "127.0.2.1"):
            pass
        # A handshake that is refused anyway counts, too, and holds no place.
        assert (await refused(node, "127.0.2.1", origin="http://evil.example")).response.status_code == 403
    assert (await refused(node, "127.0.2.1")).response.status_code == HTTPStatus.TOO_MANY_REQUESTS
    async with socket(node, "127.0.2.2"):
        pass


async def test_behind_a_proxy_the_address_it_names_counts(node: RunningServer) -> None:
    async with AsyncExitStack() as held:
        for _ in range(MOST):
            await held.enter_async_context(socket(node, PROXY, "198.51.100.1"))
        assert (await refused(node, PROXY, "198.51.100.1")).response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        # What stands before it is what the client said.
        over = await refused(node, PROXY, "203.0.113.5, 198.51.100.1")
        assert over.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
        await held.enter_async_context(socket(node, PROXY, "198.51.100.2"))


async def test_who_is_no_proxy_cannot_name_another(node: RunningServer) -> None:
    async with AsyncExitStack() as held:
        for number in range(MOST):
            await held.enter_async_context(socket(node, "127.0.4.1", f"198.51.100.{number}"))
        over = await refused(node, "127.0.4.1", "198.51.100.99")
        assert over.response.status_code == HTTPStatus.TOO_MANY_REQUESTS
