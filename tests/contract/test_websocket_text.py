"""RFC 6455, section 8.1: a text message is UTF-8. The public Autobahn cases 6, as fields of a JSON frame."""

import pytest

from tests.support.raw_socket import TEXT, Caller, Frame, fragments

VALID = [
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\u0080\u07ff",
    "\u0800\uffff",
    "\ud7ff\ue000",
    "\ufffd\ufffe",
    "\U00010000\U0010ffff",
    "𝄞🧩",
]

INVALID = [
    b"\x80",  # a continuation by itself
    b"\xbf",
    b"\x80\xbf\x80",
    b"\xc0\x80",  # longer than needed
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xe0\x9f\xbf",
    b"\xf0\x80\x80\xaf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf8\x88\x80\x80\x80",  # five and six bytes
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xed\xa0\x80",  # surrogates
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80",  # beyond the last character
    b"\xf7\xbf\xbf\xbf",
    b"\xfe",
    b"\xff",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80\x65\x64\x69\x74\x65\x64",
    b"\xc3",  # cut short
    b"\xe2\x82",
    b"\xf0\x9f\xa7",
]


def ping(x: bytes) -> bytes:
    return b'{"op":"ping","x":"' + x + b'"}'


@pytest.mark.parametrize("text", VALID)
def test_utf8_may_be_split_anywhere(caller: Caller, text: str) -> None:
    data = ping(text.encode())
    with caller.open() as raw:
        raw.send(Frame(TEXT, data))
        assert raw.hear() == {"op": "pong"}
        raw.send(*fragments(TEXT, *(data[at : at + 1] for at in range(len(data)))))
        assert raw.hear() == {"op": "pong"}
        for at in range(len(data)):
            raw.send(*fragments(TEXT, data[:at], data[at:]))
            assert raw.hear() == {"op": "pong"}


@pytest.mark.parametrize("data", INVALID, ids=lambda data: data.hex())
def test_what_is_not_utf8_is_an_error_wherever_it_stands(caller: Caller, data: bytes) -> None:
    for message in (
        data,
        ping(data),
        ping(b"before" + data),
        ping("vor\u00e4".encode() + data + "nach\u00e4".encode()),
    ):
        with caller.open() as raw:
            raw.send(Frame(TEXT, message))
            assert raw.end() == 1007, message
    message = ping(data)
    for at in range(len(message)):
        with caller.open() as raw:
            raw.send(*fragments(TEXT, message[:at], message[at:]))
            assert raw.end() == 1007, (message, at)


def test_one_wrong_byte_at_every_position(caller: Caller) -> None:
    message = ping("κόσμε".encode())
    for at in range(len(message)):
        with caller.open() as raw:
            raw.send(Frame(TEXT, message[:at] + b"\xff" + message[at + 1 :]))
            assert raw.end() == 1007, at


@pytest.mark.parametrize("text", VALID)
def test_message_that_ends_within_a_character_is_an_error(caller: Caller, text: str) -> None:
    last = text[-1].encode()
    for kept in range(1, len(last)):
        with caller.open() as raw:
            raw.send(*fragments(TEXT, text[:-1].encode(), last[:kept]))
            assert raw.end() == 1007
