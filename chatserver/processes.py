"""The processes of `chatserver serve`: one parent that keeps, N web processes and a worker that do.

The parent binds the port, forks (imports are shared, a child is up in milliseconds), starts again what dies, and
passes SIGTERM on. A child ends at once when the parent is gone, so that a killed server leaves nothing that holds the
port.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

import structlog
import uvicorn
import uvloop

from chatserver.app import create_app
from chatserver.config import Settings
from chatserver.errors import ChatError, ConfigError
from chatserver.garbage import look_seldom
from chatserver.keys import Keys
from chatserver.web.http_protocol import HttpProtocol
from chatserver.web.uvicorn_socket import SocketProtocol
from chatserver.worker.worker import Worker

NOW = signal.SIGUSR1  # from the parent to its children: no more patience
BIND_SECONDS = 2.0  # children of a server that was killed let go of the port within moments
STOP_SECONDS = 15.0  # beside the drain: for the last answers, uvicorn's own shutdown, and the worker's last round
CLOSE_SECONDS = 0.5  # for peers to answer a close frame; a socket that is shut before may lose it
RESTART_SECONDS = 1.0
LOOK_SECONDS = 0.02

log = structlog.get_logger()


def bind(host: str, port: int) -> socket.socket:
    """The listening socket.

    Raises:
        ConfigError: the port is taken, or the address is not ours.
    """
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return _listen(host, port)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                why = (
                    "is taken by another program"
                    if exc.errno == errno.EADDRINUSE
                    else f"cannot be used: {exc.strerror}"
                )
                raise ConfigError(f"port {port} on {host} {why}; choose another with --port") from exc
            time.sleep(0.1)
        except OverflowError as exc:
            raise ConfigError(f"{port} is not a port") from exc


def bind_group(host: str, port: int, count: int) -> list[socket.socket]:
    """A listening socket for each of so many processes, all at one port: the kernel deals connections out evenly.

    Processes with one socket between them would race for each connection, and who is busy anyway wins (2:1 measured).

    Raises:
        ConfigError: the port is taken, or the address is not ours.
    """
    first = bind(host, port)
    if count == 1 or not sys.platform.startswith("linux"):  # elsewhere all connections go to one socket of a group
        return [first] * count
    with first:
        # It was bound alone: two servers that share a port in silence cannot happen. While it stands, no other does.
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return [_listen(host, first.getsockname()[1], shared=True) for _ in range(count)]


def _listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
        listener.listen(4096)
    except BaseException:
        listener.close()
        raise
    return listener


def _leave_group(listener: socket.socket) -> None:
    """Has the kernel give new connections to the others of the group, whoever has this socket open, and resets those
    that wait. The port stays ours, and `listen` brings it back. A socket without others keeps what it has.
    """
    if listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        with contextlib.suppress(OSError):  # it has left already
            listener.shutdown(socket.SHUT_RDWR)


def serve_web(
    settings: Settings, keys: Keys, redis_url: str, listener: socket.socket, ready: Callable[[], None]
) -> None:
    """Runs one web process until it is told to stop."""

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)  # listens at the end of it
            if not self.should_exit:
                look_seldom()
                ready()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ctrl-C reaches every process of the terminal: the parent hears it, too, and passes SIGTERM on.
            if sig == signal.SIGTERM:
                app.begin_drain()
                self.should_exit = True

        def hurry(self, sig: int, frame: FrameType | None) -> None:
            app.hurry()
            self.should_exit = True
            self.config.timeout_graceful_shutdown = 1

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # Ours first, while the listener is open: uvicorn would close every socket at once with 1012.
            await app.drain()
            await self._close_handshakes()
            # The parent has the socket, too: closed here only, it would go on taking connections that nobody answers.
            for server in self.servers:
                server.close()
            _leave_group(own)
            await super().shutdown(sockets)

        async def _close_handshakes(self) -> None:
            for _ in range(round(CLOSE_SECONDS / LOOK_SECONDS)):
                if not any(getattr(connection, "closing", False) for connection in self.server_state.connections):
                    return
                await asyncio.sleep(LOOK_SECONDS)

    app = create_app(settings, keys, redis_url=redis_url)
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws=partial(SocketProtocol, app.door),  # type: ignore[arg-type]  # called like a class
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies) or None,
        timeout_graceful_shutdown=5,  # without it one stuck reader holds the process for ever
    )
    server = Server(config)
    signal.signal(NOW, server.hurry)
    with listener.dup() as own:  # uvicorn closes the one it gets
        server.run(sockets=[listener])
    if not server.started:
        sys.exit(1)


def run_worker(
    settings: Settings,
    keys: Keys,
    redis_url: str,
    ready: Callable[[], None],
    *,
    signals: tuple[int, ...] = (signal.SIGTERM, signal.SIGINT),
    lease_token: str | None = None,
) -> None:
    """Runs the worker until one of the signals comes; `lease_token` is that of the one in whose place it comes."""

    async def work() -> None:
        stop = asyncio.Event()
        for number in signals:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        ready()
        await Worker(settings, keys, redis_url=redis_url, lease_token=lease_token).run(stop)

    look_seldom()
    uvloop.run(work())


@dataclass
class _Child:
    name: str
    run: Callable[[Callable[[], None]], None]
    last: bool
    listener: socket.socket | None
    pid: int = 0  # while there is none
    started_at: float = 0.0
    ready: bool = False
    has_worked: bool = False


@dataclass
class Processes:
    """The children of one parent."""

    stop_seconds: float = STOP_SECONDS
    children: list[_Child] = field(default_factory=list)
    _told_to_stop: int = 0  # how often

    def __post_init__(self) -> None:
        self._life_read, self._life_write = os.pipe()  # the write end is open as long as the parent lives
        self._ready_read, self._ready_write = os.pipe()

    def add(
        self,
        name: str,
        run: Callable[[Callable[[], None]], None],
        *,
        last: bool = False,
        listener: socket.socket | None = None,
    ) -> None:
        """A child to run; `run(ready)` calls `ready` when it works. One that is `last` goes when the others have. Of
        the listeners, which stay open here, it gets its own.
        """
        self.children.append(_Child(name, run, last, listener))

    def run(self, *, on_ready: Callable[[], None], each_second: Callable[[], None]) -> int:
        """Starts the children and looks after them until SIGTERM or SIGINT; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for child in self.children:
            self._start(child)
        told = False
        os.set_blocking(self._ready_read, False)
        while not self._told_to_stop:
            self._hear()
            if not self._look_after_all():
                self._end_all()
                return 1
            if not told and all(child.ready for child in self.children):
                told = True
                on_ready()
            time.sleep(0.05 if not told else 0.2)
            each_second()
        self._end_all()
        return 0

    def _stop(self, number: int, frame: object) -> None:
        self._told_to_stop += 1

    def _hear(self) -> None:
        """Who says to be ready."""
        with contextlib.suppress(BlockingIOError):
            for byte in os.read(self._ready_read, 4096):
                self.children[byte].ready = self.children[byte].has_worked = True

    def _start(self, child: _Child) -> None:
        index = self.children.index(child)
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            child.pid, child.started_at = pid, time.monotonic()
            return
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's business
            signal.signal(NOW, signal.SIG_IGN)
            os.close(self._life_write)
            for other in self.children:
                if other.listener is not child.listener and other.listener:
                    other.listener.close()
            _end_with(self._life_read)
            child.run(lambda: _tell(self._ready_write, index))
            code = 0
        except ChatError as error:
            print(f"chatserver: {error.message}", file=sys.stderr)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            log.exception("process.failed", name=child.name)
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _look_after_all(self) -> bool:
        """Starts again what has died; False when one has that never worked."""
        for child in self.children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                if not child.has_worked:  # the reason is on stderr
                    child.pid = 0
                    return False
                log.error("process.died", name=child.name)
                # What comes meanwhile waits for the next process; not for one after the next.
                if child.listener and not child.ready:
                    _leave_group(child.listener)
                child.pid, child.ready = 0, False
            if not child.pid and time.monotonic() >= child.started_at + RESTART_SECONDS:
                self._start(child)
        return True

    def _end_all(self) -> None:
        """SIGTERM for the web processes, then, when nothing new can come, the worker; a second signal to us: now."""
        deadline = time.monotonic() + self.stop_seconds
        alive: list[_Child] = []
        for last in (False, True):
            alive += [child for child in self.children if child.pid and child.last == last]
            for child in alive:
                os.kill(child.pid, signal.SIGTERM)
            hurried = False
            while alive and time.monotonic() < deadline:
                if self._told_to_stop > 1 and not hurried:
                    hurried = True
                    for child in alive:
                        os.kill(child.pid, NOW)
                alive = [child for child in alive if not _has_ended(child)]
                time.sleep(LOOK_SECONDS)
        for child in alive:
            os.kill(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)


def _has_ended(child: _Child) -> bool:
    if not os.waitpid(child.pid, os.WNOHANG)[0]:
        return False
    if child.listener:
        child.listener.close()  # it was the last to have it: nobody waits there for an answer
    return True


def _tell(descriptor: int, index: int) -> None:
    os.write(descriptor, bytes([index]))


def _end_with(descriptor: int) -> None:
    """Ends this process at once when the parent is gone: what a kill -9 of the parent would have done."""

    def wait() -> None:
        os.read(descriptor, 1)
        os._exit(1)

    threading.Thread(target=wait, name="parent watch", daemon=True).start()
