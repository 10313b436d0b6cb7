"""One process of the cluster: started, stopped, paused, killed. It ends with us, whatever happens to us."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.server import alive, clean_environment

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 60.0
START_SECONDS = 60.0

_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A command that may run many times, always with the same arguments and one log."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str], cwd: Path) -> None:
        self.name, self.command, self.log, self.env, self.cwd = name, command, log, dict(env), cwd
        self.paused = False
        self.wanted = False  # a supervisor would start it again
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running, f"{self.name} does not run"
        return self._running.pid

    @property
    def running(self) -> bool:
        return self._running is not None and self._running.poll() is None

    def start(self) -> None:
        """Starts it; says nothing of when it is ready."""
        assert not self.running
        self.wanted = True
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [str(part) for part in self.command],
                env=clean_environment(**self.env),
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle
                preexec_fn=_die_with_parent,
            )

    def children(self) -> list[int]:
        """Those that run now."""
        with contextlib.suppress(OSError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    async def stop(self) -> int:
        """SIGTERM, as an operator would; the exit code."""
        self.resume()
        self.wanted = False
        self._signal(signal.SIGTERM)
        await until(lambda: not self.running, f"{self.name} ends", STOP_SECONDS)
        assert self._running
        return self._running.returncode

    async def kill(self) -> None:
        """SIGKILL, and until its children have followed."""
        self.wanted = False
        children = self.children() if self.running else []
        self._signal(signal.SIGKILL)
        await until(lambda: not self.running and not any(map(alive, children)), f"{self.name} is gone")
        self.paused = False

    def pause(self) -> None:
        """SIGSTOP for it and its children."""
        self.paused = True
        for pid in (self.pid, *self.children()):
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        if self.running and self.paused:
            for pid in (*self.children(), self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
        self.paused = False

    def end(self) -> None:
        """At once, without waiting for anything."""
        if self.running:
            self._signal(signal.SIGKILL)
            assert self._running
            self._running.wait()

    def _signal(self, number: int) -> None:
        if self.running:
            os.kill(self.pid, number)


async def until(condition: Callable[[], bool], what: str, patience: float = START_SECONDS) -> None:
    """Waits for something that is due.

    Raises:
        TimeoutError: it did not come.
    """
    try:
        async with asyncio.timeout(patience):
            while not condition():  # noqa: ASYNC110  # processes do not set events
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise TimeoutError(f"not within {patience} s: {what}") from None
