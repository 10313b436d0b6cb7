"""What a connection does for a peer that takes its time."""

from __future__ import annotations

import pytest

from chatserver.hub.connection import MAX_BACKLOG_BYTES, MAX_BACKLOG_FRAMES, Connection
from chatserver.hub.counters import Counters
from chatserver.model.person import Person
from chatserver.wire.codec import CODECS


class Peer:
    """Takes nothing until it is told to."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.code = 0

    def send(self, data: bytes, *, binary: bool) -> None:
        self.waiting.append(data)

    def close(self, code: int, reason: str = "") -> None:
        raise AssertionError("it is cut")

    def cut(self, code: int, reason: str = "") -> None:
        self.waiting.clear()
        self.code = code

    @property
    def slow(self) -> bool:
        return bool(self.waiting)

    def backlog(self) -> tuple[int, int]:
        return len(self.waiting), sum(map(len, self.waiting))


@pytest.fixture
def peer() -> Peer:
    return Peer()


@pytest.fixture
def counters() -> Counters:
    return Counters()


@pytest.fixture
def connection(peer: Peer, counters: Counters) -> Connection:
    codec = CODECS["chat.v1.msgpack"]
    return Connection(peer, codec, Person("p", "agent"), "device", on_ready=lambda one: None, counters=counters)


def say(connection: Connection, frame: bytes, *, passing: bool = False) -> None:
    connection.offer(frame, passing=passing)
    connection.flush()


def test_what_passes_is_spared_first(connection: Connection, peer: Peer, counters: Counters) -> None:
    for _ in range(MAX_BACKLOG_FRAMES // 2 + 1):
        say(connection, b"entry")
    before = len(peer.waiting)
    say(connection, b"typing", passing=True)
    assert len(peer.waiting) == before
    say(connection, b"entry")
    assert len(peer.waiting) == before + 1
    assert counters == Counters(shed=1)
    del peer.waiting[:2]
    say(connection, b"typing", passing=True)
    assert peer.waiting[-1] == b"typing"


def test_too_many_bytes_are_the_end(connection: Connection, peer: Peer, counters: Counters) -> None:
    entry = b"x" * 4096
    for _ in range(MAX_BACKLOG_BYTES // len(entry) + 1):
        say(connection, entry)
    assert connection.open
    say(connection, entry)
    assert not connection.open
    assert (peer.code, peer.waiting, counters.slow) == (4002, [], 1)
    say(connection, entry)
    assert peer.waiting == []


def test_too_many_frames_are_the_end(connection: Connection, peer: Peer) -> None:
    for _ in range(MAX_BACKLOG_FRAMES):
        say(connection, b"x")
    assert connection.open
    say(connection, b"x")
    assert peer.code == 4002


def test_page_that_was_asked_for_comes_through_a_slow_line(connection: Connection, peer: Peer) -> None:
    say(connection, b"x" * (2 * MAX_BACKLOG_BYTES))
    for _ in range(10):
        say(connection, b"entry")
    assert connection.open
    assert len(peer.waiting) == 11
    peer.waiting.clear()
    say(connection, b"entry")
    say(connection, b"x" * (2 * MAX_BACKLOG_BYTES))
    say(connection, b"entry")
    assert peer.code == 4002  # nobody sends a page onto a line that is full


def test_one_loop_turn_is_one_frame(connection: Connection, peer: Peer) -> None:
    connection.offer(b"a")
    connection.offer(b"b")
    connection.flush()
    assert peer.waiting == [b"ab"]
