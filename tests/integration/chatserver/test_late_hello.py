"""A connection that was closed before its hello came through is nobody's: it takes no device from a newer one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from chatserver.hub.connection import Connection
from chatserver.ids import new_id
from chatserver.web import session as web_session
from chatserver.web.session import Session
from chatserver.wire import close_codes
from chatserver.wire.codec import CODECS
from tests.support.backstage import Valkey
from tests.support.client import JSON, new_device
from tests.support.node import Node, running_node
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

GARBAGE = "what is this"


class Peer:
    """The other end of a connection. Like a server of plain ASGI, it hands on what came before the end is done."""

    def __init__(self, node: Node) -> None:
        self.codes: list[int] = []
        self.session = Session(node.services, self, CODECS[JSON])

    def send(self, data: bytes, *, binary: bool) -> None:
        pass

    def close(self, code: int, reason: str = "") -> None:
        self.codes.append(code)

    cut = close

    @property
    def slow(self) -> bool:
        return False

    def backlog(self) -> tuple[int, int]:
        return 0, 0


class Device:
    """A customer's, with a resume token."""

    def __init__(self, node: Node) -> None:
        self._name, self._person = new_device(), new_id()
        fields = {"sub": self._person, "role": "customer", "device": self._name, "session": "s", "site": "default"}
        self._token = node.services.signer.sign("resume", fields, seconds=60)
        self._connections = node.services.hub.roster.connections

    @property
    def hello(self) -> str:
        return json.dumps({"op": "hello", "id": 1, "resume_token": self._token, "device": self._name})

    @property
    def connections(self) -> list[Connection]:
        """Those that the hub has."""
        return [one for one in self._connections if one.person.id == self._person]


@pytest.fixture
async def node(valkey: Valkey) -> AsyncIterator[Node]:
    async with running_node(valkey.url, valkey.folder / "valkey" / "valkey.sock") as node:
        yield node


@pytest.fixture
def device(node: Node) -> Device:
    return Device(node)


@pytest.fixture
def slowly(node: Node, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Redis answers about the first hello when this is set, and the others at once."""
    is_revoked, answers, asked = node.services.secrets.is_revoked, asyncio.Event(), 0

    async def is_revoked_slowly(session: str, person_id: str) -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            await answers.wait()
        return await is_revoked(session, person_id)

    monkeypatch.setattr(node.services.secrets, "is_revoked", is_revoked_slowly)
    return answers


async def _all_done(session: Session) -> None:
    await until(lambda: not session._tasks)


@pytest.mark.parametrize("how", ["nothing", GARBAGE])
async def test_hello_that_comes_through_after_the_end(
    node: Node, device: Device, slowly: asyncio.Event, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_session, "HELLO_SECONDS", 0.01 if how == "nothing" else 60)
    late = Peer(node)
    late.session.on_frame(device.hello)
    if how == GARBAGE:
        late.session.on_frame(GARBAGE)
    await until(lambda: late.codes)
    assert late.codes == [close_codes.BAD_FRAME if how == GARBAGE else close_codes.NO_HELLO]
    monkeypatch.setattr(web_session, "HELLO_SECONDS", 60)
    newer = Peer(node)
    newer.session.on_frame(device.hello)
    await until(lambda: device.connections)
    (connection,) = device.connections
    slowly.set()
    await _all_done(late.session)
    assert device.connections == [connection]
    assert connection.open
    assert not newer.codes
    for peer in (late, newer):
        peer.session.on_closed()
    assert not device.connections


async def test_hello_behind_garbage_is_not_heard(node: Node, device: Device) -> None:
    peer = Peer(node)
    peer.session.on_frame(GARBAGE)
    peer.session.on_frame(device.hello)
    await _all_done(peer.session)
    assert peer.codes == [close_codes.BAD_FRAME]
    assert not device.connections
    peer.session.on_closed()
