"""The connection to Redis ends between any two steps of a command: before a step, or after it and before its reply.

The command is answered `unavailable` and repeated, or it is never repeated and the worker completes it. Either way
everything is there exactly once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from chatserver.errors import NotFoundError, RateLimitedError, UnavailableError
from chatserver.stores.secrets import OPENS, PassHolder
from tests.support.client import new_chat_key
from tests.support.node import Node, running_node
from tests.support.redis_proxy import RedisProxy
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio

MOST_STEPS = 12  # more than any command has; a loop that gets there has not found the end


@pytest.fixture
async def node(own_valkey: OwnValkey, proxy: RedisProxy) -> AsyncIterator[Node]:
    async with running_node(proxy.url, own_valkey.socket) as node:
        yield node


@dataclass(frozen=True)
class Cut:
    """The k-th step of a command fails."""

    node: Node
    proxy: RedisProxy
    k: int
    executed: bool

    async def once(self, command: Callable[..., Awaitable[Any]], *args: Any) -> None:
        """Gives the command once; afterwards everything works again."""
        (self.proxy.lose_reply if self.executed else self.proxy.lose_command)(self.k)
        with suppress(UnavailableError):
            await command(*args)
        self.proxy.disarm()
        await self.node.ready()

    async def repeated(self, command: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Gives the command as clients do: unchanged, until it is decided; twice at least."""
        await self.once(command, *args)
        return await command(*args)


async def cuts(node: Node, proxy: RedisProxy, *, executed: bool) -> AsyncIterator[Cut]:
    """One for each step of a command, and one behind its end."""
    for k in range(1, MOST_STEPS):
        yield Cut(node, proxy, k, executed)
        if proxy.lost is None:
            assert k > 1, "the command takes at least one step"
            return
    raise AssertionError("no end of steps")


executed_or_not = pytest.mark.parametrize("executed", [True, False], ids=["reply lost", "command lost"])


def kinds(log: list[dict[str, Any]]) -> list[str]:
    assert [entry["seq"] for entry in log] == list(range(1, len(log) + 1))
    return [entry["kind"] for entry in log]


@executed_or_not
async def test_open_chat_is_one_ticket(node: Node, proxy: RedisProxy, executed: bool) -> None:
    tickets: list[int] = []
    async for cut in cuts(node, proxy, executed=executed):
        author, key = node.customer(), new_chat_key()
        opened = await cut.repeated(node.open, author, key)
        tickets.append(opened.ticket)
        again = await node.open(author, key)
        assert again.ticket == opened.ticket
        assert again.accepted.entry_id == opened.accepted.entry_id
        assert kinds(await node.log(opened.ticket)) == ["opened", "message"]
        assert node.waiting() == tickets
        assert node.undone(opened.ticket) == []


@executed_or_not
async def test_open_chat_that_nobody_repeats(node: Node, proxy: RedisProxy, executed: bool) -> None:
    """Either nothing has begun, or it is a chat like all others, once the sweeper has been there."""
    begun: list[int] = []
    async for cut in cuts(node, proxy, executed=executed):
        author, key = node.customer(), new_chat_key()
        await cut.once(node.open, author, key)
        await node.work()
        ticket = await node.services.chats.log.ticket_for(author.person.id, key)
        with suppress(NotFoundError):
            if ticket and await node.log(ticket):
                begun.append(ticket)
                assert kinds(await node.log(ticket)) == ["opened", "message"]
                assert node.undone(ticket) == []
        assert node.waiting() == begun
    assert begun


@executed_or_not
async def test_take_chat_is_taken_once(node: Node, proxy: RedisProxy, executed: bool) -> None:
    async for cut in cuts(node, proxy, executed=executed):
        ticket = (await node.open(node.customer(), new_chat_key())).ticket
        agent = node.staff()
        accepted, gen = await cut.repeated(node.take, agent, ticket)
        assert gen == 1
        log = await node.log(ticket)
        assert kinds(log) == ["opened", "message", "assigned"]
        assert log[2]["entry_id"] == accepted.entry_id
        await node.work()
        assert node.owners(ticket) == f"{node.agent.id}|1"
        assert ticket in node.mine()
        assert node.waiting() == []
        assert node.undone(ticket) == []


@executed_or_not
async def test_take_chat_that_nobody_repeats(node: Node, proxy: RedisProxy, executed: bool) -> None:
    """Either it waits as before, or the agent owns it; never something in between."""
    owned, left = 0, 0
    async for cut in cuts(node, proxy, executed=executed):
        ticket = (await node.open(node.customer(), new_chat_key())).ticket
        await cut.once(node.take, node.staff(), ticket)
        await node.work()
        chat = await node.services.chats.head(ticket)
        assert node.undone(ticket) == []
        if chat.state == "active":
            owned += 1
            assert kinds(await node.log(ticket)) == ["opened", "message", "assigned"]
            assert (node.owners(ticket), chat.gen) == (f"{node.agent.id}|1", 1)
            assert ticket not in node.waiting()
        else:
            left += 1
            assert chat.state == "queued"
            assert node.waiting() == [ticket]
            assert node.owners(ticket) == ""
            assert (await node.take(node.staff(), ticket))[1] == 1
        assert ticket in node.mine()
    assert owned
    assert left


