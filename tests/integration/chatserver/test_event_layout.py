"""The bytes of an entry: what the script makes and what comes back from SQL are the same, and the offsets hold."""

import asyncio
import random
from collections.abc import AsyncIterator

import msgpack
import pytest

from chatserver.broker import event as events
from chatserver.broker.draft import Draft
from chatserver.broker.keys import chat_key
from chatserver.broker.link import Link
from chatserver.broker.log import Accepted, ChatLog
from chatserver.errors import ChatError
from chatserver.ids import new_id
from chatserver.model.chat import ChatInfo, encode_info
from chatserver.model.person import CUSTOMER_RIGHTS, Participant
from chatserver.stores.history import entry_of_event, event_of_entry
from tests.support.server import RunningServer
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio

PERSON, EPOCH = new_id(), 4_294_967_295
TICKETS = iter(range(6_000_000, 6_001_000))
TRUSTED_MS = 10_000  # of send.lua


@pytest.fixture
async def log(fragile_server: RunningServer) -> AsyncIterator[ChatLog]:
    url = f"unix://{fragile_server.data}/valkey/valkey.sock"
    link = Link(url, on_push=lambda *_: None, on_subscribed=lambda _: None)
    await link.start()
    yield ChatLog(link)
    await link.stop()


def draft(ticket: int, n: int, **more: object) -> Draft:
    fields: dict[str, object] = {
        "kind": "message",
        "role": "customer",
        "entry_id": new_id(),
        "person_id": PERSON,
        "participant": "k" * 16,
        "device": "device-of-the-test",
        "n": n,
        **more,
    }
    return Draft(ticket=ticket, **fields)  # type: ignore[arg-type]


async def begin(log: ChatLog) -> tuple[int, Draft, Draft]:
    ticket = ticket_of(next(TICKETS))
    opened = draft(ticket, 0, kind="opened", data={"department": "support", "regarding": [100_009]})
    message = draft(ticket, 1, text="Hello")
    me = Participant("k" * 16, PERSON, "customer", f"{CUSTOMER_RIGHTS} note")
    info = encode_info(ChatInfo(PERSON, "default", "support", "Support", "0" * 32))
    at = await log.open(opened, message, participant=me, info=info, epoch=EPOCH, origin=bytes(8), create=True)
    assert at
    return ticket, opened, message


async def send(log: ChatLog, one: Draft) -> Accepted:
    future: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
    log.send(one, bytes(8), future.set_result)
    answer = await future
    assert isinstance(answer, Accepted)
    return answer


async def test_python_makes_the_bytes_that_the_script_made(log: ChatLog) -> None:
    ticket, opened, message = await begin(log)
    drafts = [
        opened,
        message,
        draft(ticket, 2, text=""),
        draft(ticket, 3, text="x" * 40, name="Sam", masked=("card",), keep=("card", "iban")),
        draft(ticket, 4, kind="note", audience="staff", right="note", text="ü🙂" * 200),
        draft(ticket, 5, text="y" * 4096, name="n" * 300, data={"rating": 5, "deep": {"list": [1, -1, None, True]}}),
        draft(ticket, 6, text="the last"),
    ]
    answers = [await send(log, one) for one in drafts[2:]]
    page = await log.page(ticket)
    assert len(page.events) == len(drafts)
    for one, event in zip(drafts, page.events, strict=True):
        head, body = one.parts()
        numbers = {
            "epoch": events.event_epoch(event),
            "seq": events.event_seq(event),
            "prev": events.event_prev(event),
            "at": events.event_at(event),
        }
        assert events.whole_entry(head, body, **numbers) == event
        # Every MessagePack reader finds the same values as the fixed offsets.
        decoded = msgpack.unpackb(event)
        assert {name: decoded[name] for name in numbers} == numbers
        assert list(decoded)[:6] == ["op", "epoch", "seq", "prev", "at", "entry_id"]
        assert (decoded["op"], decoded["entry_id"]) == ("entry", one.entry_id)
        assert events.event_id(event) == one.entry_id
        assert events.for_staff_only(event) is (one.audience == "staff")
        assert events.for_staff_only(b"E" + bytes(8) + event, events.ENVELOPE) is (one.audience == "staff")
        assert events.event_seq(b"E" + bytes(8) + event, events.ENVELOPE) == decoded["seq"]
        assert decoded["epoch"] == EPOCH
        # To SQL and back.
        assert event_of_entry(entry_of_event(event), EPOCH) == event
    assert [events.event_seq(event) for event in page.events] == list(range(1, 8))
    assert [events.event_prev(event) for event in page.events] == [0, 1, 2, 3, 4, 4, 6]
    assert [answer.seq for answer in answers] == list(range(3, 8))
    times = [events.event_at(event) for event in page.events]
    assert times == sorted(times)


async def test_time_never_goes_back(log: ChatLog) -> None:
    """Redis' clock may jump; the order of times follows that of the numbers."""
    ticket, _, _ = await begin(log)
    future = 4_000_000_000_000
    await log.link.call("HSET", chat_key(ticket, b":m"), "at", future)
    assert (await send(log, draft(ticket, 2, text="later"))).at == future
    assert (await send(log, draft(ticket, 3, text="later still"))).at == future


async def test_time_is_what_the_hub_says_only_near_the_last_entrys(log: ChatLog) -> None:
    """However wrong a hub's idea of Redis' clock is: twenty chats of ten messages."""
    chance = random.Random(20)
    for _ in range(20):
        ticket, _, _ = await begin(log)
        shard = log.link.shard_of(ticket)
        last = (await send(log, draft(ticket, 2))).at
        for n in range(3, 12):
            off = chance.choice([0, chance.randint(0, 20), TRUSTED_MS, TRUSTED_MS + 1, 3_600_000, 2**45])
            said = max(0, last + chance.choice([-1, 1]) * off)
            began = await now_ms(log)
            reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            shard.run_packed("send", *draft(ticket, n).send(bytes(8), shard.replid, said), reply.set_result)
            at = events.numbers_of(await reply)[3]
            if abs(said - last) <= TRUSTED_MS:
                assert at == max(last, said)
            else:
                assert max(last, began) <= at <= max(last, await now_ms(log))
            last = at


async def now_ms(log: ChatLog) -> int:
    """By Redis' clock."""
    seconds, micros = await log.link.call("TIME")
    return int(seconds) * 1000 + int(micros) // 1000


async def test_answer_of_a_retry_is_the_first_answer(log: ChatLog) -> None:
    ticket, _, _ = await begin(log)
    one = draft(ticket, 2, text="Only once")
    first = await send(log, one)
    again = await send(log, draft(ticket, 2, text="Only once"))  # with an entry_id of its own
    assert again.dup
    assert (again.seq, again.prev, again.epoch, again.at) == (first.seq, first.prev, first.epoch, first.at)
    assert again.entry_id == one.entry_id
    assert again.event == (await log.page(ticket)).events[2]
