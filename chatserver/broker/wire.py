"""One connection to Redis that is kept up: packed commands out, replies in their order to who waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import hiredis
import structlog

from chatserver.broker.address import Address
from chatserver.errors import ConfigError, UnavailableError

Done = Callable[[Any], None]

MAX_WAITING = 20_000  # commands without a reply; more are refused at once, so that a slow Redis is not buried
SILENT_SECONDS = 5.0  # a command older than this: the connection is half open or Redis hangs
BACKOFF_SECONDS = 0.05, 2.0  # a deaf minute is worse than a busy log (some clients sleep up to 60 s)

log = structlog.get_logger()

pack: Any = hiredis.pack_command  # its stub knows only tuples of one

_PING: bytes = pack((b"PING",))


class Wire(asyncio.Protocol):
    """One connection, kept up."""

    def __init__(self, address: Address, name: str, on_reply: Done | None) -> None:
        self.address, self.name, self.on_reply = address, name, on_reply
        self.on_ready: Callable[[], None] = lambda: None
        self.up = False
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._waiting: deque[tuple[Done, float]] = deque()
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._heard_at = 0.0

    async def start(self) -> None:
        try:
            await self._connect()
        except (OSError, hiredis.ReplyError, TimeoutError) as exc:
            raise ConfigError(f"Redis at {self.address} cannot be used: {exc}") from exc
        self._keeper = asyncio.create_task(self._keep_up(), name=f"redis {self.name}")

    async def stop(self) -> None:
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._transport:
            self._transport.abort()
        self._fail_waiting()

    def send(self, packed: bytes, done: Done | None) -> None:
        loop = asyncio.get_running_loop()
        if done is not None:
            if not self.up or len(self._waiting) >= MAX_WAITING:
                loop.call_soon(done, UnavailableError())
                return
            self._waiting.append((done, loop.time()))
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append(packed)

    def _flush(self) -> None:
        if self._transport and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._reader = hiredis.Reader()
        self._out.clear()
        self._lost.clear()

    def data_received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self._reader.feed(data)
        gets = self._reader.gets
        if self.on_reply and self.up:
            while (reply := gets()) is not False:
                self.on_reply(reply)
            return
        next_waiting = self._waiting.popleft
        while (reply := gets()) is not False:
            next_waiting()[0](reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        self._transport = None
        self._out.clear()
        self._fail_waiting()
        self._lost.set()

    # -- keeping it up

    def _fail_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for done, _ in waiting:
            done(UnavailableError())

    async def _connect(self) -> None:
        loop, address = asyncio.get_running_loop(), self.address
        async with asyncio.timeout(SILENT_SECONDS):
            if address.path:
                await loop.create_unix_connection(lambda: self, address.path)
            else:
                await loop.create_connection(lambda: self, address.host, address.port, ssl=address.tls)
            replies: asyncio.Future[None] = loop.create_future()
            greeting = address.greeting()
            left = len(greeting)

            def greeted(reply: Any) -> None:
                nonlocal left
                left -= 1
                if isinstance(reply, Exception) and not replies.done():
                    replies.set_exception(OSError(str(reply)) if isinstance(reply, UnavailableError) else reply)
                elif not left and not replies.done():
                    replies.set_result(None)

            for command in greeting:
                self._waiting.append((greeted, loop.time()))
                self._out.append(pack(command))
            self._flush()
            try:
                await replies
            except BaseException:
                if self._transport:
                    self._transport.abort()
                raise
        self.up = True
        self.on_ready()

    async def _keep_up(self) -> None:
        tries = 0
        while True:
            await self._watch()
            log.warning("redis.lost", link=self.name, address=str(self.address))
            while not self.up:
                low, high = BACKOFF_SECONDS
                await asyncio.sleep(random.uniform(low, min(high, low * 2**tries)))
                tries += 1
                with contextlib.suppress(OSError, hiredis.ReplyError, TimeoutError):
                    await self._connect()
            log.info("redis.back", link=self.name, tries=tries)
            tries = 0

    async def _watch(self) -> None:
        """Until the connection is lost; ends one that has not answered for too long."""
        loop = asyncio.get_running_loop()
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), 1.0)
            if self.on_reply:
                # Nobody waits for a reply here: only an answer to PING tells a quiet connection from a dead one.
                self.send(_PING, None)
                if loop.time() - self._heard_at > SILENT_SECONDS and self._transport:
                    self._transport.abort()
            if self._waiting and loop.time() - self._waiting[0][1] > SILENT_SECONDS and self._transport:
                self._transport.abort()
