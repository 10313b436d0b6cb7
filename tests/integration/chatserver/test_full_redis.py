"""Redis is full: of memory (`maxmemory`), or its disk is. What cannot be done is refused whole and done later, once."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from redis.exceptions import ResponseError

from chatserver.actions.author import Author
from chatserver.broker.scripts import ALL, READS, WHEN_FULL
from chatserver.errors import UnavailableError
from tests.support.client import PATIENCE, new_chat_key
from tests.support.node import Node, running_node
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with OwnValkey() as own:
        yield own


@pytest.fixture
async def node(valkey: OwnValkey) -> AsyncIterator[Node]:
    async with running_node(valkey.url, valkey.socket) as node:
        yield node


@dataclass
class Scene:
    """A chat that an agent owns, one that waits, and one that has ended and is not sealed yet."""

    node: Node
    customer: Author
    agent: Author
    owned: int
    waiting: int
    ended: int
    undone: list[Callable[[], Awaitable[Any]]]  # commands that have to be refused when nothing can be written

    @classmethod
    async def set(cls, node: Node) -> Scene:
        customer, agent = node.customer(), node.staff()
        owned, waiting, ended = [(await node.open(customer, new_chat_key())).ticket for _ in range(3)]
        _, gen = await node.take(agent, owned)
        await node.close(customer, ended, 2)
        undone: list[Callable[[], Awaitable[Any]]] = [
            lambda: node.post(customer, owned, 2, "From the customer"),
            lambda: node.post(agent, owned, 2, "From the agent", gen=gen),
            lambda: node.note(agent, owned, 3, "Aside"),
            lambda: node.take(agent, waiting),
            lambda: node.note(node.other, waiting, 1, "By somebody who is not in it"),
            lambda: node.rate(customer, ended, 3, 5),
        ]
        return cls(node, customer, agent, owned, waiting, ended, undone)

    async def all_refused(self) -> None:
        """Nothing is done, not even in part: no key has changed. In order, as clients hold back what comes after."""
        for command in (self.undone[0], self.undone[1], *self.undone[3:]):
            before = everything(self.node)
            with pytest.raises(UnavailableError) as caught:
                await command()
            assert caught.value.details["retry_after_ms"] > 0
            assert everything(self.node) == before
        before = everything(self.node)
        with pytest.raises(UnavailableError):
            await self.node.open(self.node.customer(), new_chat_key())
        assert everything(self.node) == before

    async def all_done(self) -> None:
        """Everything is there once."""
        for command in self.undone:
            await command()
            await command()  # also when it is repeated
        node = self.node
        await node.work()
        assert [(one["kind"], one.get("text")) for one in await node.log(self.owned)][3:] == [
            ("message", "From the customer"),
            ("message", "From the agent"),
            ("note", "Aside"),
        ]
        assert [one["kind"] for one in await node.log(self.waiting)] == ["opened", "message", "assigned", "note"]
        assert [one["kind"] for one in await node.log(self.ended)] == ["opened", "message", "closed", "rated"]
        for ticket in (self.owned, self.waiting, self.ended):
            chat = await node.services.chats.head(ticket)
            assert chat.durable == chat.seq
            assert node.undone(ticket) == []


def everything(node: Node) -> dict[bytes, Any]:
    """All keys of chats and queues with their values. Not leases: they are renewed whatever happens."""
    read: dict[bytes, Callable[[bytes], Any]] = {
        b"hash": node.redis.hgetall,
        b"zset": lambda key: node.redis.zrange(key, 0, -1, withscores=True),
        b"set": node.redis.smembers,
        b"stream": node.redis.xrange,
        b"string": node.redis.get,
    }
    keys = [
        key
        for key in node.redis.scan_iter(b"chat:*")
        if not key.startswith((b"chat:{q}:node", b"chat:{s}")) and not key.endswith(b":lease")
    ]
    return {key: read[node.redis.type(key)](key) for key in keys}  # type: ignore[index]  # not asynchronous


# -- memory


def test_scripts_that_go_on_are_scripts() -> None:
    assert set(ALL) >= WHEN_FULL | READS
    assert not WHEN_FULL & READS


def fill(node: Node) -> None:
    """As if the memory were used up: one byte is less than Redis has."""
    node.redis.config_set("maxmemory", "1")
    with pytest.raises(ResponseError, match="command not allowed when used memory"):
        node.redis.set("chat:test", 1)


async def test_full_memory_refuses_whole_commands(node: Node) -> None:
    scene = await Scene.set(node)
    fill(node)
    await scene.all_refused()
    assert len(await node.log(scene.owned)) == 3  # reading goes on
    node.redis.config_set("maxmemory", "0")
    await scene.all_done()


async def test_full_memory_is_freed_by_what_ends(node: Node) -> None:
    """What is in the log becomes durable, chats can be ended, and what has ended is sealed and gets its keys' end."""
    scene = await Scene.set(node)
    fill(node)
    await node.work()  # takes the leases, too
    for ticket in (scene.owned, scene.waiting):
        chat = await node.services.chats.head(ticket)
        assert chat.durable == chat.seq
    _, gen = await node.services.chats.head(scene.owned), 1
    await node.close(scene.agent, scene.owned, 2, gen)
    await node.close(scene.customer, scene.waiting, 2)
    await node.work()
    assert node.waiting() == []
    assert node.mine() == set()
    for ticket in (scene.owned, scene.waiting, scene.ended):
        assert (await node.services.chats.head(ticket)).state == "closed"
        assert all(0 < node.redis.ttl(key) <= 900 for key in node.redis.scan_iter(f"chat:*:{ticket}:*"))
    assert node.redis.dbsize() > 0


