"""Four web processes at one port: each gets its share, and none that nobody answers."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.listeners import answers, connect, listeners, open_sockets
from tests.support.server import RunningServer, chatserver, wait_until

PROCESSES = 4


@pytest.fixture(scope="module")
def node() -> Iterator[RunningServer]:
    with RunningServer("--no-worker", "--workers", str(PROCESSES)) as running:
        yield running


@pytest.fixture(autouse=True)
def complete(node: RunningServer) -> None:
    """Whatever the test before has ended is there again."""
    wait_until(lambda: listeners(node.port) == PROCESSES, "all listen")


def everybody_is_answered(node: RunningServer) -> None:
    # One in four would go to the process that is away: by chance none of them does once in 100,000 runs.
    for _ in range(40):
        assert answers(node.port)


def test_connections_are_spread_over_the_processes(node: RunningServer) -> None:
    pids = node.children()
    before = [open_sockets(pid) for pid in pids]

    def got() -> list[int]:
        return [open_sockets(pid) - least for pid, least in zip(pids, before, strict=True)]

    with ExitStack() as held:
        for _ in range(400):
            held.enter_context(connect(node.port))
        wait_until(lambda: sum(got()) >= 400, "all are accepted")
        assert min(got()) >= 50  # of 100; by chance it is fewer once in ten million runs


def test_a_second_server_at_the_port_is_refused(node: RunningServer) -> None:
    done = chatserver("serve", "--port", str(node.port), "--workers", "2", "--data", node.folder / "other")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {node.port}" in done.stderr
    assert listeners(node.port) == PROCESSES


def test_what_comes_to_a_killed_process_is_answered_by_the_next(node: RunningServer) -> None:
    os.kill(node.children()[0], signal.SIGKILL)
    everybody_is_answered(node)


def test_a_process_that_cannot_start_leaves_connections_to_the_others(node: RunningServer) -> None:
    os.kill(node.valkey_pid(), signal.SIGSTOP)
    try:
        os.kill(node.children()[0], signal.SIGKILL)
        wait_until(lambda: listeners(node.port) == PROCESSES - 1, "its place is given up")
        everybody_is_answered(node)
    finally:
        os.kill(node.valkey_pid(), signal.SIGCONT)


def test_a_process_that_goes_leaves_connections_to_the_others(node: RunningServer) -> None:
    """It has a request to finish, so its end takes seconds."""
    pids = node.children()
    before = [open_sockets(pid) for pid in pids]
    with connect(node.port) as connection:
        connection.sendall(b"POST /api/v1/customer-sessions HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n")

        def whose() -> list[int]:
            return [pid for pid, least in zip(pids, before, strict=True) if open_sockets(pid) > least]

        wait_until(lambda: len(whose()) == 1, "one has accepted")
        os.kill(whose()[0], signal.SIGTERM)
        wait_until(lambda: listeners(node.port) == PROCESSES - 1, "its place is given up")
        everybody_is_answered(node)


def test_while_the_worker_ends_nobody_waits_for_an_answer() -> None:
    with RunningServer() as running:
        _, worker = running.children()
        os.kill(worker, signal.SIGSTOP)
        running.tell(signal.SIGTERM)
        wait_until(lambda: listeners(running.port) == 0, "nobody listens")
        with pytest.raises(ConnectionRefusedError):
            connect(running.port)
        os.kill(worker, signal.SIGCONT)
        assert running.ended() == 0
