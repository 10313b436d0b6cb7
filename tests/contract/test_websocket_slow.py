"""A peer that reads late gets what was sent, frame by frame; one that only talks costs nothing."""

import json
from collections.abc import Iterator

import pytest

from tests.support.client import new_chat_key
from tests.support.raw_socket import PING, PONG, TEXT, Caller, Frame, RawSocket

PAGES = 6
SAID = 10


@pytest.fixture
def raw(caller: Caller) -> Iterator[RawSocket]:
    with caller.open() as opened:
        yield opened


def test_large_and_small_frames_behind_each_other_stay_whole(raw: RawSocket) -> None:
    """Also when the socket is full: a frame that waits there is not touched by the next one."""
    raw.say(op="open_chat", id=2, chat_key=new_chat_key(), text="x" * 4_000)
    ticket = raw.hear()["ticket"]
    for n in range(2, SAID + 1):
        raw.say(op="post_message", id=n, ticket=ticket, n=n, text="x" * 4_000)
        while raw.hear().get("id") != n:
            pass
    for id_ in range(100, 100 + PAGES):  # 40 kB each, and nobody reads
        raw.say(op="pull", id=id_, ticket=ticket)
        raw.say(op="ping")
    pages, pongs = [], 0
    while len(pages) < PAGES or pongs < PAGES:
        frame = raw.receive()
        assert (frame.opcode, frame.fin, frame.rsv) == (TEXT, True, 0)
        for value in map(json.loads, frame.payload.split(b"\n")):
            pongs += value["op"] == "pong"
            if value["op"] == "page":
                assert len(value["entries"]) == SAID + 1
                pages.append(value["id"])
    assert sorted(pages) == list(range(100, 100 + PAGES))


@pytest.mark.parametrize("front", ["picows"], indirect=True)  # pings are the ASGI server's business
def test_who_pings_and_does_not_read_is_answered_the_newest(raw: RawSocket) -> None:
    count = 20_000
    raw.send(*(Frame(PING, b"%125d" % number) for number in range(count)))
    answered = 0
    while True:
        frame = raw.receive()
        assert frame.opcode == PONG
        answered += 1
        if int(frame.payload) == count - 1:
            break
    assert answered < count / 2  # the rest would have waited in our memory
    raw.round_trip()
