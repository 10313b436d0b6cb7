"""open_chat: one key is one ticket."""

import asyncio
import re
from typing import Any

import pytest

from tests.support.client import Refused, Socket, new_chat_key, new_device
from tests.support.people import People, open_chat
from transcripts.ticket import is_ticket

pytestmark = pytest.mark.anyio


async def entries(customer: Socket, ticket: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await customer.call("pull", ticket=ticket))["entries"]
    return found


async def test_ack_has_all_that_the_customer_needs(people: People) -> None:
    customer = await people.customer()
    ack = await open_chat(customer, "Where is my parcel?", topic="Delivery", order="112-7788", name="Sam")
    assert is_ticket(ack["ticket"])
    assert (ack["n"], ack["seq"], ack["prev"]) == (1, 2, 1)
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{10}", ack["access_code"])
    assert ack["claim"]
    assert "dup" not in ack
    assert "text" not in ack
    page = ack["page"]
    opened, message = page["entries"]
    assert (opened["kind"], opened["seq"], opened["prev"]) == ("opened", 1, 0)
    assert opened["data"] == {"department": "support", "topic": "Delivery", "order": "112-7788"}
    assert (message["kind"], message["text"], message["name"]) == ("message", "Where is my parcel?", "Sam")
    assert (message["device"], message["n"]) == (customer.device, 1)
    assert (message["entry_id"], message["at"], message["epoch"]) == (ack["entry_id"], ack["at"], ack["epoch"])
    state = page["state"]
    assert (state["state"], state["mode"], state["me"]) == ("queued", "live", message["participant"])
    assert state["department"] == {"id": "support", "name": "Support"}
    assert (state["topic"], state["order"], state["customer_name"]) == ("Delivery", "112-7788", "Sam")
    assert "gen" not in state
    assert 1 <= state["queue"]["place"] <= state["queue"]["waiting"]


