"""Between a link and its Redis: loses the reply of exactly the k-th command, or the command itself, or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import hiredis

from tests.support.unix_server import listening

# Said when a connection begins, by its upkeep, or on the other connection: no step of anything.
UNCOUNTED = {b"AUTH", b"SELECT", b"SCRIPT", b"PING", b"SSUBSCRIBE", b"SUNSUBSCRIBE", b"HELLO", b"CLIENT"}

_FORGOTTEN = re.compile(rb"\*3\r\n\$12\r\nsunsubscribe\r\n\$\d+\r\n[^\r]*\r\n:\d+\r\n")  # nobody is told

_pack: Any = hiredis.pack_command


class RedisProxy:
    """Passes commands on one by one.

    `lose_reply(k)`: the k-th command from now on is executed, its reply and its connection are lost. `lose_command(k)`:
    it never arrives, either. Both happen once; `lost` is then the command.
    """

    def __init__(self, target: Path, path: Path) -> None:
        self.url = f"unix://{path}"
        self.commands: list[tuple[bytes, ...]] = []  # since the last `lose_…` or `count`
        self.lost: tuple[bytes, ...] | None = None
        self._target, self._path = target, path
        self._fatal = 0
        self._executed = False
        self._open = asyncio.Event()  # cleared: nothing passes, and nobody is told
        self._open.set()
        self._pipes: set[_Pipe] = set()

    def count(self) -> None:
        """Begins to count anew, and loses nothing."""
        self._arm(0, executed=False)

    def lose_reply(self, k: int) -> None:
        self._arm(k, executed=True)

    def lose_command(self, k: int) -> None:
        self._arm(k, executed=False)

    def disarm(self) -> None:
        """From now on everything passes; `lost` says what was lost."""
        self._fatal = 0

    def hang(self) -> None:
        """Half open: connections stand and are made, nothing passes in either direction until `go_on`."""
        self._open.clear()

    def go_on(self) -> None:
        self._open.set()

    def forget(self, *channels: bytes) -> None:
        """Redis forgets these subscriptions, or all: the connections stand and answer, but messages do not come."""
        for pipe in self._pipes:
            pipe.forget(channels)

    def cut(self) -> None:
        """Ends all connections."""
        for pipe in list(self._pipes):
            pipe.cut()

    @property
    def connections(self) -> int:
        return len(self._pipes)

    def _arm(self, k: int, *, executed: bool) -> None:
        self.commands, self.lost, self._fatal, self._executed = [], None, k, executed

    def judge(self, command: tuple[bytes, ...]) -> str:
        """What becomes of a command: pass, lose_reply or lose_command."""
        if command[0].upper() in UNCOUNTED:
            return "pass"
        self.commands.append(command)
        if len(self.commands) != self._fatal:
            return "pass"
        self.lost = command
        return "lose_reply" if self._executed else "lose_command"

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(self._target))
        pipe = _Pipe(self, reader, writer, up_reader, up_writer)
        self._pipes.add(pipe)
        try:
            await pipe.run()
        finally:
            self._pipes.discard(pipe)

    @classmethod
    @asynccontextmanager
    async def to(cls, target: Path) -> AsyncIterator[RedisProxy]:
        """A proxy beside this socket."""
        path = target.with_name("proxy.sock")
        proxy = cls(target, path)
        async with listening(path, proxy._handle, end=proxy._end):
            yield proxy

    def _end(self) -> None:
        self.go_on()
        self.cut()

    async def gate(self) -> None:
        await self._open.wait()


class _Pipe:
    """One connection through the proxy."""

    def __init__(
        self,
        proxy: RedisProxy,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._up_reader, self._up_writer = up_reader, up_writer
        self._owed = 0  # replies
        self._settled = asyncio.Condition()
        self._silent = False
        self._subscribed = False

    async def run(self) -> None:
        down = asyncio.create_task(self._replies())
        try:
            with contextlib.suppress(ConnectionError):
                await self._commands()
        finally:
            down.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await down
            self.cut()

    def forget(self, channels: tuple[bytes, ...]) -> None:
        if self._subscribed:
            self._up_writer.write(_pack((b"SUNSUBSCRIBE", *channels)))

    def cut(self) -> None:
        self._writer.transport.abort()
        self._up_writer.transport.abort()

    async def _commands(self) -> None:
        parser = hiredis.Reader()
        while data := await self._reader.read(65536):
            await self._proxy.gate()
            parser.feed(data)
            while (command := parser.gets()) is not False:
                self._subscribed |= command[0] == b"SSUBSCRIBE"
                fate = self._proxy.judge(tuple(command))
                if fate != "pass":
                    await self._all_replied()
                    self._silent = True
                if fate == "lose_command":
                    return
                self._owed += 1
                self._up_writer.write(_pack(tuple(command)))
                if fate == "lose_reply":
                    await self._all_replied()
                    return

    async def _replies(self) -> None:
        parser = hiredis.Reader()
        while data := await self._up_reader.read(65536):
            await self._proxy.gate()
            if not self._silent:
                self._writer.write(_FORGOTTEN.sub(b"", data))
            parser.feed(data)
            async with self._settled:
                while parser.gets() is not False:
                    self._owed -= 1
                self._settled.notify_all()
        self.cut()

    async def _all_replied(self) -> None:
        async with self._settled:
            await self._settled.wait_for(lambda: self._owed <= 0)
