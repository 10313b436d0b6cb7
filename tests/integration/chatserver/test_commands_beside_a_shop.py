"""Commands beside a live shop, run in a shell that has none of the server's settings."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.support.client import PATIENCE
from tests.support.server import PASSWORD, RunningServer, chatserver

SHOP = "https://shop.example"


def may_show(server: RunningServer) -> list[str]:
    """Who may show the widget, as the browser is told."""
    policy = httpx.get(f"{server.base}/widget/frame?site=default", timeout=PATIENCE).headers["content-security-policy"]
    found = re.search(r"frame-ancestors ([^;]*)", policy)
    assert found
    return found[1].split()


def site_name(server: RunningServer) -> str:
    answer = httpx.post(f"{server.base}/api/v1/customer-sessions", json={"site_key": "default"}, timeout=PATIENCE)
    name: str = answer.json()["site"]["name"]
    return name


def test_only_serve_writes_the_site(tmp_path: Path) -> None:
    chats = tmp_path / "old.jsonl"
    chats.write_text('{"external_id": "a", "entries": [{"role": "customer", "text": "kettle"}]}\n')
    with RunningServer(env={"CHAT_SITE_ORIGINS": SHOP, "CHAT_SITE_NAME": "Kettles"}) as server:
        assert SHOP in may_show(server)
        # The demo shop too, at both its addresses; and it says so.
        assert {f"http://localhost:{server.port}", f"http://127.0.0.1:{server.port}"} <= set(may_show(server))
        greeting = (server.folder / "stdout.log").read_text()
        second = f"(or http://127.0.0.1:{server.port}/, same origin as the chat)"
        assert f"  Demo shop  http://localhost:{server.port}/  {second}\n" in greeting
        commands: list[tuple[str | Path, ...]] = [
            ("transcripts", "import", chats),
            ("transcripts", "search", "kettle"),
            ("agent", "add", "eve@shop.example", "--name", "Eve", "--password-stdin"),
            ("migrate",),
        ]
        for command in commands:
            done = server.command(*command, stdin=PASSWORD + "\n")
            assert done.returncode == 0, done.stderr
            assert SHOP in may_show(server), command
            assert site_name(server) == "Kettles", command
        server.stop()
        server.env["CHAT_SITE_ORIGINS"] = "https://other.example"
        server.start()
        assert "https://other.example" in may_show(server)
        assert SHOP not in may_show(server)


@pytest.mark.parametrize("command", ["migrate", "agent"])
def test_other_commands_make_the_first_rows(tmp_path: Path, command: str) -> None:
    add = ("agent", "add", "eve@shop.example", "--name", "Eve", "--password-stdin")
    args = {"migrate": ("migrate",), "agent": add}[command]
    done = chatserver(*args, "--data", tmp_path / "data", stdin=PASSWORD + "\n")
    assert done.returncode == 0, done.stderr
    chats = tmp_path / "old.jsonl"
    chats.write_text('{"external_id": "a", "entries": [{"role": "customer", "text": "kettle"}]}\n')
    assert chatserver("transcripts", "import", chats, "--data", tmp_path / "data").returncode == 0