async def test_same_key_on_the_same_connection(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    first = await open_chat(customer, chat_key=key)
    again = await open_chat(customer, chat_key=key)
    assert again["dup"] is True
    for name in ("ticket", "seq", "prev", "epoch", "entry_id", "at", "access_code", "n"):
        assert again[name] == first[name], name
    assert len(await entries(customer, first["ticket"])) == 2


async def test_same_key_on_a_new_connection(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    first = await open_chat(customer, chat_key=key)
    await customer.cut()
    again = await open_chat(await people.resume(customer), chat_key=key)
    assert (again["ticket"], again["dup"]) == (first["ticket"], True)


async def test_same_key_at_another_device(people: People) -> None:
    phone, key = await people.customer(), new_chat_key()
    first = await open_chat(phone, chat_key=key)
    laptop = await people.customer_at(phone.welcome["customer_token"], device=new_device())
    again = await open_chat(laptop, chat_key=key)
    assert (again["ticket"], again["dup"]) == (first["ticket"], True)
    # The first message was the other device's command: this one has not used a number yet.
    with pytest.raises(Refused) as caught:
        await laptop.call("post_message", ticket=first["ticket"], n=2, text="From the laptop")
    assert (caught.value.code, caught.value.frame["last_n"]) == ("gap", 0)
    await laptop.call("post_message", ticket=first["ticket"], n=1, text="From the laptop")


async def test_same_key_ten_times_at_once(people: People) -> None:
    phone, key = await people.customer(), new_chat_key()
    token = phone.welcome["customer_token"]
    devices = [phone, *[await people.customer_at(token, device=new_device()) for _ in range(9)]]
    acks = await asyncio.gather(*(open_chat(device, chat_key=key) for device in devices))
    assert len({ack["ticket"] for ack in acks}) == 1
    assert len({ack["entry_id"] for ack in acks}) == 1
    assert sum("dup" not in ack for ack in acks) == 1
    assert [entry["kind"] for entry in await entries(phone, acks[0]["ticket"])] == ["opened", "message"]


async def test_same_key_ten_times_in_one_go(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    ids = [await customer.start("open_chat", chat_key=key, text="Hello?") for _ in range(10)]
    acks = [await customer.reply(id_) for id_ in ids]
    assert len({ack["ticket"] for ack in acks}) == 1
    assert len(await entries(customer, acks[0]["ticket"])) == 2


async def test_same_key_with_another_text_changes_nothing(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    first = await open_chat(customer, "First words", chat_key=key)
    again = await open_chat(customer, "Other words", chat_key=key)
    assert again["ticket"] == first["ticket"]
    assert [entry.get("text") for entry in await entries(customer, first["ticket"])] == [None, "First words"]


async def test_same_key_of_another_customer_is_another_ticket(people: People) -> None:
    key = new_chat_key()
    one = await open_chat(await people.customer(), chat_key=key)
    other = await open_chat(await people.customer(), chat_key=key)
    assert one["ticket"] != other["ticket"]
    assert "dup" not in other
    assert one["access_code"] != other["access_code"]


async def test_same_key_after_the_end(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    first = await open_chat(customer, chat_key=key)
    await customer.call("close_chat", ticket=first["ticket"], n=2)
    again = await open_chat(customer, chat_key=key)
    assert (again["ticket"], again["dup"]) == (first["ticket"], True)
    assert again["page"]["state"]["state"] in ("closing", "closed")


async def test_claim_names_the_same_ticket(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    first = await open_chat(customer, chat_key=key)
    again = await open_chat(customer, chat_key=key, claim=first["claim"])
    assert (again["ticket"], again["dup"]) == (first["ticket"], True)


async def test_reserved_number_is_the_ticket(people: People) -> None:
    customer, key = await people.customer(), new_chat_key()
    reserved = await customer.call("reserve_ticket", chat_key=key)
    assert set(reserved) == {"op", "id", "ticket", "claim"}
    again = await customer.call("reserve_ticket", chat_key=key)
    assert again["ticket"] == reserved["ticket"]
    opened = await open_chat(customer, chat_key=key, claim=reserved["claim"])
    assert (opened["ticket"], "dup" in opened) == (reserved["ticket"], False)
    later = await customer.call("reserve_ticket", chat_key=key)
    assert later["ticket"] == reserved["ticket"]


async def test_reserved_number_alone_is_no_chat(people: People) -> None:
    customer = await people.customer()
    reserved = await customer.call("reserve_ticket", chat_key=new_chat_key())
    for somebody in (customer, await people.staff("ann")):
        with pytest.raises(Refused, match="not_found"):
            await somebody.call("attach", ticket=reserved["ticket"])


async def test_claim_of_another_customer_or_key_is_worth_nothing(people: People) -> None:
    key = new_chat_key()
    mine = await open_chat(await people.customer(), chat_key=key)
    thief = await people.customer()
    theirs = await open_chat(thief, chat_key=key, claim=mine["claim"])
    assert theirs["ticket"] != mine["ticket"]
    other_key = await open_chat(thief, claim=theirs["claim"])
    assert other_key["ticket"] not in (mine["ticket"], theirs["ticket"])


async def test_different_keys_are_different_chats(people: People) -> None:
    customer = await people.customer()
    tickets = {(await open_chat(customer))["ticket"] for _ in range(3)}
    assert len(tickets) == 3


async def test_opener_is_attached(people: People) -> None:
    customer, agent = await people.customer(), await people.staff("ann")
    opened = await open_chat(customer)
    await agent.call("take_chat", ticket=opened["ticket"], n=1)
    entry = await customer.until("entry", ticket=opened["ticket"])
    assert (entry["kind"], entry["prev"]) == ("assigned", opened["seq"])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"chat_key": "short"}, "chat_key"),
        ({"chat_key": "A" * 32}, "chat_key"),
        ({"chat_key": None}, "chat_key"),
        ({"text": None}, "text"),
        ({"text": "  \n "}, "no text"),
        ({"text": 7}, "text"),
        ({"topic": "x" * 201}, "topic"),
        ({"department": "nowhere"}, "nowhere"),
        ({"regarding": 100009}, "regarding"),
        ({"regarding": ["100009"]}, "regarding"),
        ({"name": ""}, "name"),
    ],
)
async def test_bad_field_is_named(people: People, fields: dict[str, Any], named: str) -> None:
    customer, key = await people.customer(), new_chat_key()
    with pytest.raises(Refused, match=named) as caught:
        await open_chat(customer, **({"chat_key": key} | fields))
    assert caught.value.code == "invalid"
    assert "dup" not in await open_chat(customer, chat_key=key)


async def test_missing_text_is_named(people: People) -> None:
    customer = await people.customer()
    with pytest.raises(Refused, match="text"):
        await customer.call("open_chat", chat_key=new_chat_key())


async def test_department_and_regarding(people: People) -> None:
    customer = await people.customer()
    first = await open_chat(customer)
    second = await open_chat(customer, department="billing", regarding=[first["ticket"]])
    assert second["page"]["state"]["department"] == {"id": "billing", "name": "Billing"}
    assert second["page"]["entries"][0]["data"]["regarding"] == [first["ticket"]]


async def test_staff_do_not_open_chats(people: People) -> None:
    with pytest.raises(Refused, match="customers"):
        await open_chat(await people.staff("ann"))
    with pytest.raises(Refused, match="invalid"):
        await (await people.staff("ann")).call("reserve_ticket", chat_key=new_chat_key())
