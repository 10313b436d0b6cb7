"""What stops the server from starting: one clear line on stderr, exit code 1, nothing left running."""

import base64
import contextlib
import os
import socket
import stat
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from chatserver.embedded import EmbeddedValkey, _binary
from tests.support.server import RunningServer, alive, chatserver, until_gone, wait_until

KEY = base64.urlsafe_b64encode(bytes(range(100, 132))).decode()


def refusal(*args: str | Path, env: dict[str, str] | None = None, stdin: str = "", code: int = 1) -> str:
    """The one line with which a command is refused."""
    done = chatserver(*args, env=env, stdin=stdin)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("chatserver: ")
    return lines[0]


@contextmanager
def valkey(folder: Path, **options: str) -> Iterator[str]:
    """A Redis of the operator's own; its URL."""
    folder.mkdir()
    place = folder / "own.sock"
    defaults = {"port": "0", "unixsocket": str(place), "dir": str(folder), "save": ""}
    args = [part for name, value in (defaults | options).items() for part in (f"--{name.replace('_', '-')}", value)]
    process = subprocess.Popen([_binary(), *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        try:
            with Redis(unix_socket_path=str(place)) as redis:
                return bool(redis.ping())
        except RedisError:
            return False

    try:
        wait_until(answers, "Valkey answers")
        yield f"unix://{place}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="chat-start-") as name:
        yield Path(name)


def no_process_in(folder: Path) -> bool:
    """Whether nothing runs that was started for this folder."""
    lines = (Path(f"/proc/{name}/cmdline") for name in os.listdir("/proc") if name.isdigit())
    found = []
    for line in lines:
        try:
            found.append(line.read_bytes())
        except OSError:
            continue
    return not any(str(folder).encode() in line for line in found)


def test_bad_settings_are_named(folder: Path) -> None:
    # One of each kind; all others in tests/unit.
    bad = {
        "CHAT_PORT": "http",
        "CHAT_REDIS_URL": "http://:hunter2@localhost",
        "CHAT_TOKEN_KEY": "changeme",
        "CHAT_ACCESS_KEY": base64.b64encode(b"changeme" * 4).decode(),
    }

    def refused(name: str) -> str:
        return refusal("serve", "--port", "0", "--data", folder / name, env={name: bad[name]})

    with ThreadPoolExecutor(2) as pool:
        for name, line in zip(bad, pool.map(refused, bad), strict=True):
            assert name in line
            assert "hunter2" not in line
            assert "changeme" not in line
    assert no_process_in(folder)


def test_unusable_data_folder(folder: Path) -> None:
    file = folder / "file"
    file.write_text("not a folder")
    cases: list[tuple[list[str | Path], dict[str, str]]] = [
        (["serve", "--port", "0"], {"CHAT_DATA": str(file)}),
        (["serve", "--port", "0", "--data", file / "below"], {}),
        (["serve", "--port", "0", "--data", "/proc/x"], {}),
        (["agent", "add", "a@b.example", "--name", "A", "--password-stdin", "--data", "/proc/x"], {}),
        (["worker", "--data", "/proc/x"], {}),
    ]
    with ThreadPoolExecutor(2) as pool:
        lines = pool.map(lambda case: refusal(*case[0], env=case[1], stdin="correct horse battery\n"), cases)
        for (args, env), line in zip(cases, lines, strict=True):
            assert "/proc/x" in line or str(file) in line, (args, env, line)


def test_taken_port(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refusal("serve", "--port", str(port), "--data", folder / "data")
    assert f"port {port}" in line
    assert "--port" in line
    assert no_process_in(folder)


def test_address_that_is_not_ours(folder: Path) -> None:
    line = refusal("serve", "--host", "192.0.2.1", "--port", "0", "--data", folder / "data")
    assert "192.0.2.1" in line


def test_redis_that_does_not_answer(folder: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    env = {"CHAT_REDIS_URL": f"redis://:hunter2@127.0.0.1:{port}/0"}
    for command in (["serve", "--port", "0"], ["worker"]):
        line = refusal(*command, "--data", folder / "data", env=env)
        assert "CHAT_REDIS_URL" in line
        assert "hunter2" not in line


def test_redis_that_would_lose_things(folder: Path) -> None:
    with valkey(folder / "own", appendonly="no") as url:
        line = refusal("serve", "--port", "0", "--data", folder / "data", env={"CHAT_REDIS_URL": url})
        assert "appendonly yes" in line
        with Redis.from_url(url) as redis:
            redis.config_set("appendonly", "yes")
            redis.config_set("maxmemory-policy", "allkeys-lru")
        line = refusal("serve", "--port", "0", "--data", folder / "data", env={"CHAT_REDIS_URL": url})
        assert "noeviction" in line


def test_redis_and_keys_of_the_operator(folder: Path) -> None:
    keys = {f"CHAT_{name}_KEY": KEY for name in ("TOKEN", "ACCESS", "SEAL")}
    with valkey(folder / "own", appendonly="yes") as url:
        with RunningServer(env={"CHAT_REDIS_URL": url, **keys}) as running:
            assert not (running.data / "valkey").exists()
            assert not (running.data / "keys").exists()
            # With SQLite there is one data folder: another one at the same Redis is a mistake.
            line = refusal("serve", "--port", "0", "--data", folder / "other", env={"CHAT_REDIS_URL": url})
            assert "another data folder" in line
        with Redis.from_url(url) as redis:
            assert redis.ping()  # it is the operator's: it lives on


def test_what_is_written_is_private(server: RunningServer) -> None:
    names = {path.name for path in (server.data / "keys").iterdir()}
    assert names == {"token.key", "access.key", "seal.key"}
    for path in (server.data, *server.data.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # it runs: its databases rewrite and rename
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_stopping_leaves_nothing_running() -> None:
    with RunningServer("--workers", "2") as running:
        pids = [*running.children(), running.valkey_pid()]
        assert len(pids) == 4
        assert running.stop() == 0
        until_gone(*pids)
        assert no_process_in(running.folder)
        assert "Traceback" not in running.log


def test_second_server_on_the_folder_shares_its_valkey() -> None:
    """As during a deploy: the old one may go while the new one is there."""
    with RunningServer() as one:
        other = RunningServer()
        other.data = one.data
        with other:
            pid = one.valkey_pid()
            one.stop()
            assert alive(pid)
            assert other.is_ready()
            assert other.stop() == 0
            until_gone(pid)  # the last to leave stops it


def test_long_path_moves_the_socket_elsewhere() -> None:
    running = RunningServer()
    running.data = running.folder / ("long" * 30)
    place = EmbeddedValkey(running.data).socket.parent
    with running:
        assert running.is_ready()
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert running.stop() == 0
        assert no_process_in(running.folder)
        assert not place.exists()
        place.symlink_to(running.folder)  # somebody has guessed the name
        try:
            assert str(place) in refusal("serve", "--port", "0", "--data", running.data)
        finally:
            place.unlink()


def test_start_in_many_threads_makes_the_tables_once(folder: Path) -> None:
    done = []
    threads = [
        threading.Thread(target=lambda: done.append(chatserver("migrate", "--data", folder / "data").returncode))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [0, 0, 0]
