"""A private installation to measure: web nodes, a worker and the embedded Valkey in a temporary folder.

It ends only what it started, and what it started ends with it, whatever happens to us.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Self

from chatserver.bench.meter import cpu_seconds, family, rss_kib
from chatserver.bench.seats import Venue

PR_SET_PDEATHSIG = 1
START_SECONDS = 60.0
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.02

# Everything is checked as ever; only the rates are so high that a bench does not reach them, and agents keep their
# chats while nobody is connected.
SETTINGS = {
    "CHAT_CUSTOMER_RATE": "1000000/1000000",
    "CHAT_AGENT_RATE": "1000000/1000000",
    "CHAT_ADDRESS_CONNECTIONS": "1000000",
    "CHAT_ADDRESS_RATE": "1000000/1000000",
    "CHAT_AGENT_GRACE_SECONDS": "3600",
    "CHAT_DRAIN_SECONDS": "0",
    "CHAT_DEMO": "0",
}

# Members of staff in one process: starting Python is what takes the time.
_ADD_STAFF = """
import sys
from chatserver.cli import cli
for number in range(int(sys.argv[1])):
    command = ["agent", "add", f"agent{number}@bench.example", "--name", "Ann", "--department", "support"]
    cli([*command, "--password-stdin"], standalone_mode=False)
"""

_libc = ctypes.CDLL(None)


class ClusterError(Exception):
    """The installation does not start; the message has the last lines of its log."""


class Cluster:
    """Use as an async context manager."""

    def __init__(self, *, nodes: int = 2, workers: int = 1, agents: int = 1, database_url: str | None = None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chat-bench-"))
        self._ports = [_free_port() for _ in range(nodes)]
        self._password = secrets.token_urlsafe(16)
        self._agents = agents
        self._nodes: list[subprocess.Popen[bytes]] = []
        self._worker: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
        self._env = kept | SETTINGS | {"CHAT_DATA": str(self.data), "CHAT_PUBLIC_URL": self.venue.origin}
        self._env["CHAT_WORKERS"] = str(workers)
        if database_url:
            self._env["CHAT_DATABASE_URL"] = database_url

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self._folder / "data"

    @property
    def venue(self) -> Venue:
        """Where clients connect."""
        return Venue(
            [f"ws://127.0.0.1:{port}/ws" for port in self._ports],
            f"http://127.0.0.1:{self._ports[0]}",
            [(f"agent{number}@bench.example", self._password) for number in range(self._agents)],
        )

    async def __aenter__(self) -> Self:
        try:
            await asyncio.to_thread(self._add_staff)
            await self._start_nodes()
            self._worker = self._start("worker")
            await self._until(self._worker, self._worker_is_ready)  # from now on Valkey outlives the nodes
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *args: object) -> None:
        """The last one to go takes Valkey along."""
        await self._stop(*self._nodes, *([self._worker] if self._worker else []))
        shutil.rmtree(self._folder, ignore_errors=True)

    async def restart_nodes(self) -> float:
        """Fresh web nodes, without what they remember of an earlier load; the seconds from start to ready."""
        await self._stop(*self._nodes)
        return await self._start_nodes()

    # -- what it takes

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of `web`, `redis` and `worker`."""
        return {name: cpu_seconds(pids) for name, pids in self._pids().items()}

    def rss(self) -> dict[str, int]:
        """Resident KiB of the same."""
        return {name: rss_kib(pids) for name, pids in self._pids().items()}

    def _pids(self) -> dict[str, list[int]]:
        valkey = self._valkey()
        web = [pid for node in self._nodes for pid in family(node.pid) if pid != valkey]
        worker = family(self._worker.pid) if self._worker else []
        return {"web": web, "redis": [valkey] if valkey else [], "worker": [pid for pid in worker if pid != valkey]}

    def _valkey(self) -> int:
        try:
            return int((self.data / "valkey" / "valkey.pid").read_text())
        except (OSError, ValueError):
            return 0

    # -- processes

    def _add_staff(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _ADD_STAFF, str(self._agents)],
            env=self._env,
            input=f"{self._password}\n" * self._agents,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ClusterError(done.stderr[-600:])

    async def _start_nodes(self) -> float:
        begun = time.monotonic()
        self._nodes = [self._start("serve", "--no-worker", "--port", str(port)) for port in self._ports]
        for node, port in zip(self._nodes, self._ports, strict=True):
            await self._until(node, partial(_is_ready, port))
        return time.monotonic() - begun

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "servers.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "chatserver", *command],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle
                preexec_fn=_die_with_parent,
            )

    async def _worker_is_ready(self) -> bool:
        return "worker is ready" in self._log

    async def _until(self, process: subprocess.Popen[bytes], ready: Callable[[], Awaitable[bool]]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise ClusterError(self._log[-600:])
            await asyncio.sleep(LOOK_SECONDS)

    @property
    def _log(self) -> str:
        return (self._folder / "servers.log").read_text(errors="replace")

    async def _stop(self, *processes: subprocess.Popen[bytes]) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:  # noqa: ASYNC110  # processes do not set events
            await asyncio.sleep(LOOK_SECONDS)
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


async def _is_ready(port: int) -> bool:
    """What `/readyz` says."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(2):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port)
                return b" 200 " in await reader.readline()
            finally:
                writer.transport.abort()
    return False


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
