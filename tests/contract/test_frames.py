"""What is the protocol and what is not. A bad command is answered; a bad frame ends the connection."""

import contextlib
import json
from typing import Any

import msgpack
import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import JSON, MSGPACK, Refused, new_device
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio

FRAME_BYTES = 32 * 1024


async def test_unknown_fields_are_ignored(people: People) -> None:
    session = (await people.browser().post("/api/v1/customer-sessions", {"site_key": "default", "mood": 7})).json()
    customer = await people.stranger()
    extra = {"since_2031": {"deep": [1, 2.5, None, True]}, "": "empty"}
    customer.welcome = await customer.call("hello", device=new_device(), **{"pass": session["pass"]}, **extra)
    opened = await open_chat(customer, **extra)
    await customer.call("post_message", ticket=opened["ticket"], n=2, text="Hello", **extra)
    await customer.call("pull", ticket=opened["ticket"], **extra)
    await customer.send({"op": "read", "ticket": opened["ticket"], "seq": 1, **extra})
    await customer.send({"op": "ping", **extra})
    await customer.until("pong")
    entries = (await customer.call("pull", ticket=opened["ticket"]))["entries"]
    assert all("since_2031" not in entry for entry in entries)


@pytest.mark.parametrize(
    ("op", "fields", "named"),
    [
        ("post_message", {"text": 7}, "text"),
        ("post_message", {"text": None}, "text"),
        ("post_message", {"text": ["Hello"]}, "text"),
        ("post_message", {"n": 0}, "n"),
        ("post_message", {"n": "2"}, "n"),
        ("post_message", {"n": 2.5}, "n"),
        ("post_message", {"n": True}, "n"),
        ("post_message", {"n": 2**32}, "n"),
        ("post_message", {"ticket": "100009"}, "ticket"),
        ("post_message", {"ticket": -1}, "ticket"),
        ("post_message", {"ticket": 2**60}, "ticket"),
        ("post_message", {"gen": "1"}, "gen"),
        ("post_message", {"keep": "card"}, "keep"),
        ("post_message", {"keep": [7]}, "keep"),
        ("post_message", {"keep": ["x"] * 17}, "keep"),
        ("post_note", {"text": {}}, "text"),
        ("close_chat", {"n": None}, "n"),
        ("take_chat", {"n": []}, "n"),
        ("rate_chat", {"rating": "5"}, "rating"),
        ("watch", {"topic": 7}, "topic"),
        ("unwatch", {"topic": None}, "topic"),
        ("detach", {"ticket": None}, "ticket"),
    ],
)
async def test_wrong_type_is_named_and_the_connection_stays(
    people: People, op: str, fields: dict[str, Any], named: str
) -> None:
    customer = await people.customer()
    with pytest.raises(Refused) as caught:
        await customer.call(op, **({"ticket": 100_009, "n": 2, "text": "Hello"} | fields))
    assert caught.value.code == "invalid"
    assert f"`$.{named}" in caught.value.frame["message"]
    await customer.round_trip()


@pytest.mark.parametrize("op", ["post_message", "pull", "watch", "hello"])
async def test_missing_field_is_named(people: People, op: str) -> None:
    customer = await people.customer()
    with pytest.raises(Refused, match="missing required field") as caught:
        await customer.call(op)
    assert caught.value.code == "invalid"


async def test_command_without_an_id_is_answered_without_one(people: People) -> None:
    customer = await people.customer()
    for id_ in ({}, {"id": "seven"}, {"id": -1}, {"id": 2**32}, {"id": None}):
        await customer.send({"op": "pull", "ticket": 100_009, **id_})
        error = await customer.until("error")
        assert error["code"] == "invalid"
        assert "id" not in error
        assert "`id`" in error["message"] or "`$.id`" in error["message"]


@pytest.mark.parametrize("op", ["transfer_chat", "HELLO", "", "x" * 3000, "__class__"])
async def test_unknown_command_is_answered(people: People, op: str) -> None:
    customer = await people.customer()
    with pytest.raises(Refused) as caught:
        await customer.call(op)
    assert caught.value.code == "unknown_command"
    assert len(caught.value.frame["message"]) < 100
    await customer.round_trip()


# Frames that a decoder reads and that are not a map with a text `op`.
VALUES: list[Any] = [[], 7, None, "hello", True, {}, {"op": 7}, {"op": None}, {"op": ["ping"]}, [{"op": "ping"}]]

