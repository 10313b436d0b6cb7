"""One order for everybody; what is for staff never reaches a customer."""

from typing import Any

import pytest

from tests.support.client import Socket, new_device
from tests.support.people import People, open_chat, position, start_talk

pytestmark = pytest.mark.anyio

SECRET = "Kowalski-7421"  # in every note


def assert_chain(entries: list[dict[str, Any]], after: int = 0) -> None:
    """Each entry follows the one before it: what a customer's client checks."""
    for entry in entries:
        assert entry["prev"] == after, entries
        assert entry["seq"] > after
        after = entry["seq"]


async def every_page(socket: Socket, ticket: int, limit: int) -> list[dict[str, Any]]:
    """The log by `pull`, page by page."""
    entries: list[dict[str, Any]] = []
    where: dict[str, Any] = {"ticket": ticket}
    while True:
        page = await socket.call("pull", **where, limit=limit)
        assert page["ok"] is True
        entries += page["entries"]
        if not page["more"]:
            return entries
        assert page["entries"], "a page that says more has something"
        where = position(page["entries"][-1])


async def test_customer_sees_no_note_and_no_hole(people: People) -> None:
    talk = await start_talk(people)
    watching = await people.customer_at(talk.customer.welcome["customer_token"], device=new_device())
    await watching.call("attach", ticket=talk.ticket)
    colleague = await people.staff("ben")
    await colleague.call("attach", ticket=talk.ticket)
    said = [
        await talk.answer(2, "How can I help?"),
        await talk.note(3, f"{SECRET} has called before"),
        await talk.note(4, f"{SECRET} again"),
        await talk.say(2, "It is broken."),
        await talk.note(5, SECRET),
        await talk.answer(6, "I am sorry."),
        await talk.say(3, "Never mind."),
        await talk.note(7, SECRET),
        await talk.end(8),
    ]
    assert [ack["seq"] for ack in said] == list(range(4, 13))
    numbers_of_notes = {5, 6, 8, 11}

    # Live: a device that only reads gets everything else, in order, with an unbroken chain.
    live = [await watching.until("entry", ticket=talk.ticket) for _ in range(5)]
    assert_chain(live, after=3)
    assert [entry["seq"] for entry in live] == [4, 7, 9, 10, 12]

    # The writing device gets the other side's; its own acks close the chain.
    theirs = [await talk.customer.until("entry", ticket=talk.ticket) for _ in range(3)]
    own = [ack for ack in said if ack["seq"] in (7, 10)]
    assert_chain(sorted([*theirs, *own], key=lambda one: int(one["seq"])), after=3)

    # In pages of every size, in a new attach, in a resumed connection.
    for limit in (1, 2, 3, 200):
        entries = await every_page(watching, talk.ticket, limit)
        assert_chain(entries)
        assert not numbers_of_notes & {entry["seq"] for entry in entries}
        assert [entry["kind"] for entry in entries][-1] == "closed"
    page = await talk.customer.call("attach", ticket=talk.ticket)
    assert_chain(page["entries"])
    assert page["top"] == 12
    await talk.customer.round_trip()
    again = await people.resume(talk.customer, chats=[position(talk.opened)])
    assert_chain(again.welcome["chats"][0]["entries"], after=2)

    # Nothing of a note in any byte that a customer's connection has ever got; the colleague has all of it.
    await watching.round_trip()
    for socket in (talk.customer, watching, again):
        assert not socket.has_received(SECRET)
        assert not socket.has_received("note")
    entries = [await colleague.until("entry", ticket=talk.ticket) for _ in range(9)]
    assert [entry["seq"] for entry in entries] == list(range(4, 13))
    assert {entry["seq"] for entry in entries if entry["audience"] == "staff"} == numbers_of_notes
    assert colleague.has_received(SECRET)


async def test_note_after_the_last_public_entry_does_not_show_in_top(people: People) -> None:
    talk = await start_talk(people)
    note = await talk.note(2, SECRET)
    page = await talk.customer.call("pull", ticket=talk.ticket)
    assert page["top"] == 3
    assert page["more"] is False
    assert (await talk.agent.call("pull", ticket=talk.ticket))["top"] == note["seq"] == 4


