"""The retry identity of a command is (ticket, participant, device, n): executed once, whatever is repeated."""

import asyncio
from typing import Any

import pytest

from chatserver.broker.keys import chat_key, rebase_lock
from tests.support.client import Refused, Socket, new_device
from tests.support.log import until_durable
from tests.support.people import People, Talk, open_chat, start_talk
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio

SAME = ("ticket", "n", "seq", "prev", "epoch", "entry_id", "at")


def assert_same(again: dict[str, Any], first: dict[str, Any]) -> None:
    assert again["dup"] is True
    assert {name: again[name] for name in SAME} == {name: first[name] for name in SAME}


async def refusal(socket: Socket, op: str, **fields: Any) -> dict[str, Any]:
    with pytest.raises(Refused) as caught:
        await socket.call(op, **fields)
    return caught.value.frame


async def texts(talk: Talk) -> list[str]:
    page = await talk.agent.call("pull", ticket=talk.ticket)
    return [entry["text"] for entry in page["entries"] if entry["kind"] in ("message", "note")]


async def test_same_n_and_content_is_the_same_entry(people: People) -> None:
    talk = await start_talk(people)
    first = await talk.say(2, "Only once")
    assert "dup" not in first
    assert_same(await talk.say(2, "Only once"), first)
    note = await talk.note(2, "Once, too")
    assert_same(await talk.note(2, "Once, too"), note)
    assert (await texts(talk))[1:] == ["Only once", "Once, too"]
    await talk.agent.until("entry", ticket=talk.ticket, text="Only once")
    await talk.answer(3, "done")
    await talk.customer.until("entry", ticket=talk.ticket, text="done")
    await talk.agent.round_trip()
    assert talk.agent.seen("entry", text="Only once") == []


async def test_retry_of_a_masked_text_gives_the_masked_text_again(people: People) -> None:
    talk = await start_talk(people)
    first = await talk.say(2, "My card is 4111 1111 1111 1111.")
    again = await talk.say(2, "My card is 4111 1111 1111 1111.")
    assert_same(again, first)
    assert again["text"] == first["text"] == "My card is •••• 1111."


async def test_same_n_with_other_content_is_a_conflict(people: People) -> None:
    talk = await start_talk(people)
    await talk.say(2, "This")
    assert (await refusal(talk.customer, "post_message", ticket=talk.ticket, n=2, text="That"))["code"] == "conflict"
    await talk.answer(2, "Same words")
    other_kind = await refusal(talk.agent, "post_note", ticket=talk.ticket, n=2, text="Same words")
    assert other_kind["code"] == "conflict"
    closing = await refusal(talk.customer, "close_chat", ticket=talk.ticket, n=2)
    assert closing["code"] == "conflict"
    assert (await texts(talk))[1:] == ["This", "Same words"]


async def test_gap_names_the_last_n(people: People) -> None:
    talk = await start_talk(people)
    gap = await refusal(talk.customer, "post_message", ticket=talk.ticket, n=3, text="Too early")
    assert (gap["code"], gap["last_n"], gap["ticket"], gap["n"]) == ("gap", 1, talk.ticket, 3)
    await talk.say(2, "First")
    await talk.say(3, "Too early")
    assert (await texts(talk))[1:] == ["First", "Too early"]


async def test_errors_do_not_use_up_n(people: People) -> None:
    talk = await start_talk(people)
    for bad in (
        {"text": "x" * 4097},
        {"text": " "},
        {"text": 3},
        {"text": "Right", "gen": talk.gen + 1},
        {"text": "Right"},
    ):
        await refusal(talk.agent, "post_message", **({"ticket": talk.ticket, "n": 2} | bad))
    assert "dup" not in await talk.answer(2, "Right")
    await refusal(talk.customer, "rate_chat", ticket=talk.ticket, n=2, rating=5)
    await refusal(talk.customer, "post_message", ticket=talk.ticket, n=4, text="Far")
    assert "dup" not in await talk.say(2, "Right, too")


async def test_retry_over_another_connection_of_the_device(people: People) -> None:
    talk = await start_talk(people)
    first = await talk.say(2, "Did it arrive?")
    await talk.customer.cut()
    again = await people.resume(talk.customer)
    assert_same(await again.call("post_message", ticket=talk.ticket, n=2, text="Did it arrive?"), first)


async def test_command_without_an_ack_arrives_once(people: People) -> None:
    talk = await start_talk(people)
    await talk.customer.start("post_message", ticket=talk.ticket, n=2, text="Cut off")
    await talk.customer.cut()  # perhaps it was read, perhaps not: nobody can know
    again = await people.resume(talk.customer)
    await again.call("post_message", ticket=talk.ticket, n=2, text="Cut off")
    assert (await texts(talk))[1:] == ["Cut off"]


