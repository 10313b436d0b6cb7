import json
import subprocess
import tempfile
from pathlib import Path

import uvloop

from chatserver.bench.report import Plan
from chatserver.bench.run import bench_own
from tests.support.postgres import Databases
from tests.support.server import PASSWORD, RunningServer, chatserver, make_agent


def test_a_private_installation_is_measured_and_leaves_nothing(tmp_path: Path):
    folders = set(Path(tempfile.gettempdir()).glob("chat-bench-*"))
    page = tmp_path / "bench.html"
    options = ("--chats", "3", "--seconds", "1", "--warm-up", "0", "--nodes", "2")
    done = chatserver("bench", *options, "--json", tmp_path / "bench.json", "--html", page)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "bench.json").read_text())
    assert found["connecting"]["connections"] == 6
    assert found["connecting"]["rss_kib"]["web"] > 0
    closed, open_ = found["loops"]
    for loop in (closed, open_):
        assert loop["delivered_per_second"] > 0
        assert loop["undelivered"] == 0
        assert loop["errors"] == {}
        assert min(loop["cpu_us"][who] for who in ("web", "redis", "worker")) > 0
        assert 0 < loop["delivery"]["ms"]["p50"] <= loop["delivery"]["ms"]["max"]
        assert loop["durable"]["count"] > 0
    assert page.read_text().count("<svg") == 6
    assert set(Path(tempfile.gettempdir()).glob("chat-bench-*")) == folders
    assert "chat-bench-" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_a_running_server_is_measured_and_its_chats_are_closed():
    with RunningServer() as server:
        make_agent(server.data, "ann@shop.example", "Ann", departments=("support",))
        options = ("--chats", "2", "--seconds", "1", "--warm-up", "0", "--rate", "0", "--json", "-")
        where = ("--url", server.base, "--agent", "ann@shop.example", "--password-stdin")
        done = chatserver("bench", *options, *where, stdin=PASSWORD + "\n")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert [loop["name"] for loop in found["loops"]] == ["closed, 4 in flight"]
        assert found["loops"][0]["undelivered"] == 0
        searched = server.command("transcripts", "search", "--json", "").stdout.splitlines()
        tickets = [json.loads(line)["ticket"] for line in searched]
        shown = [json.loads(server.command("transcripts", "show", "--json", str(one)).stdout) for one in tickets]
        assert len(shown) == 2
        assert {one["state"] for one in shown} <= {"closing", "closed"}


def test_a_record_in_postgresql_is_measured_and_somebody_elses_is_not(postgresql: Databases, tmp_path: Path):
    url, page = postgresql.empty(), tmp_path / "bench.json"
    options = ("--chats", "1", "--window", "1", "--seconds", "1", "--warm-up", "0", "--rate", "0", "--nodes", "1")
    bench = ("bench", *options, "--json", page, "--database", url)
    first = chatserver(*bench)
    assert first.returncode == 0, first.stderr
    found = json.loads(page.read_text())
    assert found["plan"]["database"] == "PostgreSQL"
    assert "PostgreSQL" in first.stdout
    assert found["loops"][0]["durable"]["count"] > 0
    assert url not in page.read_text()
    page.unlink()
    # Now it is full of that: not a place to measure in.
    again = chatserver(*bench)
    assert (again.returncode, again.stdout) == (1, "")
    (line,) = again.stderr.splitlines()
    assert "empty database" in line
    assert not page.exists()


def test_what_is_done_is_told_as_it_is_done():
    told: dict[str, list[float]] = {}

    def advance(what: str, done: float, of: float) -> None:
        told.setdefault(what, []).append(done / of)

    plan = Plan(chats=4, window=1, rate=10, seconds=1.2, warm_up=0.5, size=8, nodes=1, workers=2)
    uvloop.run(bench_own(plan, advance))
    assert list(told) == ["Opening chats", "Connecting", "closed, 1 in flight", "open, 10/s"]
    for shares in told.values():
        assert len(shares) >= 3
        assert shares == sorted(shares)
        assert shares[0] <= 0.25
        assert shares[-1] >= 0.5


def test_a_wrong_password_is_one_clear_line():
    with RunningServer() as server:
        make_agent(server.data, "ann@shop.example", "Ann", departments=("support",))
        where = ("--url", server.base, "--agent", "ann@shop.example", "--password-stdin")
        done = chatserver("bench", "--chats", "1", "--seconds", "1", *where, stdin="wrong password\n")
    assert done.returncode == 1
    assert done.stderr.startswith("chatserver: the bench has ended: ")
    assert len(done.stderr.splitlines()) == 1
