"""The whole installation as real processes: nodes, workers, Valkey with a replica, one SQLite, and proxies in between.

Clients reach the nodes through `balancer`; every node, and the workers, reach Redis through a proxy of their own, which
is also the address that moves at a failover.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.chaos.process import Process, until
from tests.chaos.proxy import Proxy
from tests.chaos.valkey import Valkey
from tests.support.ports import free_port
from tests.support.server import make_agents

RATES = {"CHAT_CUSTOMER_RATE": "100000/100000", "CHAT_AGENT_RATE": "100000/100000"}
SHORTENED = {"CHAT_NODE_LEASE_SECONDS": "4", "CHAT_AGENT_GRACE_SECONDS": "4", "CHAT_DRAIN_SECONDS": "3"}
HEALTH_SECONDS = 0.5
DISK_BYTES = 1 << 30


@dataclass
class Node:
    """A web process with its port and its way to Redis."""

    process: Process
    port: int
    redis: Proxy
    healthy: bool = False
    struck: asyncio.Lock = field(default_factory=asyncio.Lock)  # held by who stops, kills or restarts it

    async def is_ready(self, seconds: float = 2.0) -> bool:
        """What `/readyz` says."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(seconds):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % self.port)
                    return b" 200 " in await reader.readline()
                finally:
                    writer.transport.abort()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        return False


@dataclass
class Cluster:
    """Use as an async context manager: whatever happens, nothing is left behind."""

    strict: bool = False
    node_count: int = 3
    worker_count: int = 2
    agents: int = 10
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    tree: Path | None = None  # another copy of the server's code, for broken ones
    env: dict[str, str] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)
    valkeys: list[Valkey] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-"))
        self.data = self.folder / "data"
        self._health: asyncio.Task[None] | None = None
        self._mounted = self._mount()
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, *args: object) -> None:
        await self._end()

    # -- start and end

    async def _start(self) -> None:
        self.master = Valkey("valkey-1", self.folder, strict=self.strict)
        self.replica = Valkey("valkey-2", self.folder, strict=self.strict, master=self.master)
        self.valkeys = [self.master, self.replica]
        await asyncio.gather(*(one.run() for one in self.valkeys))
        emails = [
            (f"agent{number}@shop.example", f"Agent {number}", "agent", ("support",)) for number in range(self.agents)
        ]
        await asyncio.to_thread(make_agents, self.data, emails)
        self.balancer = await Proxy("clients", rng=self.rng).start(self._targets)
        env = SHORTENED | RATES | self.env | {"CHAT_DATA": str(self.data), "CHAT_LOG_JSON": "1", "CHAT_DEMO": "0"}
        env |= {"CHAT_PUBLIC_URL": f"http://127.0.0.1:{self.balancer.port}", "PYTHONUNBUFFERED": "1"}
        env |= {"CHAT_STRICT": "1"} if self.strict else {}
        env |= {"PYTHONPATH": str(self.tree)} if self.tree else {}
        self.worker_redis = await Proxy("worker-redis", rng=self.rng).start(lambda: [self.master.port])
        worker_env = env | {"CHAT_REDIS_URL": f"redis://127.0.0.1:{self.worker_redis.port}/0"}
        for number in range(self.node_count):
            redis = await Proxy(f"node-{number}-redis", rng=self.rng).start(lambda: [self.master.port])
            port = free_port()
            node_env = env | {"CHAT_REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
            options = ("serve", "--no-worker", "--port", str(port))
            self.nodes.append(Node(self._chatserver(f"node-{number}", node_env, *options), port, redis))
        for number in range(self.worker_count):
            self.workers.append(self._chatserver(f"worker-{number}", worker_env, "worker"))
        for process in self.processes:
            process.start()
        self._health = asyncio.create_task(self._watch_health())
        await until(lambda: all(node.healthy for node in self.nodes), "all nodes are ready")

    def _chatserver(self, name: str, env: dict[str, str], *command: str) -> Process:
        # -P: the current folder does not count, so that another tree can come first
        arguments = [sys.executable, "-P", "-m", "chatserver", *command]
        return Process(name, arguments, self.folder / f"{name}.log", env, self.folder)

    async def _end(self) -> None:
        if self._health:
            self._health.cancel()
        for process in [*self.processes, *self.valkeys]:
            process.end()
        for proxy in self.proxies:
            await proxy.close()
        if self._mounted:
            self._unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _mount(self) -> bool:
        """A small disk for the data folder, so that it can be filled; needs to be root."""
        self.data.mkdir(mode=0o700)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "chaos", str(self.data)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def _unmount(self) -> None:
        subprocess.run(["umount", "--lazy", self.data], check=False)

    @property
    def disk_can_be_filled(self) -> bool:
        """Whether the data folder is on a disk of its own."""
        return self._mounted

    @property
    def processes(self) -> list[Process]:
        """The nodes' and the workers'."""
        return [*(node.process for node in self.nodes), *self.workers]

    @property
    def proxies(self) -> list[Proxy]:
        """All of them, as far as they are there."""
        found = [getattr(self, name, None) for name in ("balancer", "worker_redis")]
        return [proxy for proxy in found if proxy] + [node.redis for node in self.nodes]

    @property
    def redis_proxies(self) -> list[Proxy]:
        """The ways to Redis."""
        return [*(node.redis for node in self.nodes), self.worker_redis]

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.balancer.port}/ws"

    # -- the load balancer's health checks, and the supervisor

    def _targets(self) -> list[int]:
        ports = [node.port for node in self.nodes if node.healthy] or [node.port for node in self.nodes]
        self.rng.shuffle(ports)
        return ports

    async def _watch_health(self) -> None:
        while True:
            for node, ready in zip(
                self.nodes, await asyncio.gather(*(node.is_ready() for node in self.nodes)), strict=True
            ):
                node.healthy = ready
            for process in self.processes:  # one that started while Redis or SQL was away has said so, and ended
                if process.wanted and not process.running:
                    process.start()
            await asyncio.sleep(HEALTH_SECONDS)

    # -- changes

    async def start_node(self, node: Node) -> None:
        """Starts it again, and waits until it is ready."""
        node.process.start()
        await until(lambda: node.healthy, f"{node.process.name} is ready")

    async def fail_over(self) -> None:
        """The replica becomes the master, with what it has; the proxies lead to it from now on."""
        self.master, self.replica = self.replica, self.master
        self.master.lead()
        for proxy in self.redis_proxies:
            proxy.cut()

    def logs(self) -> dict[str, str]:
        """What everybody said, by name of the process."""
        return {path.name: path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log"))}
