import json
import subprocess
import tempfile
from pathlib import Path

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


def test_a_wrong_password_is_one_clear_line():
    with RunningServer() as server:
        make_agent(server.data, "ann@shop.example", "Ann", departments=("support",))
        where = ("--url", server.base, "--agent", "ann@shop.example", "--password-stdin")
        done = chatserver("bench", "--chats", "1", "--seconds", "1", *where, stdin="wrong password\n")
    assert done.returncode == 1
    assert done.stderr.startswith("chatserver: the bench has ended: ")
    assert len(done.stderr.splitlines()) == 1
