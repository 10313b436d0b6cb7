"""Who listens at a port of this machine, and who answers there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.support.client import PATIENCE
from tests.support.ports import HOST

_LISTENS = "0A"


def listeners(port: int) -> int:
    """How many sockets listen there."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port for row in rows)


def connect(port: int) -> socket.socket:
    """A connection of the kernel's making: somebody may accept it or not."""
    return socket.create_connection((HOST, port), PATIENCE)


def answers(port: int) -> bool:
    """Whether a new connection gets an answer in the end."""
    with connect(port) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        return connection.recv(4096).startswith(b"HTTP/1.1 200")


def open_sockets(pid: int) -> int:
    """How many a process has."""
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += os.readlink(descriptor).startswith("socket:")
        except OSError:  # closed meanwhile
            continue
    return found
