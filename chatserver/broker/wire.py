"""One connection to Redis that is kept up: packed commands out, replies in their order to who waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import hiredis
import structlog

from chatserver.broker.address import Address
from chatserver.broker.breaker import Breaker, unavailable
from chatserver.broker.redis_clock import RedisClock
from chatserver.errors import ConfigError

Done = Callable[[Any], None]

MAX_WAITING = 20_000  # commands without a reply; more are refused at once, so that a slow Redis is not buried
MAX_UNSENT_BYTES = 16 * 2**20  # of them that it has not even taken off the connection: they are in our memory
# After each KiB that it has parsed, hiredis moves all the rest to the front: of 230 KiB that were fed at once, a reply
# costs 2.4 µs, in such pieces 0.6.
PIECE_BYTES = 8 * 1024
LOOK_SECONDS = 0.25
SILENT_SECONDS = 5.0  # a command older than this: the connection is half open or Redis hangs
ASK_SECONDS = 1.0  # whether it is there, and what its clock shows
BACKOFF_SECONDS = 0.05, 2.0  # a deaf minute is worse than a busy log (some clients sleep up to 60 s)

log = structlog.get_logger()

pack: Any = hiredis.pack_command  # its stub knows only tuples of one

_ReplyError = hiredis.ReplyError
_ELSEWHERE = "MOVED", "CLUSTERDOWN"
_PING: bytes = pack((b"PING",))
_TIME: bytes = pack((b"TIME",))


class Wire(asyncio.Protocol):
    """One connection. Either for commands, each with its reply, or (with `on_reply`) for what Redis sends by itself.

    A command is answered once, with `UnavailableError` when it was refused or its reply is lost.
    """

    def __init__(self, address: Address, name: str, on_reply: Done | None) -> None:
        self.address, self.name, self.on_reply = address, name, on_reply
        self.on_ready: Callable[[], None] = lambda: None
        self.on_doubt: Callable[[], None] = lambda: None  # what is asked of this server may be another's now
        self.up = False
        self.replid = b""  # of the Redis at the other end
        self.clock = RedisClock()  # that Redis', on a connection for commands
        self.breaker = Breaker(name, lambda done: self._send(_PING, done))
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._out: list[bytes] = []
        self._full = False  # MAX_UNSENT_BYTES
        self._waiting: deque[tuple[Done, float]] = deque()
        self._keeper: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self._heard_at = self._asked_at = self._looked_at = 0.0

    async def start(self) -> None:
        """Connects, and from then on again and again.

        Raises:
            ConfigError: Redis cannot be reached or refuses us.
        """
        try:
            await self._connect()
        except OSError as exc:
            raise ConfigError(f"Redis at {self.address} cannot be used: {_reason(exc)}") from exc
        self.begin()

    def begin(self) -> None:
        """Connects when that works, and from then on again and again."""
        if self._keeper:
            return
        if not self.up:
            self._lost.set()
        self._keeper = asyncio.create_task(self._keep_up(), name=f"redis {self.name}")

    async def stop(self) -> None:
        """Ends the connection; what waits is answered `UnavailableError`."""
        if self._keeper:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        if self._transport:
            self._transport.abort()
        self._fail_waiting()

    def end(self) -> None:
        """Ends this connection; the next one follows."""
        if self._transport:
            self._transport.abort()

    @property
    def waiting(self) -> int:
        """Commands without a reply."""
        return len(self._waiting)

    def send(self, packed: bytes, done: Done | None) -> None:
        """Sends a command with the others of this loop turn, or refuses it at once."""
        if done is not None and (not self.breaker.closed or self._full or len(self._waiting) >= MAX_WAITING):
            asyncio.get_running_loop().call_soon(done, self.breaker.refusal())
            return
        if done is not None:  # from here on `_send`, written out: each call is one of every message
            self._waiting.append((done, time.monotonic()))
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(packed)

    def _send(self, packed: bytes, done: Done | None) -> None:
        if done is not None:
            self._waiting.append((done, time.monotonic()))  # the loop's clock; to ask for the loop is a system call
        if not self._out:
            asyncio.get_running_loop().call_soon(self._flush)
        self._out.append(packed)

    def _flush(self) -> None:
        if self._transport and self._out:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        self._reader = hiredis.Reader()
        self._full = False
        self._out.clear()
        self._lost.clear()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False

    def data_received(self, data: bytes) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        feed, gets, next_waiting = self._reader.feed, self._reader.gets, self._waiting.popleft
        on_reply = self.on_reply if self.up else None
        refused: set[str] = set()
        try:
            for at in range(0, len(data), PIECE_BYTES):
                feed(data, at, min(PIECE_BYTES, len(data) - at))
                while (reply := gets()) is not False:
                    if reply.__class__ is _ReplyError:
                        refused.add(str(reply).partition(" ")[0])
                    done = on_reply or next_waiting()[0]
                    try:
                        done(reply)
                    except Exception:
                        log.exception("redis.reply_not_taken", link=self.name)  # our mistake; it is nobody else's
        except Exception as exc:
            # Not Redis' protocol, or a reply that nobody waits for: from here on none could be put to its command.
            log.error("redis.nonsense", link=self.name, address=str(self.address), why=repr(exc)[:200])
            self.end()
        if refused and self.up:
            if "READONLY" in refused:
                # The master that we had has become a replica: the same address may lead to the new one now.
                self.end()
            if not refused.isdisjoint(_ELSEWHERE):
                self.on_doubt()

    def connection_lost(self, exc: Exception | None) -> None:
        self.up = False
        self.clock.forget()
        self.breaker.lost()
        self._transport = None
        self._out.clear()
        self._fail_waiting()
        self._lost.set()
        self.on_doubt()

    # -- keeping it up

    def _fail_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        for done, _ in waiting:
            try:
                done(unavailable())
            except Exception:
                log.exception("redis.reply_not_taken", link=self.name)

    async def _connect(self) -> None:
        loop, address = asyncio.get_running_loop(), self.address
        try:
            async with asyncio.timeout(SILENT_SECONDS):
                if address.path:
                    await loop.create_unix_connection(lambda: self, address.path)
                else:
                    host, port = await address.find()
                    await loop.create_connection(lambda: self, host, port, ssl=address.tls)
                await self._greet()
            if self._lost.is_set():  # between its last reply and us
                raise ConnectionResetError("the connection was lost")
        except BaseException:
            self.end()
            raise
        self.up = True
        self._heard_at = self._looked_at = loop.time()
        self.breaker.connected()
        self._ask(loop.time())
        self.on_ready()

    async def _greet(self) -> None:
        replies: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        greeting = self.address.greeting()
        left = len(greeting)

        def greeted(command: tuple[bytes | str | int, ...], reply: Any) -> None:
            nonlocal left
            left -= 1
            why = self.address.refusal(command, reply)
            if not why:
                self.replid = self.address.replid(command, reply) or self.replid
            if why and not replies.done():
                replies.set_exception(OSError(why))
            elif not left and not replies.done():
                replies.set_result(None)

        for command in greeting:
            self._send(pack(command), partial(greeted, command))
        self._flush()
        await replies

    async def _keep_up(self) -> None:
        loop, tries = asyncio.get_running_loop(), 0
        while True:
            stood, stood_at = self.up, loop.time()
            while not self._lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._lost.wait()
                self._look(loop.time())
            if loop.time() - stood_at > SILENT_SECONDS:
                tries = 0
            if stood:
                log.warning("redis.lost", link=self.name, address=str(self.address))
            why = ""
            while not self.up:
                low, high = BACKOFF_SECONDS
                await asyncio.sleep(random.uniform(low, min(high, 2 * low * 2**tries)))
                tries = min(tries + 1, 16)
                try:
                    await self._connect()
                except OSError as exc:
                    if (reason := _reason(exc)) != why:
                        why = reason
                        log.warning("redis.not_yet", link=self.name, address=str(self.address), why=why)

    def _look(self, now: float) -> None:
        """Whether Redis still answers. Not judged when it was us who were away: the replies may be here, unread."""
        away, self._looked_at = now - self._looked_at > 2 * LOOK_SECONDS, now
        if away or not self.up or not self._transport:
            return
        if now - self._asked_at >= ASK_SECONDS:
            self._ask(now)
        if self.on_reply:
            silent = now - self._heard_at
        else:
            silent = now - self._waiting[0][1] if self._waiting else 0.0
            self.breaker.look(silent, len(self._waiting))
        if silent > SILENT_SECONDS:
            self._transport.abort()

    def _ask(self, now: float) -> None:
        self._asked_at = now
        if self.on_reply:
            # Nobody waits for a reply here: only an answer to PING tells a quiet connection from a dead one.
            self._send(_PING, None)
        else:
            self._send(_TIME, self.clock.asking())


def _reason(exc: OSError) -> str:
    return "it does not answer" if isinstance(exc, TimeoutError) else str(exc)


def bulks(parts: tuple[bytes | str | int, ...]) -> bytes:
    """Parts of a command, packed."""
    packed: bytes = pack(parts)
    return packed[packed.index(b"\n") + 1 :]
