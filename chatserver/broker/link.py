"""The hot path to Redis: two connections, plain callbacks, no task or future per command.

Commands of a loop turn go out in one write, replies of a read are handed out in one go (measured: 20 instead of 60 µs
a message). The link reconnects by itself with jitter. Nothing is sent twice by it: a command whose reply was lost is
answered with `UnavailableError`, and whoever asked decides; scripts answer the same for the same command, so asking
again is safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, cast

import hiredis
import structlog
from redis.asyncio.connection import SSLConnection, parse_url

from chatserver.broker.scripts import ALL, script
from chatserver.errors import ConfigError, UnavailableError

Done = Callable[[Any], None]

MAX_WAITING = 20_000  # commands without a reply; more are refused at once, so that a slow Redis is not buried
COMPLAIN_SECONDS = 10.0
SILENT_SECONDS = 5.0  # a command older than this: the connection is half open or Redis hangs
BACKOFF_SECONDS = 0.05, 2.0  # a deaf minute is worse than a busy log (some clients sleep up to 60 s)

log = structlog.get_logger()

_pack: Any = hiredis.pack_command  # its stub knows only tuples of one


class Link:
    """Commands on one connection, subscriptions on another (their output buffers have other limits in Redis).

    `on_push(channel, payload)` gets messages in the order of each channel. `on_subscribed(channel)` is called at each
    confirmation, also after a reconnect: what was published in between is gone, and the receiver has to refill from
    the log.
    """

    def __init__(
        self, url: str, *, on_push: Callable[[bytes, bytes], None], on_subscribed: Callable[[bytes], None]
    ) -> None:
        self._address = _Address(url)
        self._on_push, self._on_subscribed = on_push, on_subscribed
        self._channels: set[bytes] = set()
        self._commands = _Wire(self._address, "commands", on_reply=None)
        self._pushes = _Wire(self._address, "pushes", on_reply=self._pushed)

    async def start(self) -> None:
        """Connects.

        Raises:
            ConfigError: Redis cannot be reached or refuses us.
        """
        self._pushes.on_ready = self._resubscribe
        await self._commands.start()
        await self._pushes.start()

    async def stop(self) -> None:
        """Closes both connections; commands on the way are answered `UnavailableError`."""
        await self._commands.stop()
        await self._pushes.stop()

    @property
    def ready(self) -> bool:
        """Whether both connections are up."""
        return self._commands.up and self._pushes.up

    def send(self, args: Sequence[bytes | str | int], done: Done | None = None) -> None:
        """Sends one command; `done(reply)` is called later, with an exception as reply when it failed."""
        self._commands.send(_pack(tuple(args)), done or _ignore)

    def run(self, name: str, keys: Sequence[bytes], args: Sequence[bytes | str | int], done: Done) -> None:
        """Runs a script."""
        chosen = script(name)

        def replied(reply: Any) -> None:
            if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
                # Redis forgot its scripts (restart without AOF, SCRIPT FLUSH) and has done nothing: send the whole
                # text, once.
                self.send((b"EVAL", chosen.source, len(keys), *keys, *args), done)
            else:
                done(reply)

        self.send((b"EVALSHA", chosen.sha, len(keys), *keys, *args), replied)

    async def call(self, *args: bytes | str | int) -> Any:
        """Sends one command and waits for its reply.

        Raises:
            UnavailableError: no connection, no reply, or Redis refused.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(args, lambda reply: _resolve(future, reply))
        return await future

    async def script(self, name: str, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> Any:
        """Runs a script and waits for its reply.

        Raises:
            UnavailableError: as `call`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.run(name, keys, args, lambda reply: _resolve(future, reply))
        return await future

    def subscribe(self, channel: bytes) -> None:
        """From the next `on_subscribed(channel)` on, messages of the channel arrive."""
        self._channels.add(channel)
        if self._pushes.up:
            self._pushes.send(_pack((b"SUBSCRIBE", channel)), None)

    def unsubscribe(self, channel: bytes) -> None:
        """Ends a subscription."""
        self._channels.discard(channel)
        if self._pushes.up:
            self._pushes.send(_pack((b"UNSUBSCRIBE", channel)), None)

    def _resubscribe(self) -> None:
        channels = list(self._channels)
        for at in range(0, len(channels), 512):
            self._pushes.send(_pack((b"SUBSCRIBE", *channels[at : at + 512])), None)

    def _pushed(self, reply: Any) -> None:
        if reply[0] == b"message":
            self._on_push(reply[1], reply[2])
        elif reply[0] == b"subscribe" and reply[1] in self._channels:
            self._on_subscribed(reply[1])


def _ignore(reply: Any) -> None:
    pass


def as_error(reply: Any) -> UnavailableError | None:
    """The error in a reply, if it is one; what Redis itself said goes to the log, not to the client."""
    if isinstance(reply, UnavailableError):
        return reply
    if isinstance(reply, hiredis.ReplyError):
        _complain(str(reply)[:200])
        return UnavailableError()
    return None


_PING: bytes = _pack((b"PING",))
_complained: dict[str, float] = {}


def _complain(reply: str) -> None:
    """Says each kind of refusal once in ten seconds: a full disk refuses every command."""
    kind, now = reply.split(" ", 1)[0], time.monotonic()
    if now - _complained.get(kind, -COMPLAIN_SECONDS) >= COMPLAIN_SECONDS:
        _complained[kind] = now
        log.error("redis.refused", reply=reply)


def _resolve(future: asyncio.Future[Any], reply: Any) -> None:
    if future.done():
        return
    error = as_error(reply)
    if error:
        future.set_exception(error)
    else:
        future.set_result(reply)


class _Address:
    """Where Redis is, from a URL in redis-py's form (redis://, rediss://, unix://)."""

    def __init__(self, url: str) -> None:
        options = parse_url(url)
        self.path: str | None = options.get("path")
        self.host: str = options.get("host") or "localhost"
        self.port: int = options.get("port") or 6379
        self.tls = (
            ssl.create_default_context() if issubclass(options.get("connection_class", object), SSLConnection) else None
        )
        self.database: int = options.get("db") or 0
        self.user: str | None = options.get("username")
        self.password: str | None = options.get("password")

    def greeting(self) -> list[tuple[bytes | str | int, ...]]:
        """What has to be said first on each connection."""
        commands: list[tuple[bytes | str | int, ...]] = []
        if self.password is not None:
            commands.append(("AUTH", *([self.user] if self.user else []), self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands + [("SCRIPT", "LOAD", script(name).source) for name in ALL]

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


class _Wire(asyncio.Protocol):
    """One connection, kept up."""

    def __init__(self, address: _Address, name: str, on_reply: Done | None) -> None:
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
                self._out.append(_pack(command))
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
