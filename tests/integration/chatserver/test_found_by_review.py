"""Narrow windows and hostile habits, each of which once did harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatserver.broker.keys import CONTROL, chat_key
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.broker.wire import SILENT_SECONDS
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.worker.leases import Leases
from chatserver.worker.persister import Persister
from tests.support.client import PATIENCE, Refused, new_device
from tests.support.people import People, open_chat, position, start_talk
from tests.support.server import RunningServer, wait_until
from transcripts.database import open_database
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_a_refused_take_takes_nothing(people: People) -> None:
    customer, ann, ben = await people.customer(), await people.staff("ann"), await people.staff("ben")
    ticket = (await open_chat(customer))["ticket"]
    with pytest.raises(Refused) as caught:
        await ann.call("take_chat", ticket=ticket, n=7)
    assert (caught.value.code, caught.value.frame["last_n"]) == ("gap", 0)
    assert (await ben.call("take_chat", ticket=ticket, n=1))["gen"] == 1


async def test_pages_go_on_behind_a_note_in_a_chat_that_came_back_from_sql(
    server: RunningServer, people: People
) -> None:
    talk = await start_talk(people)
    ticket = talk.ticket
    await talk.note(2, "for staff only")
    last = await talk.say(2, "after the note")
    await talk.customer.until("durable", ticket=ticket, seq=last["seq"])
    with server.redis() as redis:
        redis.delete(chat_key(ticket, b":m"), chat_key(ticket, b":x"))
    page = await talk.customer.call("pull", ticket=ticket, limit=1)
    seen = [entry["seq"] for entry in page["entries"]]
    while page["more"]:
        assert not page.get("reset")
        page = await talk.customer.call("pull", **position(page["entries"][-1]), limit=1)
        seen += [entry["seq"] for entry in page["entries"]]
    assert seen == [1, 2, 3, 5]


async def test_a_cut_connection_leaves_nothing_behind(server: RunningServer, people: People) -> None:
    """Commands that still waited in line are not executed for somebody who has gone."""
    customer = await people.customer()
    ticket = (await open_chat(customer))["ticket"]
    channel = chat_key(ticket)
    for _ in range(5):
        again = await people.resume(customer)
        for _ in range(6):
            await again.start("attach", ticket=ticket)
        await again.cut()
    with server.redis() as redis:
        # In a thread: the cut sockets are closed by our own event loop.
        await asyncio.to_thread(
            wait_until, lambda: redis.pubsub_shardnumsub(channel)[0][1] == 0, "nobody listens any more"
        )


async def test_the_persister_never_writes_what_people_it_has_not_read_have_done(
    server: RunningServer, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent takes the chat between the persister's two looks: the agent is in the record all the same."""
    customer, agent = await people.customer(), await people.staff("ann")
    ticket = (await open_chat(customer))["ticket"]
    engine = open_database(f"sqlite:///{server.data / 'chat.db'}")
    link = Link(
        f"unix://{server.data / 'valkey' / 'valkey.sock'}", on_push=lambda *_: None, on_subscribed=lambda _: None
    )
    await link.start()
    try:
        store = Store(engine)
        persister = Persister(link, Chats(ChatLog(link), store, Directory(engine)), Leases(link))
        calls, taken = link.calls, False

        async def call_slowly(commands: Sequence[Sequence[bytes | str | int]], **how: bool) -> object:
            nonlocal taken
            if commands[0][0] == b"XRANGE" and not taken:
                taken = True
                await agent.call("take_chat", ticket=ticket, n=1)
            return await calls(commands, **how)

        monkeypatch.setattr(link, "calls", call_slowly)
        (found,), _ = await persister._read([ticket])
        assert taken
        people_in_it = {one.participant_id for one in found.batch().participants}
        assert {entry.participant_id for entry in found.entries} <= people_in_it
    finally:
        await link.stop()
        await engine.dispose()
    await customer.until("durable", ticket=ticket, seq=3)


class FrozenProxy:
    """Between us and Redis: forwards, until it stops forwarding without closing anything."""

    def __init__(self, target: Path) -> None:
        self.target, self.frozen, self.connections = target, False, 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        their_reader, their_writer = await asyncio.open_unix_connection(str(self.target))
        await asyncio.gather(self._pump(reader, their_writer), self._pump(their_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with_old = self.connections
        try:
            while data := await reader.read(65536):
                if self.frozen and with_old <= 2:
                    continue  # the first two connections, commands and subscriptions, are dead and do not know it
                writer.write(data)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def frozen_proxy(target: Path, path: Path) -> AsyncIterator[FrozenProxy]:
    proxy = FrozenProxy(target)
    async with await asyncio.start_unix_server(proxy.handle, str(path)):
        yield proxy


async def test_a_dead_subscription_connection_is_noticed(server: RunningServer) -> None:
    subscribed: asyncio.Queue[bytes] = asyncio.Queue()
    path = server.folder / "proxy.sock"
    async with frozen_proxy(server.data / "valkey" / "valkey.sock", path) as proxy:
        link = Link(f"unix://{path}", on_push=lambda *_: None, on_subscribed=subscribed.put_nowait)
        await link.start()
        try:
            link.subscribe(CONTROL)
            async with asyncio.timeout(PATIENCE + SILENT_SECONDS):
                await subscribed.get()
                proxy.frozen = True
                await subscribed.get()  # a new connection, subscribed again: the receiver refills
        finally:
            await link.stop()


async def test_numbers_of_any_length_are_answered(people: People) -> None:
    api = await people.signed_in("ann")
    for path in ("transcript-views/{}", "transcripts/{}", "transcripts?limit={}", "transcript-views/{}?after={}"):
        answer = await api.http.get("/api/v1/" + path.format("9" * 5000, "9" * 5000))
        assert answer.status_code in (400, 401, 404), path


async def test_a_second_watch_of_one_topic_is_answered_too(people: People) -> None:
    agent = await people.staff("ann", device=new_device())
    ids = [await agent.start("watch", topic="department:support") for _ in range(3)]
    assert [(await agent.reply(one))["op"] for one in ids] == ["snapshot"] * 3
