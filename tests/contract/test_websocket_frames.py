"""RFC 6455 below the protocol: frames and messages. The public Autobahn cases 1 to 5 that matter here, and masks."""

from collections.abc import Iterator

import pytest

from tests.support.raw_socket import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Caller, Frame, RawSocket, fragments

SAY = b'{"op":"ping"}'
ANSWER = b'{"op":"pong"}'
LIMIT = 32 * 1024


@pytest.fixture
def raw(caller: Caller) -> Iterator[RawSocket]:
    with caller.open() as opened:
        yield opened


def answered(raw: RawSocket, *frames: Frame, piece: int = 0) -> None:
    """These are one message, which is answered, and the connection stays."""
    raw.send(*frames, piece=piece)
    assert raw.receive().payload == ANSWER
    raw.round_trip()


# -- messages


@pytest.mark.parametrize("piece", [1, 2, 7])
def test_message_in_fragments_of_any_size(raw: RawSocket, piece: int) -> None:
    answered(raw, *fragments(TEXT, *(SAY[at : at + piece] for at in range(0, len(SAY), piece))))


def test_message_in_fragments_of_which_some_are_empty(raw: RawSocket) -> None:
    answered(raw, *fragments(TEXT, b"", b"", SAY[:5], b"", SAY[5:], b""))


def test_frames_may_come_byte_by_byte(raw: RawSocket) -> None:
    answered(raw, *fragments(TEXT, SAY[:5], SAY[5:]), piece=1)


def test_many_messages_may_come_in_one_segment(raw: RawSocket) -> None:
    raw.send(*[Frame(TEXT, SAY)] * 50)
    got = b""
    while got.count(ANSWER) < 50:
        got += raw.receive().payload
    raw.round_trip()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 128, 4_096, LIMIT - 13])
def test_message_of_any_size(raw: RawSocket, size: int) -> None:
    answered(raw, Frame(TEXT, SAY + b" " * size), piece=997)


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\1\2\3"])
def test_any_mask(raw: RawSocket, key: bytes) -> None:
    answered(raw, Frame(TEXT, SAY + b" " * 300, key=key))


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("before", [[], [Frame(TEXT, SAY)], fragments(TEXT, SAY[:5], SAY[5:])])
def test_continuation_of_nothing_is_an_error(raw: RawSocket, before: list[Frame], fin: bool) -> None:
    for frame in before:
        raw.send(frame)
    if before:
        assert raw.receive().payload == ANSWER
    raw.send(Frame(CONTINUATION, SAY, fin=fin))
    assert raw.end() == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_message_within_a_message_is_an_error(raw: RawSocket, opcode: int, fin: bool) -> None:
    raw.send(Frame(TEXT, SAY, fin=False), Frame(opcode, SAY, fin=fin))
    assert raw.end() == 1002


# -- control frames


@pytest.mark.parametrize("payload", [b"", b"Hello", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"x" * 125])
def test_ping_is_answered_with_its_payload(raw: RawSocket, payload: bytes) -> None:
    raw.send(Frame(PING, payload), piece=1)
    assert raw.receive() == Frame(PONG, payload, masked=False)
    raw.round_trip()


def test_pings_are_answered_in_their_order(raw: RawSocket) -> None:
    raw.send(*(Frame(PING, b"%d" % number) for number in range(10)))
    assert [raw.receive().payload for _ in range(10)] == [b"%d" % number for number in range(10)]


def test_pong_that_nobody_asked_for_is_ignored(raw: RawSocket) -> None:
    raw.send(Frame(PONG), Frame(PONG, b"x" * 125), Frame(PING, b"and now"))
    assert raw.receive() == Frame(PONG, b"and now", masked=False)
    raw.round_trip()


def test_control_frames_may_come_between_fragments(raw: RawSocket) -> None:
    first, *others = fragments(TEXT, *(SAY[at : at + 3] for at in range(0, len(SAY), 3)))
    raw.send(first)
    for number, frame in enumerate(others):
        raw.send(Frame(PING, b"%d" % number), Frame(PONG, b"nobody asked"))
        assert raw.receive() == Frame(PONG, b"%d" % number, masked=False)
        raw.send(frame)
    assert raw.receive().payload == ANSWER
    raw.round_trip()


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_fragmented_control_frame_is_an_error(raw: RawSocket, opcode: int) -> None:
    raw.send(Frame(opcode, fin=False), Frame(CONTINUATION))
    assert raw.end() == 1002


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("size", [126, 65_536])
def test_control_frame_that_is_too_long_is_an_error(raw: RawSocket, opcode: int, size: int) -> None:
    raw.send(Frame(opcode, b"\x03\xe8" + b"x" * (size - 2)))
    assert raw.end() in (1002, 1009)  # it is both


# -- what no frame may be


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
def test_reserved_bits_are_an_error(raw: RawSocket, opcode: int, rsv: int) -> None:
    raw.send(Frame(opcode, SAY if opcode == TEXT else b"", rsv=rsv))
    assert raw.end() == 1002


def test_reserved_bits_of_a_continuation_are_an_error(raw: RawSocket) -> None:
    raw.send(Frame(TEXT, SAY[:5], fin=False), Frame(CONTINUATION, SAY[5:], rsv=4))
    assert raw.end() == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", SAY])
def test_reserved_opcodes_are_an_error(raw: RawSocket, opcode: int, payload: bytes) -> None:
    raw.send(Frame(opcode, payload))
    assert raw.end() == 1002


@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
def test_frame_without_a_mask_is_an_error(raw: RawSocket, opcode: int) -> None:
    raw.send(Frame(opcode, SAY if opcode == TEXT else b"", masked=False))
    assert raw.end() == 1002


def test_length_with_its_highest_bit_is_an_error(raw: RawSocket) -> None:
    raw.send(Frame(TEXT, SAY, length=1 << 63))
    assert raw.end() in (1002, 1009)


@pytest.mark.parametrize("length", [LIMIT + 1, 65_536, 1 << 62])
def test_frame_that_is_too_big_is_not_waited_for(raw: RawSocket, length: int) -> None:
    raw.send(Frame(TEXT, SAY, length=length))
    assert raw.end() == 1009


def test_fragments_are_too_big_together(raw: RawSocket) -> None:
    half = b" " * (LIMIT // 2)
    raw.send(*fragments(TEXT, half, half, b""))
    assert raw.hear()["code"] == "invalid"  # no JSON, but a message
    assert raw.end() == 4400


def test_one_byte_more_than_the_limit_over_fragments(raw: RawSocket) -> None:
    half = b" " * (LIMIT // 2)
    raw.send(Frame(TEXT, half, fin=False), Frame(CONTINUATION, half, fin=False), Frame(CONTINUATION, b" ", fin=False))
    assert raw.end() == 1009


def test_empty_fragments_without_end_cost_nothing(raw: RawSocket) -> None:
    answered(raw, Frame(TEXT, SAY, fin=False), *[Frame(CONTINUATION, fin=False)] * 20_000, Frame(CONTINUATION))
