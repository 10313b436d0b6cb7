"""Commands whose reply somebody waits for, on top of those that call back."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

import hiredis
import structlog

from chatserver.broker.breaker import unavailable
from chatserver.broker.wire import Done
from chatserver.errors import UnavailableError

COMPLAIN_SECONDS = 10.0
# A Cluster is moving what was asked for; whoever asks again, finds it.
_MOVING = ("MOVED", "ASK", "TRYAGAIN")

Command = Sequence[bytes | str | int]

log = structlog.get_logger()


class Asking(ABC):
    """What is to be had from something that sends commands and runs scripts.

    Raises (all coroutines):
        UnavailableError: no connection, no reply, or Redis refused.
    """

    @abstractmethod
    def send(self, args: Command, done: Done | None = None) -> None:
        """Sends one command; `done(reply)` is called later, with an exception as reply when it failed."""

    @abstractmethod
    def run(self, name: str, keys: Sequence[bytes], args: Command, done: Done) -> None:
        """Runs a script; `done` as with `send`."""

    async def call(self, *args: bytes | str | int) -> Any:
        """Sends one command and waits for its reply."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.send(args, partial(_resolve, future))
        return await future

    async def calls(self, commands: Sequence[Command]) -> list[Any]:
        """Sends commands that do not depend on each other, in one go, and waits for all replies, in the order of the
        commands. One future for all: a task for each would cost more than the command.

        Raises:
            UnavailableError: as `call`, for any of them; the others may have been done.
        """
        return _whole(await self.tries(commands))

    async def tries(self, commands: Sequence[Command]) -> list[Any]:
        """As `calls`; in the place of a reply that did not come there is its error."""
        replies = _Replies(len(commands))
        for place, command in enumerate(commands):
            self.send(command, partial(replies.take, place))
        return await replies.all

    async def script(self, name: str, keys: Sequence[bytes], args: Command) -> Any:
        """Runs a script and waits for its reply."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.run(name, keys, args, partial(_resolve, future))
        return await future

    async def scripts(self, name: str, each: Sequence[tuple[Sequence[bytes], Command]]) -> list[Any]:
        """Runs a script several times, with these (keys, args), and waits for all replies, in that order.

        Raises:
            UnavailableError: as `calls`.
        """
        replies = _Replies(len(each))
        for place, (keys, args) in enumerate(each):
            self.run(name, keys, args, partial(replies.take, place))
        return _whole(await replies.all)


class _Replies:
    """Those of several commands, in their order, however they come."""

    def __init__(self, count: int) -> None:
        self.all: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._found: list[Any] = [None] * count
        self._left = count
        if not count:
            self.all.set_result([])

    def take(self, place: int, reply: Any) -> None:
        self._found[place] = as_error(reply) or reply
        self._left -= 1
        if not self._left and not self.all.done():
            self.all.set_result(self._found)


def _whole(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, UnavailableError):
            raise reply
    return replies


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
    if kind not in _MOVING and now - _complained.get(kind, -COMPLAIN_SECONDS) >= COMPLAIN_SECONDS:
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
