"""The fault proxy, between a client and a server that echoes lines."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.chaos.proxy import Fault, Proxy

pytestmark = pytest.mark.anyio


@dataclass
class Echo:
    """Answers each line with itself, and keeps what it got."""

    port: int = 0
    got: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while line := await reader.readline():
                self.got.append(line)
                self.came.set()
                writer.write(line)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def echoing() -> AsyncIterator[tuple[Proxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    proxy = await Proxy("test", rng=random.Random(1)).start(lambda: [echo.port])
    try:
        yield proxy, echo
    finally:
        await proxy.close()
        server.close()
        for writer in echo.writers:
            writer.close()
        for writer in echo.writers:
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        await asyncio.sleep(0.02)  # the transports let go of their sockets one loop turn later


async def ask(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"hello\n")
    assert await asyncio.wait_for(reader.readline(), 10) == b"hello\n"
    return reader, writer


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 10) == b""
    except ConnectionError:
        return True


async def test_it_forwards_both_ways_and_the_end() -> None:
    async with echoing() as (proxy, echo):
        reader, writer = await ask(proxy)
        lines = [b"%d " % number + b"x" * 50_000 + b"\n" for number in range(40)]
        writer.writelines(lines)
        assert [await asyncio.wait_for(reader.readline(), 10) for _ in lines] == lines
        assert echo.got[1:] == lines
        echo.writers[0].close()
        assert await ended(reader)
        writer.close()


async def test_it_cuts() -> None:
    async with echoing() as (proxy, _):
        reader, writer = await ask(proxy)
        assert proxy.cut() == 1
        assert await ended(reader)
        writer.close()
        assert not proxy.links


async def test_it_cuts_before_the_reply() -> None:
    async with echoing() as (proxy, echo):
        reader, writer = await ask(proxy)
        proxy.strike(Fault.MUTE)
        writer.write(b"pay 100\n")
        assert await ended(reader)
        assert echo.got == [b"hello\n", b"pay 100\n"]  # it has happened, and nobody knows
        writer.close()


async def test_it_delays_in_order() -> None:
    async with echoing() as (proxy, _):
        reader, writer = await ask(proxy)
        proxy.strike(Fault.DELAY, seconds=0.1)
        began = time.monotonic()
        writer.write(b"one\n")
        assert await asyncio.wait_for(reader.readline(), 10) == b"one\n"
        assert time.monotonic() - began >= 0.2
        writer.write(b"two\n")
        await asyncio.sleep(0.01)
        proxy.recover()
        writer.write(b"three\n")
        assert [await asyncio.wait_for(reader.readline(), 10) for _ in range(2)] == [b"two\n", b"three\n"]
        writer.close()


async def test_half_open_says_nothing_and_resets_at_the_end() -> None:
    async with echoing() as (proxy, echo):
        reader, writer = await ask(proxy)
        proxy.strike(Fault.HALF_OPEN)
        writer.write(b"anybody?\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        assert echo.got == [b"hello\n"]
        late_reader, late_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        late_writer.write(b"me too\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late_reader.read(1), 0.2)
        proxy.recover()
        assert await ended(reader)
        assert await ended(late_reader)
        writer.close()
        late_writer.close()


async def test_a_slow_reader_gets_byte_by_byte_and_all_in_the_end() -> None:
    async with echoing() as (proxy, echo):
        reader, writer = await ask(proxy)
        proxy.strike(Fault.SLOW)
        writer.write(b"quickly\n")
        await asyncio.wait_for(reader.readexactly(1), 10)
        assert len(echo.got) == 2
        assert len(await asyncio.wait_for(reader.read(100), 10)) == 1
        proxy.recover()
        assert await asyncio.wait_for(reader.readline(), 10) == b"ickly\n"
        writer.close()


async def test_it_tries_the_next_target() -> None:
    async with echoing() as (proxy, echo):
        proxy.targets = lambda: [1, echo.port]
        _, writer = await ask(proxy)
        assert next(iter(proxy.links)).target == echo.port
        writer.close()


async def test_it_resets_when_no_target_is_there() -> None:
    async with echoing() as (proxy, _):
        proxy.targets = lambda: [1]
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ended(reader)
        writer.close()


async def test_a_share_of_the_links_is_struck() -> None:
    async with echoing() as (proxy, _):
        people = [await ask(proxy) for _ in range(40)]
        assert 5 < proxy.cut(share=0.5) < 35
        for _, writer in people:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
