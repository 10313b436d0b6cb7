"""RFC 6455, sections 5.5.1 and 7: how a connection ends. The public Autobahn cases 7."""

import time
from collections.abc import Iterator

import pytest

from tests.support.raw_socket import BINARY, CLOSE, CONTINUATION, PING, TEXT, Caller, Frame, RawSocket

MAY_BE_SENT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
MAY_NOT = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.fixture
def raw(caller: Caller) -> Iterator[RawSocket]:
    with caller.open() as opened:
        yield opened


def close(code: int, reason: bytes = b"") -> Frame:
    return Frame(CLOSE, code.to_bytes(2, "big") + reason)


@pytest.mark.parametrize("code", MAY_BE_SENT)
def test_close_is_answered_with_its_code(raw: RawSocket, code: int) -> None:
    raw.send(close(code, b"Good bye"))
    assert raw.end() == code


@pytest.mark.parametrize("code", MAY_NOT)
def test_code_that_may_not_be_sent_is_an_error(raw: RawSocket, code: int) -> None:
    raw.send(close(code))
    assert raw.end() == 1002


def test_close_without_a_code_is_answered_without_one(raw: RawSocket) -> None:
    raw.send(Frame(CLOSE))
    assert raw.end() == 1005


def test_half_a_code_is_an_error(raw: RawSocket) -> None:
    raw.send(Frame(CLOSE, b"\x03"))
    assert raw.end() == 1002


def test_reason_of_any_length_that_fits(raw: RawSocket) -> None:
    raw.send(close(1000, b"x" * 123))
    assert raw.end() == 1000


def test_reason_has_to_fit(raw: RawSocket) -> None:
    raw.send(close(1000, b"x" * 124))
    assert raw.end() == 1002


def test_reason_is_utf8(raw: RawSocket) -> None:
    raw.send(close(1000, "κόσμε".encode() + b"\xed\xa0\x80"))
    assert raw.end() == 1007


@pytest.mark.parametrize(
    "behind",
    [
        [Frame(TEXT, b'{"op":"ping"}')],
        [Frame(PING, b"still there?")],
        [Frame(CLOSE, b"\x03\xe9")],
        [Frame(TEXT, b'{"op":', fin=False), Frame(CONTINUATION, b'"ping"}')],
        [Frame(BINARY, b"x" * 200_000)],
    ],
    ids=["message", "ping", "close", "fragments", "much"],
)
def test_nothing_behind_a_close_frame_counts(raw: RawSocket, behind: list[Frame]) -> None:
    raw.send(close(1000), *behind)
    # picows looks one frame ahead: a second close frame, and one that is too big, it refuses before it tells of the
    # first.
    assert raw.end() in (1000, 1002, 1009)


def test_close_within_a_message(raw: RawSocket) -> None:
    raw.send(Frame(TEXT, b'{"op":', fin=False), close(1000), Frame(CONTINUATION, b'"ping"}'))
    assert raw.end() in (1000, 1002)  # whether the rest of the message is missed


def test_what_was_said_before_a_close_is_answered_before_it(raw: RawSocket) -> None:
    raw.send(Frame(PING, b"first"), close(1000))
    assert raw.receive().payload == b"first"
    assert raw.end() == 1000


def test_server_that_closes_waits_for_the_answer_and_hears_nothing_else(raw: RawSocket) -> None:
    raw.send(Frame(TEXT, b"no JSON"))
    assert raw.hear()["code"] == "invalid"
    frame = raw.receive()
    assert (frame.opcode, frame.payload[:2]) == (CLOSE, (4400).to_bytes(2, "big"))
    raw.say(op="ping")
    raw.send(close(4400))
    assert raw.rest() == b""


@pytest.mark.parametrize("front", ["picows"], indirect=True)  # how TCP ends is the ASGI server's business
def test_end_is_no_reset_whatever_is_still_on_its_way(raw: RawSocket) -> None:
    """A reset could overtake the close frame, and the client would come back to say the same again."""
    raw.send(Frame(TEXT, b"", length=10_000_000))
    for _ in range(20):
        raw.tcp.sendall(b"x" * 50_000)
        time.sleep(0.01)  # longer than it takes to close
    frame = raw.receive()
    assert (frame.opcode, frame.payload[:2]) == (CLOSE, (1009).to_bytes(2, "big"))
    assert raw.tcp.recv(1) == b""
