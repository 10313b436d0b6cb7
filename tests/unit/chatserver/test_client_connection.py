"""One WebSocket of the Python client, at its end."""

import asyncio

import pytest
from websockets.asyncio.server import ServerConnection, serve

from chatserver.client.connection import MSGPACK, Connection

pytestmark = pytest.mark.anyio


class Talkative(Connection):
    """Says something after every read."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.send({"op": "ping"})


async def test_what_is_said_while_the_server_closes_goes_nowhere() -> None:
    lost = asyncio.get_running_loop().create_future()

    async def close_at_once(socket: ServerConnection) -> None:
        await socket.close(4001)

    async with serve(close_at_once, "127.0.0.1", 0, subprotocols=[MSGPACK], compression=None) as server:  # type: ignore[list-item]
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws"
        await Talkative.open(url, MSGPACK, on_frames=lambda _: None, on_lost=lost.set_result)
        assert await asyncio.wait_for(lost, 10) == 4001
