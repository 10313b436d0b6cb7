"""The usual soft limit of 1,024 open files is not where a node ends."""

import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from tests.support.listeners import answers, connect
from tests.support.server import RunningServer, clean_environment, wait_until

SOFT, HARD = 128, 1_000


def limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)


def test_a_node_takes_more_connections_than_the_soft_limit() -> None:
    mine = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT, mine[1]))
    running = RunningServer()
    try:
        running.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, mine)
    with ExitStack() as held:
        held.callback(running.close)
        for pid in running.children():
            assert limits(pid) == (mine[1], mine[1])
        assert "files.few" not in running.log
        for _ in range(2 * SOFT):
            held.enter_context(connect(running.port))
        assert answers(running.port)


def test_a_low_hard_limit_is_told(tmp_path: Path) -> None:
    said = tmp_path / "said.log"
    lower = f'ulimit -Sn {SOFT} && ulimit -Hn {HARD} && exec "$@"'
    command = [sys.executable, "-m", "chatserver", "worker", "--data", str(tmp_path / "data")]
    with said.open("wb") as out:
        worker = subprocess.Popen(
            ["sh", "-c", lower, "sh", *command],
            env=clean_environment(PYTHONUNBUFFERED="1"),
            stdout=out,
            stderr=out,
        )
    try:
        wait_until(lambda: "worker is ready" in said.read_text(), "the worker is ready")
        assert limits(worker.pid) == (HARD, HARD)
        assert "files.few" in said.read_text()
        assert f"limit={HARD}" in said.read_text()
    finally:
        worker.terminate()
        worker.wait(30)
