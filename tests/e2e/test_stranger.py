"""Two clients written from docs/protocol.md alone hold a chat over connections that are cut again and again."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stranger.chat import Chat
from tests.e2e.stranger.client import Client
from tests.e2e.stranger.people import agent, customer
from tests.support.people import add_staff
from tests.support.server import PASSWORD, RunningServer

pytestmark = pytest.mark.anyio

JSON, MSGPACK = "chat.v1.json", "chat.v1.msgpack"
EACH = 20
CUTS = 5


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann")
        yield running


def test_the_stranger_knows_nothing_of_ours() -> None:
    sources = [path.read_text() for path in (Path(__file__).parent / "stranger").glob("*.py")]
    imported = [name for source in sources for name in re.findall(r"^(?:from|import) ([\w.]+)", source, re.MULTILINE)]
    assert {"websockets.asyncio.client", ".chat"} <= set(imported)
    assert not [name for name in imported if name.split(".")[0] in ("chatserver", "transcripts", "tests")]


async def talk(client: Client, chat: Chat, name: str) -> None:
    """Says its lines, each after it has heard something new; is cut off after every fourth."""
    for number in range(1, EACH + 1):
        client.do(chat, "post_message", text=f"{name} says {number}")
        if number % 4 == 0 and number // 4 <= CUTS:
            client.cut()  # perhaps before the frame has left, perhaps before its ack has come
            connected = client.connections
            await client.until(lambda connected=connected: client.connections > connected)  # type: ignore[misc]
        heard = chat.last
        if number % 3 == 0:
            await client.until(lambda heard=heard: chat.last > heard or not waiting(chat))  # type: ignore[misc]


def waiting(chat: Chat) -> list[Any]:
    """Commands without an ack."""
    return [command for command in chat.outbox if not command.acked]


@pytest.mark.parametrize(("of_customer", "of_agent"), [(JSON, MSGPACK), (MSGPACK, JSON)])
async def test_forty_messages_over_cut_connections(hub: RunningServer, of_customer: str, of_agent: str) -> None:
    sam = customer(hub.base, of_customer)
    ann = agent(hub.base, of_agent, "ann@shop.example", PASSWORD)
    try:
        await asyncio.gather(sam.start(), ann.start())
        await ann.watch("department:support")
        of_sam = await sam.open("Hello?")

        def queued() -> bool:
            return of_sam.ticket in [item["ticket"] for item in ann.topics["department:support"]["state"]["waiting"]]

        await ann.until(queued)
        of_ann = await ann.take(of_sam.ticket)
        ann.do(of_ann, "post_note", text="A regular.")
        await asyncio.gather(talk(sam, of_sam, "Sam"), talk(ann, of_ann, "Ann"))
        await asyncio.gather(sam.until(lambda: not waiting(of_sam)), ann.until(lambda: not waiting(of_ann)))
        ann.do(of_ann, "close_chat")
        for client, chat in ((sam, of_sam), (ann, of_ann)):
            await client.until(lambda chat=chat: chat.entries[-1]["kind"] == "closed")  # type: ignore[misc]
            await client.until(lambda chat=chat: chat.durable >= chat.last)  # type: ignore[misc]
            assert client.connections == 1 + CUTS
            assert chat.outbox == []

        views = {}
        for name, chat in (("Sam", of_sam), ("Ann", of_ann)):
            texts = [entry["text"] for entry in chat.entries if entry.get("text", "").startswith(f"{name} says")]
            assert texts == [f"{name} says {number}" for number in range(1, EACH + 1)]
            views[name] = [(one["seq"], one["entry_id"], one["kind"], one.get("text")) for one in chat.entries]
        assert [one for one in views["Ann"] if one[2] != "note"] == views["Sam"]
        assert [seq for seq, *_ in views["Ann"]] == list(range(1, 2 * EACH + 6))

        # The transcript is the same, opened with what the customer was given.
        assert of_sam.claim
        given = {"ticket": of_sam.ticket, "access_code": of_sam.claim["access_code"]}
        async with httpx.AsyncClient(base_url=hub.base, timeout=60, verify=False) as http:
            transcript = (await http.post("/api/v1/transcript-views", json=given)).json()["transcript"]
        recorded = [(one["seq"], one["entry_id"], one["kind"], one.get("text")) for one in transcript["entries"]]
        assert recorded == views["Sam"]
    finally:
        await asyncio.gather(sam.stop(), ann.stop())