@executed_or_not
async def test_what_is_said_is_said_once(node: Node, proxy: RedisProxy, executed: bool) -> None:
    customer = node.customer()
    ticket = (await node.open(customer, new_chat_key())).ticket
    agent = node.staff()
    await node.take(agent, ticket)
    said = {"message": 1, "note": 1, "assigned": 1, "opened": 1}
    n = 1
    async for cut in cuts(node, proxy, executed=executed):
        n += 1
        accepted = await cut.repeated(node.post, customer, ticket, n, f"Message {n}")
        said["message"] += 1
        assert (await node.post(customer, ticket, n, f"Message {n}")).entry_id == accepted.entry_id
    n = 1
    async for cut in cuts(node, proxy, executed=executed):
        n += 1
        accepted = await cut.repeated(node.note, agent, ticket, n, f"Note {n}")
        assert (await node.note(agent, ticket, n, f"Note {n}")).entry_id == accepted.entry_id
        said["note"] = n
    log = await node.log(ticket)
    texts = [entry["text"] for entry in log if "text" in entry]
    assert len(texts) == len(set(texts))
    assert kinds(log).count("message") == said["message"]
    assert kinds(log).count("note") == n - 1


@executed_or_not
async def test_note_by_somebody_new(node: Node, proxy: RedisProxy, executed: bool) -> None:
    """Three steps: refused, let in, said."""
    async for cut in cuts(node, proxy, executed=executed):
        ticket = (await node.open(node.customer(), new_chat_key())).ticket
        agent = node.staff()
        accepted = await cut.repeated(node.note, agent, ticket, 1, "Aside")
        log = await node.log(ticket)
        assert kinds(log) == ["opened", "message", "note"]
        assert log[-1]["entry_id"] == accepted.entry_id


@executed_or_not
@pytest.mark.parametrize("comes_back", [True, False], ids=["repeated", "not repeated"])
async def test_close_chat_ends_once_everywhere(node: Node, proxy: RedisProxy, executed: bool, comes_back: bool) -> None:
    async for cut in cuts(node, proxy, executed=executed):
        ticket = (await node.open(node.customer(), new_chat_key())).ticket
        agent = node.staff()
        _, gen = await node.take(agent, ticket)
        await cut.once(node.close, agent, ticket, 2, gen)
        if comes_back:
            accepted = await node.close(agent, ticket, 2, gen)
            assert (await node.log(ticket))[-1]["entry_id"] == accepted.entry_id
            assert node.owners(ticket) == ""
        await node.work()
        log = await node.log(ticket)
        if kinds(log)[-1] == "closed":
            assert kinds(log) == ["opened", "message", "assigned", "closed"]
            assert (await node.services.chats.head(ticket)).state == "closed"
            assert node.owners(ticket) == ""
            assert ticket not in node.mine()
        else:
            assert not comes_back
            assert node.owners(ticket) == f"{node.agent.id}|{gen}"  # nothing has happened


@executed_or_not
async def test_rate_chat_is_one_rating(node: Node, proxy: RedisProxy, executed: bool) -> None:
    async for cut in cuts(node, proxy, executed=executed):
        customer = node.customer()
        ticket = (await node.open(customer, new_chat_key())).ticket
        await node.close(customer, ticket, 2)
        accepted = await cut.repeated(node.rate, customer, ticket, 3, 5)
        await node.work()
        log = await node.log(ticket)
        assert kinds(log) == ["opened", "message", "closed", "rated"]
        assert log[-1]["entry_id"] == accepted.entry_id
        assert (await node.services.chats.head(ticket)).state == "closed"
        assert node.waiting() == []


async def test_a_pass_whose_use_is_uncertain_is_not_used_twice(node: Node, proxy: RedisProxy) -> None:
    """The client hears `unavailable`, and not that its pass is not valid: it comes back by itself."""
    secrets = node.services.secrets
    token = await secrets.new_pass(PassHolder("c1", "customer", "s1"))
    proxy.lose_reply(1)
    with pytest.raises(UnavailableError):
        await secrets.use_pass(token)
    assert len(proxy.commands) == 1
    await node.ready()
    assert await secrets.use_pass(token) is None


async def test_redis_that_hangs_does_it_late_and_once(node: Node, own_valkey: OwnValkey) -> None:
    """It reads what was given up as soon as it goes on, beside what is repeated on the next connection."""
    customer = node.customer()
    ticket = (await node.open(customer, new_chat_key())).ticket
    own_valkey.pause()
    posts = [node.post(customer, ticket, n, f"Message {n}") for n in range(2, 10)]
    refused = await asyncio.gather(*posts, return_exceptions=True)
    assert {type(one) for one in refused} == {UnavailableError}
    own_valkey.go_on()
    await node.ready()
    acks = [await node.post(customer, ticket, n, f"Message {n}") for n in range(2, 10)]
    log = await node.log(ticket)
    assert kinds(log) == ["opened"] + ["message"] * 9
    assert [entry["entry_id"] for entry in log][2:] == [ack.entry_id for ack in acks]


async def test_repetitions_do_not_count_as_further_chats(node: Node) -> None:
    """A customer may open 60 chats in ten minutes; who waits for a server repeats more often than that."""
    customer, keys = node.customer(), [new_chat_key() for _ in range(OPENS + 1)]
    tickets = {(await node.open(customer, keys[0])).ticket for _ in range(OPENS + 10)}
    assert len(tickets) == 1
    for key in keys[1:-1]:
        await node.open(customer, key)
    with pytest.raises(RateLimitedError):
        await node.open(customer, keys[-1])
    assert (await node.open(customer, keys[0])).ticket in tickets
