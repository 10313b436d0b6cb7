"""A server that speaks Redis' protocol badly, each time in another way, and writes down what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis

from chatserver.broker.link import Link
from chatserver.errors import UnavailableError
from tests.support.client import PATIENCE
from tests.support.link import linked
from tests.support.unix_server import listening
from tests.support.waiting import until

Command = tuple[bytes, ...]
INFO = b"role:master\r\nmaster_replid:0123456789abcdef0123456789abcdef01234567\r\n"


def bulk(value: bytes) -> bytes:
    """A string as Redis sends it."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


def array(*parts: bytes) -> bytes:
    """An array of what is packed already."""
    return b"*%d\r\n" % len(parts) + b"".join(parts)


def well_said(command: Command) -> bytes:
    """What a real one would say: enough of it for a link to come up, and ECHO."""
    match command[0].upper():
        case b"INFO":
            return bulk(INFO)
        case b"SSUBSCRIBE":
            return b"".join(array(bulk(b"ssubscribe"), bulk(channel), b":1\r\n") for channel in command[1:])
        case b"ECHO":
            return bulk(command[1])
        case b"PING":
            return b"+PONG\r\n"
        case b"TIME":
            return array(bulk(b"1790000000"), bulk(b"250000"))
    return b"+OK\r\n"


class HostileRedis:
    """Listens on a unix socket.

    `says(command)` are the bytes for a command; None, and that connection is silent for ever. `in_pieces`: every byte
    goes out on its own.
    `cut_after`: when so many more bytes have gone out, the connection is reset, and so is each that follows at its
    first byte, until `behave`.
    """

    def __init__(self, path: Path) -> None:
        self.url = f"unix://{path}"
        self.asked: list[Command] = []
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._reading = asyncio.Event()
        self.behave()

    def behave(self) -> None:
        """As it should, from now on."""
        self.says: Callable[[Command], bytes | None] = well_said
        self.in_pieces = False
        self.cut_after: int | None = None
        self._reading.set()

    def read_nothing(self) -> None:
        """What is asked stays on the connection."""
        self._reading.clear()

    def cut(self) -> None:
        """Resets all connections."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def push(self, data: bytes) -> None:
        """Says something to everybody that nobody has asked for."""
        for writer in list(self._writers):
            await self._write(writer, data)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        parser = hiredis.Reader()
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    await self._reading.wait()
                    parser.feed(data)
                    while (command := parser.gets()) is not False:
                        await self._answer(writer, tuple(command))
        finally:
            self._writers.discard(writer)
            self._silent.discard(writer)
            writer.transport.abort()

    async def _answer(self, writer: asyncio.StreamWriter, command: Command) -> None:
        self.asked.append(command)
        said = None if writer in self._silent else self.says(command)
        if said is None:
            self._silent.add(writer)
        else:
            await self._write(writer, said)

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        if writer.transport.is_closing():
            raise ConnectionResetError
        if self.cut_after is not None:
            data, whole = data[: self.cut_after], len(data)
            self.cut_after -= len(data)
            writer.write(data)
            if len(data) < whole or not self.cut_after:
                raise ConnectionResetError
        elif self.in_pieces:
            for at in range(len(data)):
                if writer.is_closing():  # it was cut meanwhile
                    raise ConnectionResetError
                writer.write(data[at : at + 1])
                await asyncio.sleep(0)
        else:
            writer.write(data)

    @classmethod
    @asynccontextmanager
    async def listening(cls, folder: Path) -> AsyncIterator[HostileRedis]:
        """One in this folder."""
        path = folder / "hostile.sock"
        redis = cls(path)
        async with listening(path, redis._handle, end=redis._end):
            yield redis

    def _end(self) -> None:
        self.behave()
        self.cut()


def only(misdeed: Callable[[Command], Any], *names: bytes) -> Callable[[Command], bytes | None]:
    """Behaves well except for these commands."""
    return lambda command: misdeed(command) if command[0].upper() in names else well_said(command)


class Answers:
    """What each of some commands was answered, as it came."""

    def __init__(self) -> None:
        self.of: dict[bytes, list[Any]] = {}
        self._came = asyncio.Event()

    def ask(self, link: Link, *words: bytes) -> None:
        """Sends ECHO with each of these."""
        for word in words:
            self.of[word] = []
            link.send((b"ECHO", word), self._take(word))

    def _take(self, word: bytes) -> Callable[[Any], None]:
        def take(reply: Any) -> None:
            self.of[word].append(reply)
            self._came.set()

        return take

    async def all(self) -> None:
        """Each was answered; once, and with its own reply or as undecided."""
        async with asyncio.timeout(PATIENCE):
            while not all(self.of.values()):
                self._came.clear()
                await self._came.wait()
        for word, replies in self.of.items():
            assert len(replies) == 1, (word, replies)
            assert replies[0] == word or isinstance(replies[0], (UnavailableError, hiredis.ReplyError)), (word, replies)

    def unavailable(self) -> set[bytes]:
        """Those that were, up to now."""
        return {word for word, replies in self.of.items() if replies and isinstance(replies[0], UnavailableError)}


@asynccontextmanager
async def surviving(redis: HostileRedis, **callbacks: Any) -> AsyncIterator[Link]:
    """A link to it, which works in the end: when it behaves."""
    async with linked(redis.url, **callbacks) as link:
        yield link
        redis.behave()
        await works(link)


async def works(link: Link) -> None:
    """It is back, and every reply is where it belongs."""
    await until(lambda: link.ready)
    words = [b"after %d" % number for number in range(20)]
    assert await link.calls([(b"ECHO", word) for word in words]) == words