async def test_full_memory_keeps_a_node_and_its_agents(node: Node) -> None:
    """A lease that could not be renewed would take the agents' chats from them."""
    fill(node)
    before = node.redis.zrange(b"chat:{q}:nodes", 0, -1, withscores=True)
    assert await node.app.presence.report([node.agent.id])
    after = node.redis.zrange(b"chat:{q}:nodes", 0, -1, withscores=True)
    assert len(after) == len(before) == 1
    assert after[0][1] >= before[0][1]
    assert node.redis.hexists(f"chat:{{q}}:node:{node.app.presence.node}", node.agent.id)


# -- disk


class FullDisk:
    """The file that Valkey writes may not grow: what ENOSPC is to it, without a disk of its own."""

    def __init__(self, valkey: OwnValkey) -> None:
        assert valkey.process
        self._pid, self._valkey = valkey.process.pid, valkey

    def fill(self) -> None:
        (file,) = (self._valkey.folder / "appendonlydir").glob("*.incr.aof")
        self._limit(file.stat().st_size + 64)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, most: int) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


async def until_refused(node: Node, *, refused: bool) -> None:
    """Redis notices it at its next write."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                node.redis.set("chat:test", os.urandom(200))
            except ResponseError as error:
                if refused and "MISCONF" in str(error):
                    return
            else:
                if not refused:
                    return
            await asyncio.sleep(0.02)


async def test_full_disk_refuses_whole_commands_until_there_is_room(node: Node, valkey: OwnValkey) -> None:
    scene = await Scene.set(node)
    session = await node.services.secrets.new_session(node.agent.id)
    disk = FullDisk(valkey)
    disk.fill()
    await until_refused(node, refused=True)
    await scene.all_refused()
    assert len(await node.log(scene.owned)) == 3  # reading goes on
    assert await node.services.secrets.session(session) == node.agent.id  # also on a new connection
    with pytest.raises(UnavailableError):
        await node.worker._leases.renew()
    assert node.services.link.ready  # it is there, it only cannot write
    disk.free()
    await until_refused(node, refused=False)
    await scene.all_done()
    valkey.stop()
    await node.ready(ready=False)
    valkey.start()
    await node.ready()
    for ticket, entries in ((scene.owned, 6), (scene.waiting, 4)):
        assert len(await node.log(ticket)) == entries  # and nothing of it was only in memory


async def test_full_disk_under_strict_ends_valkey_and_loses_nothing() -> None:
    """It cannot take back what it did in memory, so it ends before it answers; it starts again when there is room."""
    with OwnValkey(appendfsync="always") as valkey:
        async with running_node(valkey.url, valkey.socket) as node:
            scene = await Scene.set(node)
            kept = [await node.post(scene.customer, scene.owned, n, f"Message {n}") for n in (2, 3)]
            FullDisk(valkey).fill()
            with pytest.raises(UnavailableError):
                await node.post(scene.customer, scene.owned, 4, "Too much" * 20)
            assert valkey.process
            assert await asyncio.to_thread(valkey.process.wait, PATIENCE) == 1
            valkey.process = None
            await node.ready(ready=False)
            valkey.start()
            await node.ready()
            assert [one["entry_id"] for one in await node.log(scene.owned)][3:] == [ack.entry_id for ack in kept]
            await node.work()  # what Redis has from before it ended is compared with the record first
            again = await node.post(scene.customer, scene.owned, 4, "Too much" * 20)
            assert not again.dup
            assert [one["entry_id"] for one in await node.log(scene.owned)][-1] == again.entry_id
