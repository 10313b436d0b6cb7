"""Commands whose reply somebody waits for, on top of those that call back."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import hiredis
import structlog

from chatserver.broker.breaker import unavailable
from chatserver.broker.wire import Done
from chatserver.errors import UnavailableError

COMPLAIN_SECONDS = 10.0
# Gently: Redis hears nobody else until it has been through a pipeline, and what it publishes meanwhile comes to the
# nodes in one piece. With all marks of a round at once, 1 % of the messages waited for over 4.2 ms, so for 2.7 (2,000
# a second, 100 chats, one core for all; medians of five rounds of 6 s in turn, at the same CPU).
PIECE = 8
MOST_PIECES = 32
REST_SECONDS = 0.001
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

    async def calls(self, commands: Sequence[Command], *, gently: bool = False) -> list[Any]:
        """Sends commands that do not depend on each other, in one go, and waits for all replies, in the order of the
        commands. One future for all: a task for each would cost more than the command.

        Args:
            commands: which.
            gently: in pieces with a rest in between, so that who is in a hurry comes first.

        Raises:
            UnavailableError: as `call`, for any of them; the others may have been done.
        """
        replies = _Replies(len(commands))
        async for place in _paced(len(commands), gently=gently):
            self.send(commands[place], partial(replies.take, place))
        return _whole(await replies.all)

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

    async def scripts(
        self, name: str, each: Sequence[tuple[Sequence[bytes], Command]], *, gently: bool = False
    ) -> list[Any]:
        """Runs a script several times, with these (keys, args), and waits for all replies, in that order; `gently` as
        in `calls`.

        Raises:
            UnavailableError: as `calls`.
        """
        replies = _Replies(len(each))
        async for place in _paced(len(each), gently=gently):
            keys, args = each[place]
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


async def _paced(count: int, *, gently: bool) -> AsyncIterator[int]:
    piece = max(PIECE, -(-count // MOST_PIECES)) if gently else count
    for place in range(count):
        if place and place % piece == 0:
            await asyncio.sleep(REST_SECONDS)
        yield place


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