async def test_command_held_back_is_not_executed_once_its_connection_is_gone(
    people: People, server: RunningServer
) -> None:
    """Its sender says it again over another, perhaps under another number because one before it was refused there."""
    talk = await start_talk(people)
    laptop = await people.customer_at(talk.customer.welcome["customer_token"], device=new_device())
    await until_durable(talk.customer, talk.ticket)
    with server.redis() as redis:  # as after a start of Redis, while another process compares the chat with the record
        redis.set(rebase_lock(talk.ticket), "another process", px=10_000)
        redis.hset(chat_key(talk.ticket, b":m"), "replid", "history before")
        await talk.customer.start("post_message", ticket=talk.ticket, n=2, text="From a connection that is gone")
        await talk.customer.round_trip()
        await talk.customer.cut()
        id_ = await laptop.start("post_message", ticket=talk.ticket, n=1, text="From one that stays")
        await laptop.round_trip()
        redis.delete(rebase_lock(talk.ticket))
    assert (await laptop.reply(id_))["seq"] == talk.taken["seq"] + 1  # held back like the other, and behind it
    assert (await texts(talk))[1:] == ["From one that stays"]


async def test_each_device_counts_for_itself(people: People) -> None:
    talk = await start_talk(people)
    laptop = await people.customer_at(talk.customer.welcome["customer_token"], device=new_device())
    await talk.say(2, "From the phone")
    one = await laptop.call("post_message", ticket=talk.ticket, n=1, text="From the laptop")
    assert "dup" not in one
    gap = await refusal(laptop, "post_message", ticket=talk.ticket, n=3, text="Too early")
    assert gap["last_n"] == 1
    assert (await texts(talk))[1:] == ["From the phone", "From the laptop"]


async def test_sixteen_in_flight_keep_their_order(people: People) -> None:
    talk = await start_talk(people)
    ids = [
        await talk.customer.start("post_message", ticket=talk.ticket, n=n, text=f"message {n}") for n in range(2, 18)
    ]
    acks = [await talk.customer.reply(id_) for id_ in ids]
    assert [ack["seq"] for ack in acks] == list(range(4, 20))
    assert (await texts(talk))[1:] == [f"message {n}" for n in range(2, 18)]


async def test_everything_three_times_over_two_connections_is_there_once(people: People) -> None:
    talk = await start_talk(people)
    for n in range(2, 12):
        for _ in range(3):
            await talk.customer.start("post_message", ticket=talk.ticket, n=n, text=f"message {n}")
    again = await people.resume(talk.customer)  # while the others are under way
    acks = []
    for n in range(2, 12):
        acks.append(await again.call("post_message", ticket=talk.ticket, n=n, text=f"message {n}"))
    assert [ack["seq"] for ack in acks] == list(range(4, 14))
    assert (await texts(talk))[1:] == [f"message {n}" for n in range(2, 12)]


async def test_old_n_is_remembered_beyond_the_window(people: People) -> None:
    talk = await start_talk(people)
    first = await talk.say(2, "Long ago")
    for n in range(3, 23):
        last = await talk.say(n, f"message {n}")
    while (await talk.customer.until("durable", ticket=talk.ticket))["seq"] < last["seq"]:
        pass
    assert_same(await talk.say(2, "Long ago"), first)
    other = await refusal(talk.customer, "post_message", ticket=talk.ticket, n=2, text="Something else")
    assert other["code"] == "conflict"  # an ack for what was never stored would be a loss that nobody sees


async def test_every_command_is_executed_once(people: People) -> None:
    talk = await start_talk(people)
    again = await talk.agent.call("take_chat", ticket=talk.ticket, n=1)
    assert_same(again, talk.taken)
    assert again["gen"] == talk.gen
    closed = await talk.end(2)
    assert_same(await talk.end(2), closed)
    rated = await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=4, text="Good")
    assert_same(await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=4, text="Good"), rated)
    other = await refusal(talk.customer, "rate_chat", ticket=talk.ticket, n=2, rating=1, text="Good")
    assert other["code"] == "conflict"
    page = await talk.agent.call("pull", ticket=talk.ticket)
    assert [entry["kind"] for entry in page["entries"]] == ["opened", "message", "assigned", "closed", "rated"]


async def test_own_commands_are_found_in_the_log(people: People) -> None:
    """After a lost ack a client recognises its commands by device and n."""
    talk = await start_talk(people)
    await talk.say(2, "Mine")
    await talk.customer.cut()
    again = await people.resume(talk.customer, chats=[{"ticket": talk.ticket}])
    mine = [entry["n"] for entry in again.welcome["chats"][0]["entries"] if entry.get("device") == again.device]
    assert mine == [1, 2]


async def test_customers_do_not_share_numbers(people: People) -> None:
    device = new_device()
    one, other = await people.customer(device=device), await people.customer(device=device)
    first, second = await asyncio.gather(open_chat(one), open_chat(other))
    assert first["ticket"] != second["ticket"]
    await one.call("post_message", ticket=first["ticket"], n=2, text="Mine")
    await other.call("post_message", ticket=second["ticket"], n=2, text="Mine, too")
