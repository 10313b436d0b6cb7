"""A Valkey of the test's own, as an operator would run one: configured, stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from redis import Redis
from redis.exceptions import BusyLoadingError, ConnectionError

from chatserver.embedded import _binary
from tests.support.server import wait_until
from tests.support.started import Started


class OwnValkey(Started):
    """Listens on a unix socket in a short folder of its own.

    Args:
        prefix: what is put in front of its command line, such as `("prlimit", …)`.
        env: its environment's additions.
        folder: where it works; by default a new folder, removed at the end.
        options: its configuration, with `_` for `-`; the defaults are what docs/operating.md asks for.
    """

    def __init__(
        self,
        *,
        prefix: tuple[str, ...] = (),
        env: dict[str, str] | None = None,
        folder: Path | None = None,
        **options: str,
    ) -> None:
        self.prefix, self.env, self.options = prefix, env or {}, options
        self._own = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="chat-valkey-"))
        self.socket = self.folder / "own.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it on what is in its folder, and waits until that is loaded."""
        assert self.process is None
        self.socket.unlink(missing_ok=True)
        defaults = {
            **{"port": "0", "unixsocket": str(self.socket), "dir": str(self.folder), "save": ""},
            **{"logfile": str(self.folder / "valkey.log"), "appendonly": "yes", "maxmemory_policy": "noeviction"},
        }
        args = [
            part for name, value in (defaults | self.options).items() for part in (f"--{name.replace('_', '-')}", value)
        ]
        self.process = subprocess.Popen(
            [*self.prefix, _binary(), *args],
            env=dict(os.environ) | self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            restore_signals=False,  # SIGXFSZ stays ignored: a limit on its files is an error for it, not its end
        )
        wait_until(self.answers, "Valkey answers")

    def answers(self) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"Valkey ended with {self.process.returncode}:\n{self.log}")
        try:
            with self.redis() as redis:
                return bool(redis.ping())
        except (ConnectionError, BusyLoadingError):
            return False

    @property
    def log(self) -> str:
        path = self.folder / "valkey.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def redis(self) -> Redis:
        """To look and to break."""
        return Redis(unix_socket_path=str(self.socket), socket_timeout=10)

    def pause(self) -> None:
        """It hangs: accepts connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill9(self) -> None:
        """Ends it without any goodbye; its folder stays."""
        assert self.process
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def stop(self) -> None:
        """Ends it in order."""
        assert self.process
        process, self.process = self.process, None
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def close(self) -> None:
        """Ends it if it runs, and removes its folder."""
        if self.process:
            self.go_on()
            self.kill9()
        if self._own:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)
