"""The product as a target of the peers harness: `make peers PEERS=FOLDER` (docs/performance.md).

Two web nodes and a worker on the harness' Redis, every check on. Everybody is signed in and every chat opened and taken
before the measurement, through a node that has ended by then; the harness' sockets resume. This file runs in the
harness' interpreter and imports nothing of ours; the servers run in ours.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import redis
from adapters.base import STORE, Target

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"
# From the process that starts the servers to the one that makes the load.
SEATS = "BENCH_SEATS"
ORIGIN = "BENCH_ORIGIN"
PASSWORD = "correct horse battery"
CHATS_PER_AGENT = 100  # a connection may be attached to 128, and one person may get 1,200 passes a minute
FAR_AHEAD = {"op": "post_message", "id": 1, "n": 2**31, "text": "?"}

# Members of staff in one process: starting Python is what takes the time.
ADD_STAFF = """
import json, sys
from chatserver.cli import cli
for email in json.loads(sys.argv[1]):
    command = ["agent", "add", email, "--name", "Ann", "--department", "support", "--password-stdin"]
    cli(command, standalone_mode=False)
"""


class Product(Target):
    """The interface is in the harness' adapters/base.py."""

    text = False
    redis = STORE
    durable = True

    def __init__(self) -> None:
        self._seats: list[dict[str, Any]] = []
        self._fresh = True  # nobody has spoken since the chats were opened

    # -- in the process that starts the servers

    def start(self, ctx: Any) -> list[int]:
        """Two nodes and a worker, after another node has seated everybody."""
        data = Path(ctx.dir) / "data"
        ports = [ctx.free_port(), ctx.free_port()]
        env = {
            "CHAT_DATA": data,
            "CHAT_REDIS_URL": ctx.redis_url,
            "CHAT_PUBLIC_URL": f"http://127.0.0.1:{ports[0]}",
            "CHAT_DEMO": "0",
            "CHAT_CUSTOMER_RATE": "1000000/1000000",  # checked, and never reached
            "CHAT_AGENT_RATE": "1000000/1000000",
            "CHAT_ADDRESS_CONNECTIONS": "1000000",
            "CHAT_ADDRESS_RATE": "1000000/1000000",
            "CHAT_AGENT_GRACE_SECONDS": "3600",  # nobody is connected between seating and load
            "CHAT_DRAIN_SECONDS": "0",
            "CHAT_METRICS_TOKEN": secrets.token_hex(),  # so that everything is counted and reported
        }
        chats = chats_wanted(sys.argv[1:])
        staff = [f"agent{n}@shop.example" for n in range(-(-chats // CHATS_PER_AGENT))]
        in_ours = os.environ | {name: str(value) for name, value in env.items()}
        self._run([PYTHON, "-c", ADD_STAFF, json.dumps(staff)], in_ours, f"{PASSWORD}\n" * len(staff))
        self._seat_people(ctx, env, in_ours, ports, chats, staff)
        for port in ports:
            self._node(ctx, env, port)
        ctx.spawn([PYTHON, "-m", "chatserver", "worker"], env=env, cwd=ROOT)
        wait_for_worker(ctx.redis_url)
        wait_until_recorded(data / "chat.db", chats)
        return ports

    def _seat_people(
        self, ctx: Any, env: dict[str, Any], in_ours: dict[str, str], ports: list[int], chats: int, staff: list[str]
    ) -> None:
        node = self._node(ctx, env, ports[0])
        out = Path(ctx.dir) / "seats.json"
        address = f"ws://127.0.0.1:{ports[0]}/ws"
        command = [PYTHON, ROOT / "bench" / "seat_people.py", "--chats", chats, "--out", out, address]
        self._run(command, in_ours, json.dumps([[email, PASSWORD] for email in staff]))
        node.terminate()
        node.wait(30)
        ctx.procs.remove(node)
        os.environ |= {SEATS: str(out), ORIGIN: f"http://127.0.0.1:{ports[0]}"}

    def _node(self, ctx: Any, env: dict[str, Any], port: int) -> Any:
        command = [PYTHON, "-m", "chatserver", "serve", "--no-worker", "--port", port]
        process = ctx.spawn(command, port=port, env=env, cwd=ROOT)
        wait_ready(port)
        return process

    def _run(self, command: list[Any], env: dict[str, str], stdin: str) -> None:
        done = subprocess.run(
            [str(part) for part in command], cwd=ROOT, env=env, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-600:])

    # -- in the process that makes the load

    def headers(self, chat: int, role: str) -> dict[str, str]:
        """Of the handshake."""
        return {"Origin": os.environ[ORIGIN], "Sec-WebSocket-Protocol": "chat.v1.msgpack"}

    def url(self, port: int, chat: int, role: str) -> str:
        """Where a side of a chat connects."""
        return f"ws://127.0.0.1:{port}/ws"

    def on_open(self, conn: Any) -> None:
        """Resumes, attached to the chat."""
        if not self._seats:
            self._load_seats()
        seat = self._seat(conn)
        position = {name: seat[name] for name in ("ticket", "epoch", "seq", "entry_id")}
        hello = {"op": "hello", "id": 0, "device": seat["device"], "resume_token": seat["resume_token"]}
        conn.send_raw(msgpack.packb(hello | {"chats": [position]}))
        # All but the numbers and the text of a message, ready to send.
        gen = seat["gen"]
        conn.head = msgpack.packb("op") + msgpack.packb("post_message") + msgpack.packb("ticket")
        conn.head += msgpack.packb(seat["ticket"]) + (msgpack.packb("gen") + msgpack.packb(gen) if gen else b"")
        conn.head = bytes([0x80 | (6 if gen else 5)]) + conn.head
        conn.step = seat["n"]

    def _load_seats(self) -> None:
        file = Path(os.environ[SEATS])
        self._seats = json.loads(file.read_text())
        used = file.with_suffix(".used")
        self._fresh = not used.exists()
        used.touch()

    def _seat(self, conn: Any) -> dict[str, Any]:
        seat: dict[str, Any] = self._seats[conn.chat]["customer" if conn.role == "C" else "agent"]
        return seat

    def on_handshake(self, conn: Any, data: bytes) -> None:
        """Ready with the welcome, and the chat's page in it."""
        for value in values(data):
            if value["op"] == "welcome":
                if any("error" in page for page in value["chats"]):
                    raise RuntimeError(f"not attached: {value['chats']}")
                if self._fresh:
                    conn.set_ready()
                else:  # this device has spoken in an earlier load: the answer to a number far ahead says how often
                    conn.send_raw(msgpack.packb(FAR_AHEAD | {"ticket": self._seat(conn)["ticket"]}))
            elif value["op"] == "error" and value["code"] == "gap":
                conn.step = value["last_n"]
                conn.set_ready()

    def encode(self, conn: Any, seq: int, payload: bytes) -> bytes:
        """A `post_message`."""
        conn.step += 1
        numbers = b"\xa2id\xce%b\xa1n\xce%b" % (_u32(seq), _u32(conn.step))
        return b"%b%b\xa4text\xda%b%b" % (conn.head, numbers, _u16(len(payload)), payload)

    def on_other(self, conn: Any, data: bytes) -> None:
        """Answers the heartbeat."""
        if b"\xa2op\xa4ping" in data:
            conn.send_raw(b"\x81\xa2op\xa4pong")


def values(data: bytes) -> list[dict[str, Any]]:
    """A frame holds one or more."""
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    return list(unpacker)


_u32, _u16 = struct.Struct(">I").pack, struct.Struct(">H").pack


def chats_wanted(arguments: list[str]) -> int:
    """How many chats the harness is about to use, from its own options and defaults."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--chats", type=int, default=100)
    parser.add_argument("-m", "--modes", default="closed,open,idle")
    parser.add_argument("--idle", default="2000")
    options, _ = parser.parse_known_args(arguments)
    connections = max(map(int, options.idle.split(","))) if "idle" in options.modes else 0
    return max(options.chats, connections // 2)


def wait_for_worker(redis_url: str) -> None:
    """Until it has its share of the work. Its start takes a second or more on the core that is measured, as much as
    some hundred thousand messages: it is no message's.
    """
    with redis.Redis.from_url(redis_url) as asked:
        for _ in range(400):
            if asked.exists("chat:{p00}:lease"):
                return
            time.sleep(0.05)
    raise RuntimeError("the worker does not begin")


def wait_until_recorded(database: Path, chats: int) -> None:
    """Until all chats are written and indexed: what was said before the measurement is none of it. Five thousand chats
    that were opened at once keep the indexer busy for a while, with a tenth of its time.
    """
    behind = "SELECT count(*), coalesce(sum(indexed_seq < last_seq), 0) FROM chats"
    for _ in range(1200):
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as record:
            if record.execute(behind).fetchone() == (chats, 0):
                return
        time.sleep(0.1)
    raise RuntimeError("the worker does not keep up with what was opened before the measurement")


def wait_ready(port: int) -> None:
    """Until `/readyz` says so."""
    for _ in range(400):
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2).status == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the node at port {port} is not ready")


TARGETS = {"product": Product()}
