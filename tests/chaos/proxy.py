"""A TCP proxy that breaks connections on purpose: between clients and nodes, and between nodes and Redis.

It listens on one port of the loopback and forwards each connection (a *link*) to one of its targets, so it is also the
clients' load balancer and the address under which nodes know the master. Faults strike the links that are there, a
share of them chosen at random, and the new ones too, until `recover`.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from typing import Self, cast

DRIP_SECONDS = 1.0  # a slow reader takes one byte in this time
IP_BIND_ADDRESS_NO_PORT = 24  # Linux; Python does not name it
SMALL_BUFFER = 4096  # what a slow reader's system takes on top


class Fault(StrEnum):
    """What a link can suffer."""

    NONE = "none"
    MUTE = "mute"  # forwards the next request, swallows the answer, then resets: "cut before the reply"
    DELAY = "delay"  # everything arrives later, in order
    HALF_OPEN = "half_open"  # both directions vanish without a word; reset at the end
    SLOW = "slow"  # what the server says is read at one byte a second


class Proxy:
    """Forwards; breaks when told to."""

    def __init__(self, name: str, *, rng: random.Random | None = None) -> None:
        self.name = name
        self.port = 0
        self.targets: Callable[[], list[int]] = list
        self.links: set[Link] = set()
        self.ends: set[_End] = set()  # all connections, also those whose other side has gone
        self.accepted = 0
        self._rng = rng or random.Random(0)
        self._fault, self._share, self._seconds = Fault.NONE, 0.0, 0.0
        self._server: asyncio.Server | None = None

    async def start(self, targets: Callable[[], list[int]], *, port: int = 0) -> Self:
        """Listens.

        Args:
            targets: asked at each new connection; ports of the loopback in the order in which they are tried.
            port: 0 for any.
        """
        self.targets = targets
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Link(self).near, "127.0.0.1", port, backlog=2048)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Ends all connections, and waits until their sockets are closed."""
        if self._server:
            self._server.close()
        for _ in range(3):  # so many turns until what was accepted a moment ago is told to us
            await asyncio.sleep(0)
        self.cut()
        while self.ends:
            for end in list(self.ends):
                end.abort()
            await asyncio.sleep(0)

    # -- faults

    def cut(self, share: float = 1.0) -> int:
        """Resets links; how many."""
        chosen = self._choose(share)
        for link in chosen:
            link.abort()
        return len(chosen)

    def strike(self, fault: Fault, *, share: float = 1.0, seconds: float = 0.0) -> int:
        """Lets links, and new ones, suffer this until `recover`; how many.

        Args:
            fault: what.
            share: of the links that are there; of the new ones each with this probability.
            seconds: for DELAY, how much later.
        """
        self._fault, self._share, self._seconds = fault, share, seconds
        chosen = self._choose(share)
        for link in chosen:
            link.suffer(fault, seconds)
        return len(chosen)

    def recover(self) -> None:
        """All links forward again; those that have lost bytes are reset."""
        self._fault = Fault.NONE
        for link in list(self.links):
            link.recover()

    def _choose(self, share: float) -> list[Link]:
        links = sorted(self.links, key=lambda link: link.number)
        return [link for link in links if share >= 1 or self._rng.random() < share]

    def fault_for_new(self) -> tuple[Fault, float]:
        """What a new link suffers."""
        struck = self._fault is not Fault.NONE and (self._share >= 1 or self._rng.random() < self._share)
        return (self._fault, self._seconds) if struck else (Fault.NONE, 0.0)


