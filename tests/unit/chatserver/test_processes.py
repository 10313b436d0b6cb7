"""The parent of the web processes: the sockets it binds, and what it does with one whose process does not start."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatserver import processes
from chatserver.errors import ConfigError
from chatserver.processes import bind, bind_group
from tests.support.listeners import connect, listeners
from tests.support.ports import HOST, free_port
from tests.support.server import wait_until

# Two web processes that accept; the first of them works once, and never again.
PARENT = """
import os, sys, time
from chatserver.processes import Processes, bind_group

listeners, alone = bind_group("127.0.0.1", int(sys.argv[1]), 2), Processes()
began = sys.argv[2]

def run(number, ready):
    if number == 0:
        if os.path.exists(began):
            return
        open(began, "w").close()
        ready()
        time.sleep(0.1)
        return
    ready()
    while True:
        listeners[1].accept()

for number, listener in enumerate(listeners):
    alone.add(f"web {number}", lambda ready, number=number: run(number, ready), listener=listener)
sys.exit(alone.run(on_ready=lambda: None, each_second=lambda: None))
"""


@pytest.fixture
def group() -> Iterator[list[socket.socket]]:
    with ExitStack() as held:
        yield [held.enter_context(one) for one in bind_group(HOST, 0, 3)]


def test_a_group_listens_at_one_port(group: list[socket.socket]) -> None:
    (port,) = {one.getsockname()[1] for one in group}
    assert listeners(port) == 3


def test_one_process_has_a_socket_that_is_not_shared() -> None:
    (one,) = bind_group(HOST, 0, 1)
    with one:
        assert not one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
        assert listeners(one.getsockname()[1]) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_nobody_joins_a_group(group: list[socket.socket], count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BIND_SECONDS", 0)
    port = group[0].getsockname()[1]
    with pytest.raises(ConfigError, match=f"port {port}"):
        bind_group(HOST, port, count)
    assert listeners(port) == 3


def test_a_group_joins_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "BIND_SECONDS", 0)
    with bind(HOST, 0) as taken, pytest.raises(ConfigError, match="is taken"):
        bind_group(HOST, taken.getsockname()[1], 2)


def test_a_process_that_never_works_again_gives_up_its_place(tmp_path: Path) -> None:
    port = free_port()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(port), f"{tmp_path}/began"])
    try:
        wait_until(lambda: listeners(port) == 2, "both listen")
        wait_until(lambda: listeners(port) == 1, "one has given up")
        for _ in range(20):
            connect(port).close()
    finally:
        parent.send_signal(signal.SIGTERM)
        parent.wait(20)
