import contextlib
import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatserver.broker.event import entry_parts, whole_entry
from chatserver.errors import BadFrameError, InvalidCommandError
from chatserver.wire.codec import CODECS, Codec, Json, MessagePack, choose
from chatserver.wire.commands import BY_OP, parse

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)


def pack(codec: Codec, value: Any) -> bytes | str:
    return msgpack.packb(value) if codec.binary else json.dumps(value)


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
@given(value=PLAIN)
def test_what_a_client_packs_is_read(codec: Codec, value: Any) -> None:
    assert codec.decode(pack(codec, value)) == value


@pytest.mark.parametrize("codec", CODECS.values(), ids=lambda codec: codec.subprotocol)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(codec: Codec, data: bytes) -> None:
    with contextlib.suppress(InvalidCommandError):
        parse(codec.decode(data if codec.binary else data.decode("latin-1")))


NAMES = (
    *("id", "ticket", "n", "text", "seq", "epoch", "entry_id", "limit", "topic"),
    *("chat_key", "device", "pass", "chats", "keep", "gen", "regarding", "rating"),
)


@given(op=st.sampled_from(sorted(BY_OP)), fields=st.dictionaries(st.sampled_from(NAMES), PLAIN, max_size=8))
def test_any_fields_are_a_command_or_invalid(op: str, fields: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidCommandError):
        assert type(parse({"op": op, **fields})) is BY_OP[op]


def test_formats_do_not_mix() -> None:
    with pytest.raises(BadFrameError, match="text frames"):
        Json().decode(b'{"op":"ping"}')
    with pytest.raises(BadFrameError, match="binary frames"):
        MessagePack().decode('{"op":"ping"}')


def test_several_values_in_one_frame() -> None:
    values = [{"op": "ping"}, {"op": "durable", "seq": 2, "text": "line\nbreak"}]
    binary = MessagePack()
    unpacker = msgpack.Unpacker()
    unpacker.feed(binary.join([binary.encode(value) for value in values]))
    assert list(unpacker) == values
    text = Json()
    assert [json.loads(line) for line in text.join([text.encode(value) for value in values]).split(b"\n")] == values


def test_event_is_the_same_in_both() -> None:
    head, body = entry_parts(
        entry_id="0" * 36,
        audience="all",
        ticket=100_009,
        kind="message",
        role="customer",
        participant="k" * 16,
        optional={"text": "ü\n🙂", "n": 1},
    )
    event = whole_entry(head, body, epoch=2**32 - 1, seq=3, prev=2, at=1_795_000_000_000)
    binary, text = MessagePack(), Json()
    assert binary.event(event) is event
    assert msgpack.unpackb(event) == json.loads(text.event(event)) == text.embed(event)
    page = {"entries": [binary.embed(event)]}
    assert msgpack.unpackb(binary.encode(page)) == {"entries": [msgpack.unpackb(event)]}


def test_first_known_subprotocol_counts() -> None:
    json_, msgpack_ = CODECS["chat.v1.json"], CODECS["chat.v1.msgpack"]
    assert choose(["chat.v1.json", "chat.v1.msgpack"]) is json_
    assert choose(["chat.v2", "chat.v1.msgpack", "chat.v1.json"]) is msgpack_
    assert choose([]) is None
    assert choose(["CHAT.V1.JSON"]) is None
