"""Somebody comes back with many chats: they do not wait for each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from chatserver.hub.connection import Connection
from chatserver.web.answering import PAGES_AT_ONCE, Answering
from chatserver.wire.codec import CODECS
from chatserver.wire.commands import Position
from chatserver.wire.frames import Page
from tests.support.backstage import Valkey
from tests.support.client import JSON, new_chat_key
from tests.support.desk import Peer
from tests.support.node import Node, running_node

pytestmark = pytest.mark.anyio

CHATS, NOBODYS = 3 * PAGES_AT_ONCE, 999_999


@pytest.fixture
async def node(valkey: Valkey) -> AsyncIterator[Node]:
    async with running_node(valkey.url, valkey.folder / "valkey" / "valkey.sock") as node:
        yield node


async def test_chats_of_a_welcome_are_had_together(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = [(await node.open(node.customer(), new_chat_key())).ticket for _ in range(CHATS)]
    tickets = [*opened[:2], NOBODYS, *opened[2:]]
    services, author = node.services, node.staff()
    hub, subscribe, read = services.hub, services.link.subscribe, services.chats.page
    connection = Connection(
        Peer(), CODECS[JSON], author.person, author.device, on_ready=hub.ready, counters=hub.counters
    )
    hub.add(connection)
    steps: list[str] = []
    reading = most = 0

    def subscribes(channel: bytes) -> None:
        steps.append("subscribe")
        subscribe(channel)

    async def reads(*args: Any, **more: Any) -> Any:
        nonlocal reading, most
        steps.append("read")
        reading += 1
        most = max(most, reading)
        await asyncio.sleep(0)
        try:
            return await read(*args, **more)
        finally:
            reading -= 1

    monkeypatch.setattr(services.link, "subscribe", subscribes)
    monkeypatch.setattr(services.chats, "page", reads)
    answering = Answering(services, connection, author, "default")
    answers, readers = await answering.attach_all([Position(ticket) for ticket in tickets])
    assert [one.ticket if isinstance(one, Page) else one["ticket"] for one in answers] == tickets
    assert answers[2] == {"ticket": NOBODYS, "error": "not_found"}
    assert set(connection.chats) == set(opened)
    assert len(readers) == CHATS
    assert steps.index("read") > CHATS
    assert most == PAGES_AT_ONCE
    hub.remove(connection)
