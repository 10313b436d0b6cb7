"""The hot path to Redis: two connections, plain callbacks, no task or future per command.

Commands of a loop turn go out in one write, replies of a read are handed out in one go (measured: 20 instead of 60 µs
a message). The link reconnects by itself with jitter. Nothing is sent twice by it: a command whose reply was lost is
answered with `UnavailableError`, and whoever asked decides; scripts answer the same for the same command, so asking
again is safe.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hiredis
import structlog

from chatserver.broker.address import Address
from chatserver.broker.breaker import unavailable
from chatserver.broker.scripts import Script, script
from chatserver.broker.wire import Done, Wire, bulks, pack
from chatserver.errors import UnavailableError

COMPLAIN_SECONDS = 10.0

log = structlog.get_logger()


class Link:
    """Commands on one connection, subscriptions on another (their output buffers have other limits in Redis).

    `on_push(channel, payload)` gets messages in the order of each channel. `on_subscribed(channel)` is called at each
    confirmation, also after a reconnect: what was published in between is gone, and the receiver has to refill from
    the log. With `strict`, no connection is used to a Redis that may answer before its fsync.
    """

    def __init__(
        self,
        url: str,
        *,
        on_push: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[bytes], None],
        strict: bool = False,
    ) -> None:
        self._address = Address(url, strict=strict)
        self._on_push, self._on_subscribed = on_push, on_subscribed
        self._channels: set[bytes] = set()
        self._commands = Wire(self._address, "commands", on_reply=None)
        self._pushes = Wire(self._address, "pushes", on_reply=self._pushed)

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
        """Whether both connections are up and Redis answers in time."""
        return self._commands.breaker.closed and self._pushes.up

    @property
    def replid(self) -> bytes:
        """The history of Redis' data that commands sent now will meet (`Address.replid`)."""
        return self._commands.replid

    def send(self, args: Sequence[bytes | str | int], done: Done | None = None) -> None:
        """Sends one command; `done(reply)` is called later, with an exception as reply when it failed."""
        self._commands.send(pack(tuple(args)), done or _ignore)

    def run(self, name: str, keys: Sequence[bytes], args: Sequence[bytes | str | int], done: Done) -> None:
        """Runs a script."""
        self.run_packed(name, 1 + len(keys) + len(args), bulks((len(keys), *keys, *args)), done)

    def run_packed(self, name: str, count: int, packed: bytes, done: Done) -> None:
        """Runs a script; `packed` are the `count` parts of the command that follow its name."""
        chosen = script(name)
        self._commands.send(chosen.by_name(count) + packed, partial(self._ran, chosen, count, packed, done))

    def send_packed(self, packed: bytes, done: Done) -> None:
        """Sends one command that is packed already. A script that Redis has forgotten is not sent as a whole."""
        self._commands.send(packed, done)

    def _ran(self, chosen: Script, count: int, packed: bytes, done: Done, reply: Any) -> None:
        if is_forgotten_script(reply):
            # Restart without AOF, SCRIPT FLUSH. Redis has done nothing: send the whole text, once.
            self._commands.send(chosen.in_full(count) + packed, done)
        else:
            done(reply)

    async def call(self, *args: bytes | str | int) -> Any:
        """Sends one command and waits for its reply.

        Raises:
            UnavailableError: no connection, no reply, or Redis refused.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(args, lambda reply: _resolve(future, reply))
        return await future

    async def calls(self, commands: Sequence[Sequence[bytes | str | int]]) -> list[Any]:
        """Sends commands that do not depend on each other, in one go, and waits for all replies, in their order. One
        future for all: a task for each would cost more than the command.

        Raises:
            UnavailableError: as `call`, for any of them; the others may have been done.
        """
        future, replied = _all_of(len(commands))
        for command in commands:
            self.send(command, replied)
        return await future

    async def script(self, name: str, keys: Sequence[bytes], args: Sequence[bytes | str | int]) -> Any:
        """Runs a script and waits for its reply.

        Raises:
            UnavailableError: as `call`.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.run(name, keys, args, lambda reply: _resolve(future, reply))
        return await future

    async def scripts(self, name: str, each: Sequence[tuple[Sequence[bytes], Sequence[bytes | str | int]]]) -> None:
        """Runs a script several times, with these (keys, args), and waits until all are done.

        Raises:
            UnavailableError: as `calls`.
        """
        future, replied = _all_of(len(each))
        for keys, args in each:
            self.run(name, keys, args, replied)
        await future

    def subscribe(self, channel: bytes) -> None:
        """From the next `on_subscribed(channel)` on, messages of the channel arrive."""
        self._channels.add(channel)
        if self._pushes.up:
            self._pushes.send(pack((b"SUBSCRIBE", channel)), None)

    def unsubscribe(self, channel: bytes) -> None:
        """Ends a subscription."""
        self._channels.discard(channel)
        if self._pushes.up:
            self._pushes.send(pack((b"UNSUBSCRIBE", channel)), None)

    def renew_pushes(self) -> None:
        """Ends the connection for subscriptions: it is made anew, and `on_subscribed` is called for each channel."""
        self._pushes.end()

    def _resubscribe(self) -> None:
        channels = list(self._channels)
        for at in range(0, len(channels), 512):
            self._pushes.send(pack((b"SUBSCRIBE", *channels[at : at + 512])), None)

    def _pushed(self, reply: Any) -> None:
        if isinstance(reply, Exception):
            return  # on a full disk even PING is refused; it is a sign of life all the same
        if reply[0] == b"message":
            self._on_push(reply[1], reply[2])
        elif reply[0] == b"subscribe" and reply[1] in self._channels:
            self._on_subscribed(reply[1])


def _ignore(reply: Any) -> None:
    pass


def is_forgotten_script(reply: Any) -> bool:
    """Whether Redis knows nothing of the script that was asked for by its name."""
    return reply.__class__ is hiredis.ReplyError and str(reply).startswith("NOSCRIPT")


def as_error(reply: Any) -> UnavailableError | None:
    """The error in a reply, if it is one; what Redis itself said goes to the log, not to the client."""
    if isinstance(reply, UnavailableError):
        return reply
    if isinstance(reply, hiredis.ReplyError):
        _complain(str(reply)[:200])
        return unavailable()
    return None


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


def _all_of(count: int) -> tuple[asyncio.Future[list[Any]], Done]:
    """A future for so many replies, in the order in which they come, and what takes them."""
    future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
    replies: list[Any] = []

    def replied(reply: Any) -> None:
        replies.append(reply)
        if len(replies) == count:
            _resolve(future, next(filter(None, map(as_error, replies)), replies))

    if not count:
        future.set_result(replies)
    return future, replied
