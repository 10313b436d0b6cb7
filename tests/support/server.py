"""The real server as a process of its own: started, stopped, killed, and started again on the same folder and port."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
from redis import Redis

from chatserver.cli.common import database
from chatserver.config import Settings
from chatserver.stores.directory import Directory, NewAgent
from tests.support.client import PATIENCE
from tests.support.outside import run_outside
from tests.support.ports import free_port
from tests.support.started import Started

PASSWORD = "correct horse battery"
FAST = {"CHAT_CUSTOMER_RATE": "10000/10000", "CHAT_AGENT_RATE": "10000/10000"}


def clean_environment(**more: str) -> dict[str, str]:
    """Ours without any setting of the chat server, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHAT_")}
    return kept | more


def chatserver(
    *args: str | Path, env: dict[str, str] | None = None, stdin: str = "", timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs one command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "chatserver", *map(str, args)],
        env=clean_environment(**(env or {})),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Waits for something that is due, looking often."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {what}")
        time.sleep(0.02)


def until_gone(*pids: int) -> None:
    """Waits until these processes have ended; they need not be children of ours."""
    for pid in pids:
        try:
            ends = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            waiting = select.poll()
            waiting.register(ends, select.POLLIN)
            assert waiting.poll(PATIENCE * 1000), f"not within {PATIENCE} s: process {pid} ends"
        finally:
            os.close(ends)


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def make_agents(
    data: Path, agents: Sequence[tuple[str, str, str, Sequence[str]]], env: dict[str, str] | None = None
) -> None:
    """Adds members of staff (email, name, role, departments) as `chatserver agent add` does, but in this process: to
    start Python and import everything takes longer than all the rest.
    """
    run_outside(_add_agents(Settings.from_env(env or {}).with_options(data=data), agents))


async def _add_agents(settings: Settings, agents: Sequence[tuple[str, str, str, Sequence[str]]]) -> None:
    async with database(settings, create=True) as engine:
        directory = Directory(engine)
        for email, name, role, departments in agents:
            await directory.add_agent(NewAgent(email, name, role, tuple(departments), PASSWORD))


def make_agent(data: Path, email: str, name: str, *, role: str = "agent", departments: Sequence[str] = ()) -> None:
    """Adds one member of staff."""
    make_agents(data, [(email, name, role, departments)])


def found(server: RunningServer, query: str) -> list[int]:
    """The tickets that a search of the record finds."""
    searched = server.command("transcripts", "search", "--json", query)
    return [json.loads(line)["ticket"] for line in searched.stdout.splitlines()]


class RunningServer(Started):
    """`chatserver serve` on a folder of its own."""

    program: tuple[str, ...] = ("chatserver", "serve")

    def __init__(self, *options: str, env: dict[str, str] | None = None, beside: RunningServer | None = None) -> None:
        """With `beside`, another node of the same installation: on its data folder, at a port of its own."""
        self.options, self.env = options, FAST | (env or {})
        # Not pytest's folder: its long name would move the socket of the embedded Valkey elsewhere.
        self.folder = Path(tempfile.mkdtemp(prefix="chat-test-"))
        self.data = beside.data if beside else self.folder / "data"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._log, self._said = self.folder / "stderr.log", self.folder / "stdout.log"

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has written to stderr, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def setup_secret(self) -> str:
        """The secret of the first admin's link, as printed by the last start."""
        return re.findall(r"#setup=(\S+)", self._said.read_text())[-1]

    def start(self) -> None:
        """Starts it and waits until it is ready, always on the same port."""
        assert self.process is None
        said = len(self._said.read_bytes()) if self._said.exists() else 0
        with self._log.open("ab") as log, self._said.open("ab") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", *self.program, "--data", str(self.data)),
                    *("--port", str(self.port), *self.options),
                ],
                env=clean_environment(**self.env, PYTHONUNBUFFERED="1"),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
            )
        wait_until(lambda: self._says_ready(said), "the server is ready")

    def _says_ready(self, since: int) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log}")
        found = re.search(rb"is ready\.[\s\S]*Console +http://127\.0\.0\.1:(\d+)/", self._said.read_bytes()[since:])
        if not found:
            return False
        self.port = int(found[1])
        return self.is_ready()

    def is_ready(self) -> bool:
        """What `/readyz` says."""
        try:
            return httpx.get(f"{self.base}/readyz", timeout=5, verify=False).status_code == 200
        except httpx.HTTPError:
            return False

    def tell(self, number: int) -> None:
        """Sends a signal to the parent, and does not wait."""
        assert self.process
        self.process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end after a signal; the exit code."""
        assert self.process
        process, self.process = self.process, None
        return process.wait(60)

    def stop(self) -> int:
        """SIGTERM, as an operator would; the exit code."""
        assert self.process
        process, self.process = self.process, None
        process.send_signal(signal.SIGCONT)  # a test may have paused it
        process.terminate()
        try:
            return process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def kill9(self) -> None:
        """SIGKILL for the parent, and waits until its children have followed. The embedded Valkey stays behind."""
        assert self.process
        children = self.children()
        process, self.process = self.process, None
        process.kill()
        process.wait()
        until_gone(*children)  # they end with their parent

    def children(self) -> list[int]:
        """The web processes and the worker."""
        assert self.process
        pid = self.process.pid
        started = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return [child for child in started if child != self.valkey_pid()]

    def redis(self) -> Redis:
        """The embedded Valkey, to look and to break."""
        return Redis(unix_socket_path=str(self.data / "valkey" / "valkey.sock"), socket_timeout=PATIENCE)

    def valkey_pid(self) -> int:
        return int((self.data / "valkey" / "valkey.pid").read_text())

    def save_valkey(self) -> None:
        """Waits until all that Valkey has answered is on the disk; with `everysec` some may still be on its way."""
        with self.redis() as redis:
            redis.set("chat:test:saved", 1)
            assert redis.execute_command("WAITAOF", 1, 0, int(PATIENCE * 500))[0] == 1

    def pause(self) -> None:
        """Stops the parent, so that it starts nothing again until `go_on`."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def kill9_valkey(self) -> None:
        """SIGKILL for the embedded Valkey alone."""
        pid = self.valkey_pid()
        os.kill(pid, signal.SIGKILL)
        until_gone(pid)

    def command(self, *args: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs a command on the same data folder, with the same settings."""
        return chatserver(*args, "--data", self.data, env=self.env, stdin=stdin)

    def close(self) -> None:
        """Ends everything and removes the folder."""
        try:
            if self.process:
                self.stop()
        finally:
            self._end_valkey()
            shutil.rmtree(self.folder, ignore_errors=True)

    def _end_valkey(self) -> None:
        """A killed server leaves it behind for the next one; the last test does not."""
        with contextlib.suppress(OSError, ValueError):
            pid = self.valkey_pid()
            if str(self.folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
                until_gone(pid)
