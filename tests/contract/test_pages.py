"""attach, pull, detach: what a position lacks, complete or `reset`."""

from typing import Any

import pytest

from tests.support.client import Refused, new_chat_key, new_device
from tests.support.people import People, Talk, open_chat, position, start_talk

pytestmark = pytest.mark.anyio

LONG = 450


async def make_long(talk: Talk) -> None:
    """Fills the chat up to LONG entries, at most 16 commands in flight."""
    waiting: list[int] = []
    for n in range(2, LONG - 1):
        waiting.append(await talk.customer.start("post_message", ticket=talk.ticket, n=n, text=f"message {n}"))
        if len(waiting) == 16:
            await talk.customer.reply(waiting.pop(0))
    for id_ in waiting:
        await talk.customer.reply(id_)


async def test_long_chat_page_by_page(people: People) -> None:
    talk = await start_talk(people)
    await make_long(talk)
    while (await talk.customer.until("durable", ticket=talk.ticket))["seq"] < LONG:
        pass  # what is durable may leave Redis: the beginning comes from the record now
    for limit in (200, 7):
        entries: list[dict[str, Any]] = []
        where: dict[str, Any] = {"ticket": talk.ticket}
        more = True
        while more:
            page = await talk.customer.call("pull", **where, limit=limit)
            assert page["ok"] is True
            assert page["top"] == LONG
            assert len(page["entries"]) == min(limit, LONG - len(entries))
            entries += page["entries"]
            where, more = position(entries[-1]), page["more"]
        assert [entry["seq"] for entry in entries] == list(range(1, LONG + 1))
        assert [entry["prev"] for entry in entries] == list(range(LONG))
        assert len({entry["entry_id"] for entry in entries}) == LONG
        assert [entry["text"] for entry in entries[3:]] == [f"message {n}" for n in range(2, LONG - 1)]
    # The same entries whether they came live, from Redis or from the record.
    live = [await talk.agent.until("entry", ticket=talk.ticket) for _ in range(LONG - 3)]
    assert live == entries[3:]


async def test_default_page_has_two_hundred_entries(people: People) -> None:
    talk = await start_talk(people)
    await make_long(talk)
    page = await talk.customer.call("attach", ticket=talk.ticket)
    assert (len(page["entries"]), page["more"], page["top"]) == (200, True, LONG)
    again = await people.resume(talk.customer, chats=[position(talk.opened)])
    (page,) = again.welcome["chats"]
    assert (len(page["entries"]), page["more"], page["entries"][0]["seq"]) == (200, True, 3)


async def test_position_at_the_end_lacks_nothing(people: People) -> None:
    talk = await start_talk(people)
    last = await talk.say(2, "Last")
    for op in ("attach", "pull"):
        page = await talk.customer.call(op, **position(last))
        assert (page["ok"], page["entries"], page["more"], page["top"]) == (True, [], False, last["seq"])


async def test_page_starts_after_the_position(people: People) -> None:
    talk = await start_talk(people)
    said = [await talk.say(n, f"message {n}") for n in range(2, 6)]
    page = await talk.customer.call("pull", **position(said[1]))
    assert [entry["entry_id"] for entry in page["entries"]] == [ack["entry_id"] for ack in said[2:]]


@pytest.mark.parametrize("wrong", [{"epoch": 1}, {"entry_id": "0" * 36}, {"seq": 99}, {"seq": 2}])
async def test_foreign_position_is_reset(people: People, wrong: dict[str, Any]) -> None:
    talk = await start_talk(people)
    last = await talk.say(2, "Last")
    for op in ("attach", "pull"):
        page = await talk.customer.call(op, **(position(last) | wrong))
        assert page["reset"] is True
        assert "ok" not in page
        assert [entry["seq"] for entry in page["entries"]] == [1, 2, 3, 4]
        assert page["epoch"] == last["epoch"]
    again = await people.resume(talk.customer, chats=[position(last) | wrong])
    assert again.welcome["chats"][0]["reset"] is True


async def test_position_of_a_note_is_a_position_for_staff(people: People) -> None:
    talk = await start_talk(people)
    note = await talk.note(2, "Aside")
    said = await talk.answer(3, "Hello")
    page = await talk.agent.call("pull", **position(note))
    assert (page["ok"], [entry["seq"] for entry in page["entries"]]) == (True, [said["seq"]])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"limit": "7"}, "limit"),
        ({"seq": -1}, "seq"),
        ({"seq": 2**32}, "seq"),
        ({"epoch": "x"}, "epoch"),
        ({"seq": 2, "epoch": 7}, "entry_id"),
        ({"ticket": 0}, "ticket"),
        ({"ticket": "100009"}, "ticket"),
    ],
)
async def test_bad_position_is_named(people: People, fields: dict[str, Any], named: str) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    for op in ("attach", "pull"):
        with pytest.raises(Refused, match=named) as caught:
            await customer.call(op, **({"ticket": opened["ticket"]} | fields))
        assert caught.value.code == "invalid"