BROKEN: dict[str, list[bytes | str]] = {
    JSON: [
        "",
        "nul",
        '{"op":"ping"',
        "{op:ping}",
        '{"op":"ping"}{"op":"ping"}',
        '{"op":"ping"}\n{"op":"ping"}',
        '{"op":"post_message","text":"\\ud800"}',
        "\x00",
        "[" * 30_000,
        '{"a":' * 5_000,
        b'{"op":"ping"}',
    ],
    MSGPACK: [
        b"",
        b"\xc1",
        b"\x81\xa2op",
        msgpack.packb({"op": "ping"}) * 2,
        b"\x81\xa2op\xa4pi\xff\xfe",  # not UTF-8
        b"\x82\xa2op\xa4ping\xa1b\xc4\x01x",  # bytes
        b"\x82\xa2op\xa4ping\xa1e\xd4\x01x",  # an extension
        msgpack.packb({1: "ping"}),
        msgpack.packb({"op": "ping", "l": [0] * 257}),
        msgpack.packb({"op": "ping"} | {str(number): 0 for number in range(64)}),
        b"\xdd\xff\xff\xff\xff",  # an array of four thousand million, it says
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\x91" * 30_000,
        b"\x81\xa1a" * 10_000,
        '{"op":"ping"}',
    ],
}


async def test_frame_that_is_no_map_with_an_op_ends_the_connection(people: People) -> None:
    for value in VALUES:
        customer = await people.customer()
        data = msgpack.packb(value) if people.subprotocol == MSGPACK else json.dumps(value)
        await customer.send_raw(data)
        assert await customer.closed() == 4400, value


@pytest.mark.parametrize("greeted", [True, False])
async def test_frame_that_cannot_be_decoded_ends_the_connection(people: People, greeted: bool) -> None:
    for data in BROKEN[people.subprotocol]:
        socket = await (people.customer() if greeted else people.stranger())
        await socket.send_raw(data)
        assert await socket.closed() == 4400, data[:40]


async def test_error_comes_before_the_end(people: People) -> None:
    customer = await people.customer()
    await customer.send_raw(b"\xc1" if people.subprotocol == MSGPACK else "nonsense")
    assert (await customer.until("error"))["code"] == "invalid"
    assert await customer.closed() == 4400


async def test_others_do_not_notice(people: People) -> None:
    talk, stranger = await start_talk(people), await people.customer()
    await stranger.send_raw(BROKEN[people.subprotocol][1])
    assert await stranger.closed() == 4400
    await talk.say(2, "All well?")
    await talk.agent.until("entry", ticket=talk.ticket, text="All well?")


async def test_frame_of_the_largest_size_is_read(people: People) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    frame = {"op": "post_message", "id": 9, "ticket": opened["ticket"], "n": 2, "text": "Hello", "padding": ""}
    encode = msgpack.packb if people.subprotocol == MSGPACK else lambda value: json.dumps(value).encode()
    frame["padding"] = "x" * (FRAME_BYTES - len(encode(frame)) - 2)
    frame["padding"] += "x" * (FRAME_BYTES - len(encode(frame)))
    data = encode(frame)
    assert len(data) == customer.welcome["limits"]["frame_bytes"] == FRAME_BYTES
    await customer.send_raw(data if people.subprotocol == MSGPACK else data.decode())
    assert (await customer.reply(9))["n"] == 2


async def test_larger_frame_ends_the_connection(people: People) -> None:
    customer = await people.customer()
    size = FRAME_BYTES + 1
    await customer.send_raw(b"\xc0" * size if people.subprotocol == MSGPACK else " " * size)
    assert await customer.closed() == 1009
    stranger = await people.stranger()
    await stranger.send_raw(b"\xc0" * size if people.subprotocol == MSGPACK else " " * size)
    assert await stranger.closed() == 1009


async def test_fragmented_frame_is_one_frame(people: People) -> None:
    customer = await people.customer()
    data = msgpack.packb({"op": "ping"}) if people.subprotocol == MSGPACK else '{"op":"ping"}'
    await customer.connection.send(iter([data[:3], data[3:7], data[7:]]))
    await customer.until("pong")


async def test_fragments_do_not_outgrow_the_limit(people: People) -> None:
    customer = await people.customer()
    piece: bytes | str = b"\xc0" * 8_000 if people.subprotocol == MSGPACK else " " * 8_000
    with contextlib.suppress(ConnectionClosed):  # perhaps it ends before the last piece
        await customer.connection.send(iter([piece] * 5))
    assert await customer.closed() == 1009
