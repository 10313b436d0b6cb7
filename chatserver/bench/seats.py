"""Who takes part: customers with an open chat each, and agents who have taken them. Made over the server's own
interfaces, so everybody is signed in and every chat is in the log.

A seat is one person's place in one chat. It holds what a client keeps that goes away and comes back (resume token,
device, position), so whoever measures connects by resuming and has no sign-in in the way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from chatserver.bench.line import Line, Value, base_of
from chatserver.client.credentials import AgentSignIn, Credentials, CredentialsError, CustomerSession

CHATS_PER_AGENT = 100
AT_ONCE = 16
SESSIONS_PER_NETWORK = 100  # the server lets 120 a minute in from one network
TRIES = 100


class Seat(msgspec.Struct):
    """One person's place in one chat."""

    role: str
    ticket: int
    device: str
    resume_token: str
    epoch: int
    seq: int
    entry_id: str
    n: int  # commands of this device in this chat so far
    gen: int | None = None  # of the owner

    async def sit(self, address: str, origin: str, on_value: Callable[[Value], None] | None = None) -> Line:
        """Opens a connection, resumes, and is attached to the chat."""
        line = await Line.open(address, origin, on_value)
        position = {"ticket": self.ticket, "epoch": self.epoch, "seq": self.seq, "entry_id": self.entry_id}
        welcome = await line.call(
            "hello", resume_token=self.resume_token, device=self.device, chats=[position] if self.seq else []
        )
        for page in welcome["chats"]:
            if "error" in page:
                raise RuntimeError(f"chat {self.ticket} is {page['error']}")
        return line


class Pair(msgspec.Struct):
    """A chat's two seats."""

    customer: Seat
    agent: Seat


@dataclass(frozen=True)
class Venue:
    """Where the chats are: the nodes' `ws://HOST:PORT/ws`, the origin they accept, and the staff."""

    addresses: Sequence[str]
    origin: str
    agents: Sequence[tuple[str, str]]  # email, password

    @property
    def local(self) -> bool:
        """Whether it is on this machine, where a client may come from any network of 127.0.0.0/8."""
        host = urlsplit(self.addresses[0]).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


async def seat_chats(venue: Venue, count: int, *, advance: Callable[[int], None] = lambda done: None) -> list[Pair]:
    """Opens so many chats, each by a customer of its own, and has agents take them.

    `advance` hears how many are done. Nobody stays connected.

    Raises:
        CredentialsError, RefusedError, ConnectionError, TimeoutError: the server did not let somebody in.
    """
    # A sign-in costs the server a password hash: one for each, as it is with people.
    staff = [AgentSignIn(email, password) for email, password in venue.agents]
    door = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(number: int) -> Pair:
        nonlocal done
        async with door:
            pair = await _seat(venue, number, staff[number % len(staff)])
        done += 1
        advance(done)
        return pair

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(count)]
    return [task.result() for task in tasks]


async def close_chats(
    venue: Venue,
    pairs: Sequence[Pair],
    posted: Sequence[int],
    *,
    advance: Callable[[int], None] = lambda done: None,
) -> None:
    """Closes them, so that nothing of a run stays open. `posted`: how often each agent has spoken since."""
    door = asyncio.Semaphore(AT_ONCE)
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        seat = pairs[number].agent
        async with door:
            line = await seat.sit(venue.addresses[number % len(venue.addresses)], venue.origin)
            await line.call("close_chat", ticket=seat.ticket, n=seat.n + posted[number] + 1, gen=seat.gen)
            await line.close()
        done += 1
        advance(done)

    async with asyncio.TaskGroup() as group:
        for number in range(len(pairs)):
            group.create_task(one(number))


async def _seat(venue: Venue, number: int, agent: AgentSignIn) -> Pair:
    address = venue.addresses[number % len(venue.addresses)]
    customer = CustomerSession(local_address=_network(number) if venue.local else None)
    line, token, device = await _enter(venue, address, customer)
    opened = await line.call("open_chat", chat_key=secrets.token_hex(16), text="Where is my parcel?")
    ticket = opened["ticket"]
    customer_seat = _seat_at("customer", ticket, device, token, opened)
    await line.close()
    line, token, device = await _enter(venue, address, agent)
    taken = await line.call("take_chat", ticket=ticket, n=1)
    agent_seat = _seat_at("agent", ticket, device, token, taken)
    agent_seat.gen = taken["gen"]
    await line.close()
    return Pair(customer_seat, agent_seat)


def _seat_at(role: str, ticket: int, device: str, token: str, ack: Value) -> Seat:
    return Seat(role, ticket, device, token, ack["epoch"], ack["seq"], ack["entry_id"], n=1)


async def _enter(venue: Venue, address: str, credentials: Credentials) -> tuple[Line, str, str]:
    for attempt in range(TRIES):
        try:
            secret = await credentials.secret(base_of(address))
            break
        except CredentialsError as error:
            if not error.temporary or attempt == TRIES - 1:
                raise
            await asyncio.sleep(error.retry_after or 1.0)
    device = "bench-" + secrets.token_hex(8)
    line = await Line.open(address, venue.origin)
    welcome = await line.call("hello", device=device, chats=[], **secret)
    return line, welcome["resume_token"], device


def _network(number: int) -> str:
    """A loopback address; so many customers share a network."""
    network = 256 + number // SESSIONS_PER_NETWORK
    return f"127.{network // 256}.{network % 256}.1"