async def test_page_of_a_customer_is_not_empty_because_staff_wrote_a_lot(people: People) -> None:
    talk = await start_talk(people)
    for n in range(2, 14):
        await talk.note(n, f"{SECRET} {n}")
    last = await talk.answer(14, "Still there?")
    page = await talk.customer.call("pull", **position(talk.opened), limit=3)
    assert [entry["kind"] for entry in page["entries"]] == ["assigned"]
    assert page["more"] is True
    page = await talk.customer.call("pull", **position(page["entries"][-1]), limit=3)
    assert [entry["seq"] for entry in page["entries"]] == [last["seq"]]
    assert page["more"] is False


async def test_own_entries_come_as_ack_only(people: People) -> None:
    talk = await start_talk(people)
    await talk.say(2, "One")
    await talk.say(3, "Two")
    await talk.answer(2, "Three")
    assert (await talk.customer.until("entry", ticket=talk.ticket))["text"] == "Three"
    await talk.customer.round_trip()
    assert talk.customer.seen("entry", role="customer") == []


async def test_both_sides_see_one_order(people: People) -> None:
    talk = await start_talk(people)
    ids = []
    for n in range(2, 17):  # both at once, nobody waits
        ids.append((await talk.customer.start("post_message", ticket=talk.ticket, n=n, text=f"c{n}"), "c"))
        ids.append((await talk.agent.start("post_message", ticket=talk.ticket, n=n, text=f"a{n}", gen=talk.gen), "a"))
    acks = {"c": [], "a": []}  # type: dict[str, list[dict[str, Any]]]
    for id_, side in ids:
        acks[side].append(await (talk.customer if side == "c" else talk.agent).reply(id_))
    views = {}
    for side, socket in (("c", talk.customer), ("a", talk.agent)):
        heard = [await socket.until("entry", ticket=talk.ticket, kind="message") for _ in range(15)]
        assert [entry["seq"] for entry in heard] == sorted(entry["seq"] for entry in heard)
        everything = sorted([*heard, *acks[side]], key=lambda one: int(one["seq"]))
        assert_chain(everything, after=3)
        views[side] = [one["entry_id"] for one in everything]
    assert views["c"] == views["a"]
    log = await every_page(talk.agent, talk.ticket, 200)
    assert [entry["entry_id"] for entry in log][3:] == views["a"]
    times = [entry["at"] for entry in log]
    assert times == sorted(times)


async def test_staff_who_only_left_a_note_stay_unseen(people: People) -> None:
    talk = await start_talk(people)
    supervisor = await people.staff("sue")
    assert "me" not in (await supervisor.call("attach", ticket=talk.ticket))["state"]
    await supervisor.call("post_note", ticket=talk.ticket, n=1, text=SECRET)
    attached = await supervisor.call("attach", ticket=talk.ticket)
    her = attached["state"]["me"]
    await supervisor.send({"op": "typing", "ticket": talk.ticket})
    await supervisor.send({"op": "read", "ticket": talk.ticket, "seq": 4})
    await supervisor.call("post_note", ticket=talk.ticket, n=2, text=SECRET)  # what came before has been published
    await talk.answer(2, "Hello?")
    await talk.customer.until("entry", ticket=talk.ticket, text="Hello?")
    page = await talk.customer.call("attach", ticket=talk.ticket)
    assert talk.customer.seen("event", topic="chat", type="typing") == []
    assert not talk.customer.has_received(her)
    assert not talk.customer.has_received("Sue")
    assert her not in page["reads"]
    assert {one["role"] for one in page["state"]["participants"]} == {"customer", "agent"}


async def test_chats_do_not_mix(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    one, two = await open_chat(customer), await open_chat(customer)
    taken = {ack["ticket"]: await agent.call("take_chat", ticket=ack["ticket"], n=1) for ack in (one, two)}
    for n in (2, 3):
        for ticket, ack in taken.items():
            await agent.call("post_message", ticket=ticket, n=n, text=f"{ticket} {n}", gen=ack["gen"])
    for ticket in taken:
        heard = [await customer.until("entry", ticket=ticket) for _ in range(3)]
        assert_chain(heard, after=2)
        assert [entry.get("text") for entry in heard] == [None, f"{ticket} 2", f"{ticket} 3"]