async def test_detached_connection_hears_no_more(people: People) -> None:
    talk = await start_talk(people)
    laptop = await people.customer_at(talk.customer.welcome["customer_token"], device=new_device())
    await laptop.call("attach", ticket=talk.ticket)
    ack = await talk.customer.call("detach", ticket=talk.ticket)
    assert (ack["op"], ack["ticket"]) == ("ack", talk.ticket)
    await talk.answer(2, "Anybody there?")
    await laptop.until("entry", ticket=talk.ticket, text="Anybody there?")
    await talk.customer.round_trip()
    assert talk.customer.seen("entry", ticket=talk.ticket) == []
    # It is still in the chat and may come back.
    await talk.say(2, "I am")
    page = await talk.customer.call("attach", **position(talk.opened))
    assert [entry.get("text") for entry in page["entries"]] == [None, "Anybody there?", "I am"]
    await talk.answer(3, "Good")
    await talk.customer.until("entry", ticket=talk.ticket, text="Good")


async def test_attaching_twice_doubles_nothing(people: People) -> None:
    talk = await start_talk(people)
    for _ in range(3):
        await talk.customer.call("attach", ticket=talk.ticket)
    for n in range(2, 5):
        await talk.answer(n, f"message {n}")
    heard = [await talk.customer.until("entry", ticket=talk.ticket, kind="message") for _ in range(3)]
    assert [entry["text"] for entry in heard] == ["message 2", "message 3", "message 4"]
    await talk.customer.round_trip()
    assert talk.customer.seen("entry", kind="message") == []


async def test_attach_while_others_write_misses_nothing(people: People) -> None:
    talk = await start_talk(people)
    laptop = await people.customer_at(talk.customer.welcome["customer_token"], device=new_device())
    ids = []
    for n in range(2, 32):
        ids.append(await talk.agent.start("post_message", ticket=talk.ticket, n=n, text=f"message {n}", gen=talk.gen))
        if n == 10:
            attach = await laptop.start("attach", ticket=talk.ticket)
    for id_ in ids:
        await talk.agent.reply(id_)
    page = await laptop.reply(attach)
    seqs = [entry["seq"] for entry in page["entries"]]
    while seqs[-1] < 33:
        seqs.append((await laptop.until("entry", ticket=talk.ticket))["seq"])
    assert seqs == list(range(1, 34))


async def test_customer_attaches_to_four_chats_at_most(people: People) -> None:
    customer = await people.customer()
    assert customer.welcome["limits"]["chats"] == 4
    opened = [await open_chat(customer) for _ in range(4)]
    key = new_chat_key()
    with pytest.raises(Refused, match="detach one"):
        await open_chat(customer, chat_key=key)
    await customer.call("attach", ticket=opened[0]["ticket"])  # again: it is one of the four
    await customer.call("detach", ticket=opened[0]["ticket"])
    fifth = await open_chat(customer, chat_key=key)
    assert "dup" not in fifth  # an error says that nothing has happened
    with pytest.raises(Refused, match="detach one"):
        await customer.call("attach", ticket=opened[0]["ticket"])
    await customer.call("pull", ticket=opened[0]["ticket"])


async def test_page_is_full_when_it_has_many_bytes(people: People) -> None:
    """Whatever was written: a page goes through, and asking on gives the rest."""
    talk = await start_talk(people)
    for n in range(2, 42):
        await talk.say(n, "ä" * 4_000)
        await talk.note(n, "b" * 4_000)
    for socket, count in ((talk.customer, 43), (talk.agent, 83)):
        again = await people.resume(socket, chats=[{"ticket": talk.ticket}])
        (page,) = again.welcome["chats"]
        entries = page["entries"]
        pages = 1
        while page["more"]:
            assert sum(len(entry.get("text", "").encode()) for entry in page["entries"]) < 150_000
            page = await again.call("pull", **position(entries[-1]))
            assert page["ok"] is True
            entries += page["entries"]
            pages += 1
        assert pages > 2
        assert len({entry["seq"] for entry in entries}) == len(entries) == count
