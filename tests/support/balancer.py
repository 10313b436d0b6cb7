"""What stands before several nodes: one address, and each new connection goes to the node that the test has named."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.support.ports import HOST


class Balancer:
    """Carries TCP connections to `target`, a port of this machine; those that are there stay where they are. Use as a
    context manager.
    """

    def __init__(self) -> None:
        self.target = 0
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="balancer")]

    def __enter__(self) -> Balancer:
        self._threads[0].start()
        return self

    def __exit__(self, *args: object) -> None:
        for one in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._carry, args=(near,)))
                self._threads[-1].start()

    def _carry(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection((HOST, self.target)) as far:
            self._open |= {near, far}
            back = threading.Thread(target=_pump, args=(far, near))
            back.start()
            _pump(near, far)
            back.join()
            self._open -= {near, far}


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Until the source ends; then the sink hears of that."""
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
