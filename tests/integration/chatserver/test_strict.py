"""`CHAT_STRICT`: what was acknowledged is on the disk, so that not even `kill -9` of Valkey takes it back."""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from chatserver.broker.link import Link
from chatserver.embedded import EmbeddedValkey
from chatserver.errors import ConfigError, UnavailableError
from chatserver.preflight import check_redis
from tests.support.client import PATIENCE, Refused, Socket
from tests.support.log import assert_one_order, whole_log
from tests.support.people import People, open_chat
from tests.support.server import RunningServer, wait_until
from tests.support.valkey import OwnValkey
from tests.support.waiting import until

KILLS = 5
WRITERS = 8


JOIN_AND_DIE = """
import os, signal, sys
from pathlib import Path
from chatserver.embedded import EmbeddedValkey
EmbeddedValkey(Path(sys.argv[1]), strict=sys.argv[2] == "1").join()
os.kill(os.getpid(), signal.SIGKILL)
"""


def appendfsync(valkey: EmbeddedValkey) -> str:
    with Redis(unix_socket_path=str(valkey.socket), socket_timeout=5) as redis:
        found: str = redis.config_get("appendfsync")["appendfsync"]
        return found


# -- the private Valkey


@pytest.fixture
def data() -> Iterator[Path]:
    """A short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="chat-strict-") as name:
        yield Path(name)


def test_private_valkey_is_as_strict_as_its_users(data: Path) -> None:
    lax, strict, other = EmbeddedValkey(data), EmbeddedValkey(data, strict=True), EmbeddedValkey(data)
    lax.join()
    assert appendfsync(lax) == "everysec"
    strict.join()
    assert appendfsync(lax) == "always"
    other.join()
    assert appendfsync(lax) == "always"  # somebody counts on it
    for user in (other, strict, lax):
        user.leave()


def test_private_valkey_that_was_left_behind_is_set_anew(data: Path) -> None:
    """A killed server leaves its Valkey behind; the next one may have other settings."""
    for strict, found in ((True, "always"), (False, "everysec"), (True, "always")):
        command = [sys.executable, "-c", JOIN_AND_DIE, str(data), str(int(strict))]
        assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
        assert appendfsync(EmbeddedValkey(data)) == found
    last = EmbeddedValkey(data, strict=True)
    last.join()
    last.leave()
    assert not last.socket.exists()


# -- the operator's own


def test_own_redis_that_is_not_strict_is_refused() -> None:
    with OwnValkey() as own, own.redis() as redis:
        check_redis(own.url)
        with pytest.raises(ConfigError, match="set `appendfsync always` in Redis"):
            check_redis(own.url, strict=True)
        redis.config_set("appendfsync", "always")
        check_redis(own.url, strict=True)
        redis.config_set("no-appendfsync-on-rewrite", "yes")
        with pytest.raises(ConfigError, match="set `no-appendfsync-on-rewrite no` in Redis"):
            check_redis(own.url, strict=True)


def test_own_redis_that_does_not_tell_is_refused() -> None:
    with OwnValkey(appendfsync="always") as own, own.redis() as redis:
        redis.execute_command("ACL", "SETUSER", "chat", "on", ">secret", "~chat:*", "&chat:*", "+@all", "-config")
        url = f"unix://chat:secret@{own.socket}"
        check_redis(url)
        with pytest.raises(ConfigError, match="CONFIG GET") as caught:
            check_redis(url, strict=True)
        assert "secret" not in caught.value.message
        redis.execute_command("ACL", "SETUSER", "chat", "+config|get")
        check_redis(url, strict=True)


@pytest.mark.anyio
async def test_own_redis_that_came_back_without_it_is_not_used() -> None:
    """It was started again with another configuration than the one that was checked."""
    with OwnValkey(appendfsync="always") as own:
        link = Link(own.url, on_push=lambda *_: None, on_subscribed=lambda _: None, strict=True)
        await link.start()
        try:
            assert link.ready
            own.stop()
            own.options["appendfsync"] = "everysec"
            own.start()
            with capture_logs() as logs, pytest.raises(TimeoutError):
                async with asyncio.timeout(3):
                    await until_answered(link)
            assert {line["why"] for line in logs if line["event"] == "redis.not_yet"} >= {
                "CHAT_STRICT needs `appendfsync always`"
            }
            with own.redis() as redis:
                redis.config_set("appendfsync", "always")
            async with asyncio.timeout(PATIENCE):
                await until_answered(link)
        finally:
            await link.stop()


async def until_answered(link: Link) -> None:
    while True:
        try:
            await link.call(b"SET", b"some", b"thing")
        except UnavailableError:
            await asyncio.sleep(0.02)
        else:
            return


# -- what it is for


@pytest.fixture(scope="module")
def strict_server() -> Iterator[RunningServer]:
    """Without a worker: nothing comes back from SQL."""
    with RunningServer("--no-worker", env={"CHAT_STRICT": "1"}) as running:
        yield running


@pytest.fixture
async def people(strict_server: RunningServer) -> AsyncIterator[People]:
    async with People(strict_server) as everybody:
        yield everybody


@dataclass
class Writer:
    """Somebody who says one thing after the other, each until it is acknowledged, as long as there is an answer."""

    socket: Socket
    ticket: int
    acks: list[dict[str, Any]] = field(default_factory=list)

    async def write(self) -> None:
        try:
            while True:
                n = len(self.acks) + 2
                self.acks.append(await self.socket.call("post_message", ticket=self.ticket, n=n, text=f"Message {n}"))
        except Refused as refused:
            if refused.code != "unavailable":
                raise

    async def has_said(self, enough: int) -> None:
        """Waits until this much is acknowledged."""
        await until(lambda: len(self.acks) >= enough)


@pytest.mark.anyio
async def test_killed_valkey_has_everything_that_was_acknowledged(people: People, strict_server: RunningServer) -> None:
    """By entry id, which only the first execution gives: what a sender has to send again does not count as kept."""
    sockets = [await people.customer() for _ in range(WRITERS)]
    told: list[Writer] = []
    for _ in range(KILLS):
        wait_until(strict_server.is_ready, "Redis is back")
        writers = [Writer(socket, (await open_chat(socket))["ticket"]) for socket in sockets]
        async with asyncio.TaskGroup() as group:
            for writer in writers:
                group.create_task(writer.write())
            await asyncio.gather(*(writer.has_said(20) for writer in writers))
            strict_server.kill9_valkey()
        for writer in writers:
            await writer.socket.call("detach", ticket=writer.ticket)
        told += writers
    wait_until(strict_server.is_ready, "Redis is back")
    with strict_server.redis() as redis:
        assert redis.config_get("appendfsync") == {"appendfsync": "always"}  # also when it was started again
    for writer in told:
        assert_one_order(await whole_log(writer.socket, writer.ticket), *writer.acks)
