"""What is told but not stored as an entry: typing, read markers."""

import pytest

from tests.support.client import new_device
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio


async def test_typing_reaches_the_others(people: People) -> None:
    talk = await start_talk(people, name="Sam")
    me = talk.opened["page"]["state"]["me"]
    await talk.customer.send({"op": "typing", "ticket": talk.ticket})
    event = await talk.agent.until("event", topic="chat", ticket=talk.ticket)
    assert event == {
        "op": "event",
        "topic": "chat",
        "ticket": talk.ticket,
        "type": "typing",
        "participant": me,
        "name": "Sam",
    }
    await talk.agent.send({"op": "typing", "ticket": talk.ticket})
    back = await talk.customer.until("event", topic="chat", type="typing")
    assert (back["name"], back["participant"]) == ("Ann", talk.taken["page"]["state"]["me"])
    await talk.agent.round_trip()
    assert talk.agent.seen("event", type="typing") == []


async def test_read_marker_reaches_the_others_and_stays(people: People) -> None:
    talk = await start_talk(people)
    said = await talk.answer(2, "Please read this")
    await talk.customer.until("entry", ticket=talk.ticket, seq=said["seq"])  # a marker counts for what one was given
    me = talk.opened["page"]["state"]["me"]
    await talk.customer.send({"op": "read", "ticket": talk.ticket, "seq": said["seq"]})
    event = await talk.agent.until("event", topic="chat", type="read")
    assert (event["ticket"], event["participant"], event["seq"]) == (talk.ticket, me, said["seq"])
    assert "version" not in event
    assert (await talk.agent.call("pull", ticket=talk.ticket))["reads"] == {me: said["seq"]}
    assert (await talk.customer.call("pull", ticket=talk.ticket))["reads"] == {me: said["seq"]}


async def test_read_marker_goes_forward_only_and_not_beyond_the_end(people: People) -> None:
    talk = await start_talk(people)
    me = talk.opened["page"]["state"]["me"]
    for seq in (3, 2, 0, 99):
        await talk.customer.send({"op": "read", "ticket": talk.ticket, "seq": seq})
    await talk.customer.round_trip()
    # Another connection of the device: nothing there remembers what the first one said.
    again = await people.resume(talk.customer, chats=[{"ticket": talk.ticket}])
    for seq in (2, 99):
        await again.send({"op": "read", "ticket": talk.ticket, "seq": seq})
    await again.call("post_message", ticket=talk.ticket, n=2, text="done")
    await talk.agent.until("entry", ticket=talk.ticket, text="done")
    assert [event["seq"] for event in talk.agent.seen("event", type="read")] == [3]
    assert (await talk.agent.call("pull", ticket=talk.ticket))["reads"] == {me: 3}


async def test_signals_of_a_stranger_go_nowhere(people: People) -> None:
    talk, stranger = await start_talk(people), await people.customer()
    await stranger.send({"op": "typing", "ticket": talk.ticket})
    await stranger.send({"op": "read", "ticket": talk.ticket, "seq": 3})
    await stranger.round_trip()
    assert stranger.seen("error") == []  # nor do they tell whether there is such a chat
    await talk.say(2, "done")
    await talk.agent.until("entry", ticket=talk.ticket, text="done")
    assert talk.agent.seen("event", topic="chat") == []
    assert (await talk.agent.call("pull", ticket=talk.ticket))["reads"] == {}


async def test_durable_follows_an_ack(people: People) -> None:
    talk = await start_talk(people)
    ack = await talk.say(2, "Keep this")
    while (durable := await talk.customer.until("durable", ticket=talk.ticket))["seq"] < ack["seq"]:
        pass
    assert durable == {"op": "durable", "ticket": talk.ticket, "epoch": ack["epoch"], "seq": ack["seq"]}
    assert (await talk.customer.call("pull", ticket=talk.ticket))["state"]["durable"] == ack["seq"]


async def test_ping_is_answered(people: People) -> None:
    customer = await people.customer()
    await customer.send({"op": "ping"})
    assert await customer.receive() == {"op": "pong"}
    await customer.send({"op": "pong"})
    await customer.round_trip()


async def test_own_other_device_hears_typing(people: People) -> None:
    phone = await people.customer()
    opened = await open_chat(phone)
    laptop = await people.customer_at(phone.welcome["customer_token"], device=new_device())
    await laptop.call("attach", ticket=opened["ticket"])
    await phone.send({"op": "typing", "ticket": opened["ticket"]})
    await laptop.until("event", topic="chat", type="typing")