class Link:
    """One connection from the near side (who connected) to the far side (the target)."""

    def __init__(self, proxy: Proxy) -> None:
        proxy.accepted += 1
        self.proxy, self.number = proxy, proxy.accepted
        self.near, self.far = _End(self), _End(self)
        self.fault, self.seconds = Fault.NONE, 0.0
        self.target = 0
        self._tainted = False  # bytes were swallowed
        self._asked = False
        self._loop = asyncio.get_running_loop()
        self._drip: asyncio.TimerHandle | None = None
        self._held: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None

    # -- from the ends

    def opened(self, end: _End) -> None:
        if end is self.near:
            self.proxy.links.add(self)
            self.near.pause()
            self.suffer(*self.proxy.fault_for_new())
            self._task = self._loop.create_task(self._reach())

    async def _reach(self) -> None:
        """Connects to the first target that accepts."""
        for port in self.proxy.targets():
            try:
                connection = socket.socket()
                connection.setblocking(False)
                # From where the near side comes: what is limited per address is so behind us, too.
                connection.setsockopt(socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                connection.bind((self.near.address, 0))
                if self.fault is Fault.SLOW:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
                await self._loop.sock_connect(connection, ("127.0.0.1", port))
                await self._loop.create_connection(lambda: self.far, sock=connection)
            except OSError:
                connection.close()
                continue
            except asyncio.CancelledError:  # the near side went meanwhile
                connection.close()
                raise
            self.target = port
            self.near.resume()
            return
        self.abort()

    def received(self, end: _End, data: bytes) -> None:
        """Some bytes; what happens to them is the fault's."""
        to_client = end is self.far
        if self.fault is Fault.NONE:
            (self.near if to_client else self.far).write(data)
        elif self.fault is Fault.DELAY:
            (self.near if to_client else self.far).write(data, later=self.seconds)
        elif self.fault is Fault.HALF_OPEN:
            self._tainted = True
        elif self.fault is Fault.MUTE:
            self._received_muted(data, to_client)
        elif to_client:
            self._held.append(data)
            self.far.pause()
            if self._drip is None:
                self._drip = self._loop.call_later(DRIP_SECONDS, self._let_one_through)
        else:
            self.far.write(data)

    def _received_muted(self, data: bytes, to_client: bool) -> None:
        if not to_client:
            self._asked = True
            self.far.write(data)
        elif self._asked:
            self.abort()
        else:
            self.near.write(data)

    def _let_one_through(self) -> None:
        self._drip = None
        if self.fault is not Fault.SLOW or not self._held:
            return
        data = self._held.popleft()
        self.near.write(data[:1])
        if len(data) > 1:
            self._held.appendleft(data[1:])
        if self._held:
            self._drip = self._loop.call_later(DRIP_SECONDS, self._let_one_through)
        else:
            self.far.resume()

    def closed(self, end: _End) -> None:
        """One side has gone; what it said before still arrives, unless the other is cut."""
        self.proxy.links.discard(self)
        other = self.near if end is self.far else self.far
        if self.fault is Fault.HALF_OPEN:
            return  # the other side is not told
        if self._held and other is self.near:
            other.abort()
        else:
            other.close()

    # -- from the proxy

    def suffer(self, fault: Fault, seconds: float) -> None:
        """From now on."""
        self.fault, self.seconds = fault, seconds

    def recover(self) -> None:
        """No longer."""
        if self._tainted or self.fault is Fault.HALF_OPEN:
            self.abort()
        else:
            self.fault = Fault.NONE
            while self._held:
                self.near.write(self._held.popleft())
            self.far.resume()

    def abort(self) -> None:
        """Resets both sides."""
        self.proxy.links.discard(self)
        if self._task:
            self._task.cancel()
        self.near.abort()
        self.far.abort()


class _End(asyncio.Protocol):
    """One side of a link."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.transport: asyncio.Transport | None = None
        self._ended = False
        self._early: list[bytes] = []  # what came before this side was there: older asyncio reads although paused
        self._due = 0.0  # when the last byte that is on its way arrives
        self._on_its_way = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.link.proxy.ends.add(self)
        if self._ended:
            self.abort()
        else:
            self.link.opened(self)
            self.transport.writelines(self._early)

    @property
    def address(self) -> str:
        """Where the other side of this connection is."""
        name = self.transport.get_extra_info("peername") if self.transport else None
        return name[0] if name else "127.0.0.1"

    def data_received(self, data: bytes) -> None:
        self.link.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.link.proxy.ends.discard(self)
        if not self._ended:
            self._ended = True
            self.link.closed(self)

    def pause_writing(self) -> None:
        (self.link.near if self is self.link.far else self.link.far).pause()

    def resume_writing(self) -> None:
        (self.link.near if self is self.link.far else self.link.far).resume()

    def write(self, data: bytes, *, later: float = 0.0) -> None:
        """Sends, now or later; never before what is on its way."""
        if later or self._on_its_way:
            loop = asyncio.get_running_loop()
            self._due = max(loop.time() + later, self._due + 1e-6)
            self._on_its_way += 1
            loop.call_at(self._due, self._arrive, data)
        elif self.transport is None and not self._ended:
            self._early.append(data)
        elif self.transport and not self.transport.is_closing():
            self.transport.write(data)

    def _arrive(self, data: bytes) -> None:
        self._on_its_way -= 1
        if self.transport and not self.transport.is_closing():
            if data:
                self.transport.write(data)
            else:
                self.transport.close()

    def pause(self) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.resume_reading()

    def close(self) -> None:
        self._ended = True
        if self._on_its_way:
            self.write(b"")
        elif self.transport:
            self.transport.close()

    def abort(self) -> None:
        self._ended = True
        if self.transport:
            self.transport.abort()
