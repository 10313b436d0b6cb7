"""A request's body has its time, however it comes, at the socket of either HTTP implementation."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec import Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.web import requests
from chatserver.web.error_mapping import HANDLERS
from chatserver.web.http_protocol import HttpProtocol
from chatserver.web.requests import read_body
from tests.support.client import PATIENCE
from tests.support.front import served

pytestmark = pytest.mark.anyio

HEAD = b"POST / HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
BODY = b'{"text": "Where is my parcel?"}'
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


class Said(Struct):
    text: str


async def hear(request: Request) -> Response:
    return JSONResponse((await read_body(request, Said)).text)


@pytest.fixture(params=[HttpProtocol, "h11"])
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    app = Starlette(routes=[Route("/", hear, methods=["POST"])], exception_handlers=HANDLERS)
    async with served(app, http=request.param) as port:
        yield port


class Peer:
    """A connection that writes when the test says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.head = b""  # of the last answer

    async def answer(self) -> tuple[int, Any]:
        """Status and body of the next answer."""
        self.head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        length = int(self.head.partition(b"content-length:")[2].split()[0])
        return int(self.head.split()[1]), json.loads(await self.reader.readexactly(length))

    async def trickle(self, data: bytes) -> None:
        """On and on, as long as somebody takes it."""
        with contextlib.suppress(OSError):
            while True:
                self.writer.write(data)
                await self.writer.drain()
                await asyncio.sleep(0.005)


@pytest.fixture
async def peer(port: int) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(PATIENCE):
        yield Peer(reader, writer)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.mark.parametrize("begun", [LENGTH, LENGTH + BODY[:5], CHUNKED, CHUNKED + b"5\r\n" + BODY[:5] + b"\r\n"])
async def test_body_that_does_not_come_is_not_waited_for(
    peer: Peer, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    peer.writer.write(HEAD + begun)
    status, body = await peer.answer()
    assert (status, body["error"]["code"]) == (408, "invalid")
    assert b"\r\nconnection: close\r\n" in peer.head
    assert await peer.reader.read() == b""


async def test_body_that_trickles_is_not_waited_for(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.05)
    peer.writer.write(HEAD + CHUNKED)
    trickle = asyncio.create_task(peer.trickle(b"1\r\n \r\n"))
    assert (await peer.answer())[0] == 408
    await trickle


async def test_body_in_many_pieces_is_one_body_and_the_connection_goes_on(peer: Peer) -> None:
    for _ in range(2):
        peer.writer.write(HEAD + LENGTH)
        for at in range(len(BODY)):
            peer.writer.write(BODY[at : at + 1])
            await asyncio.sleep(0)
        assert await peer.answer() == (200, "Where is my parcel?")
