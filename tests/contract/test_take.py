"""take_chat: one owner, fenced by gen."""

import asyncio

import pytest

from tests.support.client import Refused, Socket
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio


async def test_agent_becomes_the_owner(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    opened = await open_chat(customer, "Hello")
    ack = await agent.call("take_chat", ticket=opened["ticket"], n=1)
    assert (ack["n"], ack["seq"], ack["prev"], ack["gen"]) == (1, 3, 2, 1)
    page = ack["page"]
    assert [entry["kind"] for entry in page["entries"]] == ["opened", "message", "assigned"]
    state = page["state"]
    assert (state["state"], state["gen"]) == ("active", 1)
    assert state["owner"] == {"participant": state["me"], "name": "Ann"}
    assert state["accepted_at"] == ack["at"]
    assigned = await customer.until("entry", ticket=opened["ticket"])
    assert assigned["kind"] == "assigned"
    assert assigned["data"] == {"owner": state["me"], "name": "Ann", "gen": 1}
    shown = (await customer.call("pull", ticket=opened["ticket"]))["state"]
    assert (shown["state"], shown["owner"]["name"]) == ("active", "Ann")
    assert "gen" not in shown
    assert "queue" not in shown


async def test_second_agent_is_told_who_was_quicker(people: People) -> None:
    talk = await start_talk(people, "ann")
    with pytest.raises(Refused) as caught:
        await (await people.staff("ben")).call("take_chat", ticket=talk.ticket, n=1)
    assert (caught.value.code, caught.value.frame["owner"]) == ("already_assigned", "Ann")


async def test_of_two_agents_at_once_one_wins(people: People) -> None:
    customers = [await people.customer() for _ in range(5)]
    tickets = [(await open_chat(customer))["ticket"] for customer in customers for _ in range(4)]
    ann, ben = await people.staff("ann"), await people.staff("ben")

    async def race(agent: Socket) -> list[str]:
        ids = [await agent.start("take_chat", ticket=ticket, n=1) for ticket in tickets]
        results = []
        for id_ in ids:
            try:
                await agent.reply(id_)
                results.append("mine")
            except Refused as refused:
                results.append(f"{refused.code}: {refused.frame.get('owner')}")
        return results

    for_ann, for_ben = await asyncio.gather(race(ann), race(ben))
    assert len(tickets) == 20
    outcomes = {("mine", "already_assigned: Ann"), ("already_assigned: Ben", "mine")}
    assert set(zip(for_ann, for_ben, strict=True)) <= outcomes
    for ticket in tickets:
        entries = (await ann.call("pull", ticket=ticket))["entries"]
        assert [entry["kind"] for entry in entries].count("assigned") == 1


async def test_second_device_of_the_owner_joins_in(people: People) -> None:
    talk = await start_talk(people)
    desk = await people.staff("ann")
    ack = await desk.call("take_chat", ticket=talk.ticket, n=1)
    assert (ack["dup"], ack["gen"], ack["seq"]) == (True, talk.gen, talk.taken["seq"])
    await desk.call("post_message", ticket=talk.ticket, n=2, text="From my desk", gen=ack["gen"])
    assert (await talk.customer.until("entry", kind="message"))["name"] == "Ann"


async def test_gen_guards_what_the_owner_does(people: People) -> None:
    talk = await start_talk(people)
    for gen in ({"gen": talk.gen + 1}, {"gen": 0}, {}):
        for op, fields in (("post_message", {"text": "Hello"}), ("close_chat", {})):
            with pytest.raises(Refused) as caught:
                await talk.agent.call(op, ticket=talk.ticket, n=2, **fields, **gen)
            assert caught.value.code == "stale_gen"
    await talk.answer(2, "Hello")
    await talk.end(3)


async def test_colleague_who_does_not_own_it_cannot_write_or_close(people: People) -> None:
    talk = await start_talk(people)
    ben = await people.staff("ben")
    await ben.call("attach", ticket=talk.ticket)  # the department is his
    for op, fields in (("post_message", {"text": "Hello", "gen": talk.gen}), ("close_chat", {"gen": talk.gen})):
        with pytest.raises(Refused, match="not_found"):
            await ben.call(op, ticket=talk.ticket, n=1, **fields)
    await ben.call("post_note", ticket=talk.ticket, n=1, text="A hint")
    with pytest.raises(Refused, match="not_found"):  # a note does not make him one who may speak
        await ben.call("post_message", ticket=talk.ticket, n=2, text="Hello", gen=talk.gen)


async def test_customer_cannot_take(people: People) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    with pytest.raises(Refused, match="not_found"):
        await customer.call("take_chat", ticket=opened["ticket"], n=2)


async def test_ended_chat_cannot_be_taken(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    opened = await open_chat(customer)
    await customer.call("close_chat", ticket=opened["ticket"], n=2)
    with pytest.raises(Refused, match="chat_closed"):
        await agent.call("take_chat", ticket=opened["ticket"], n=1)


async def test_retry_is_answered_as_the_first_time_whatever_has_happened_since(people: People) -> None:
    talk = await start_talk(people)
    await talk.agent.call("take_chat", ticket=talk.ticket, n=1)
    again = await people.resume(talk.agent)
    repeated = await again.call("take_chat", ticket=talk.ticket, n=1)
    assert (repeated["dup"], repeated["gen"], repeated["entry_id"]) == (True, talk.gen, talk.taken["entry_id"])
    await talk.customer.call("close_chat", ticket=talk.ticket, n=2)
    repeated = await again.call("take_chat", ticket=talk.ticket, n=1)
    assert (repeated["dup"], repeated["gen"], repeated["entry_id"]) == (True, talk.gen, talk.taken["entry_id"])
    assert [entry["kind"] for entry in repeated["page"]["entries"]][-1] == "closed"
    desk = await people.staff("ann")
    for socket, n in ((again, 2), (desk, 1)):  # these are no retries
        with pytest.raises(Refused, match="chat_closed"):
            await socket.call("take_chat", ticket=talk.ticket, n=n)


async def test_numbers_of_taking_are_checked_like_all_others(people: People) -> None:
    talk = await start_talk(people)
    await talk.answer(2, "Hello")
    with pytest.raises(Refused) as conflict:
        await talk.agent.call("take_chat", ticket=talk.ticket, n=2)
    assert conflict.value.code == "conflict"
    with pytest.raises(Refused) as gap:
        await (await people.staff("ann")).call("take_chat", ticket=talk.ticket, n=3)
    assert (gap.value.code, gap.value.frame["last_n"]) == ("gap", 0)
    ben = await people.staff("ben")
    with pytest.raises(Refused, match="already_assigned"):
        await ben.call("take_chat", ticket=talk.ticket, n=1)
    with pytest.raises(Refused, match="not_found"):  # who has nothing to do with it learns nothing from numbers either
        await (await people.staff("cid")).call("take_chat", ticket=talk.ticket, n=7)


async def test_customer_writes_while_waiting(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    opened = await open_chat(customer)
    await customer.call("post_message", ticket=opened["ticket"], n=2, text="Anybody?")
    page = (await agent.call("take_chat", ticket=opened["ticket"], n=1))["page"]
    assert [entry["seq"] for entry in page["entries"]] == [1, 2, 3, 4]
