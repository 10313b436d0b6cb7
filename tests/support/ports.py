"""Ports of the loopback that belong to one test process."""

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """One that nobody listens on, and that nobody is given while we run: not by the system, nor by another of us.

    It stays bound by a socket that does not listen. A server that says SO_REUSEADDR, as servers do, may bind it too and
    listen, again and again; the system gives it neither to who asks for any port nor to a connection.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    port: int = held.getsockname()[1]
    held.detach()  # open until our process ends
    return port
