"""How a chat ends."""

import asyncio

import pytest

from tests.support.client import PATIENCE, Refused, Socket
from tests.support.people import People, open_chat, start_talk

pytestmark = pytest.mark.anyio


async def until_closed(socket: Socket, ticket: int) -> dict[str, object]:
    """The state once the worker has sealed it."""
    async with asyncio.timeout(PATIENCE):
        while (page := await socket.call("pull", ticket=ticket))["state"]["state"] != "closed":
            assert page["state"]["state"] == "closing"
            await asyncio.sleep(0.02)
    state: dict[str, object] = page["state"]
    return state


async def test_agent_closes(people: People) -> None:
    talk = await start_talk(people)
    ack = await talk.end(2)
    closed = await talk.customer.until("entry", ticket=talk.ticket, kind="closed")
    assert (closed["seq"], closed["data"], closed["role"]) == (ack["seq"], {"reason": "agent"}, "agent")
    state = await until_closed(talk.customer, talk.ticket)
    assert (state["close_reason"], state["closed_at"]) == ("agent", ack["at"])


async def test_customer_closes(people: People) -> None:
    talk = await start_talk(people)
    await talk.customer.call("close_chat", ticket=talk.ticket, n=2)
    closed = await talk.agent.until("entry", ticket=talk.ticket, kind="closed")
    assert (closed["data"], closed["role"]) == ({"reason": "customer"}, "customer")


async def test_customer_closes_while_waiting(people: People) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    await customer.call("close_chat", ticket=opened["ticket"], n=2)
    state = await until_closed(customer, opened["ticket"])
    assert "owner" not in state
    assert "queue" not in state


async def test_nothing_is_said_after_the_end(people: People) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    for again in range(2):
        with pytest.raises(Refused, match="chat_closed"):
            await talk.say(2, "One more thing")
        with pytest.raises(Refused, match="chat_closed"):
            await talk.answer(3, "One more thing")
        with pytest.raises(Refused, match="chat_closed"):
            await talk.end(3)
        if not again:
            await until_closed(talk.customer, talk.ticket)
    page = await talk.agent.call("pull", ticket=talk.ticket)
    assert page["entries"][-1]["kind"] == "closed"


async def test_note_after_the_end_is_for_staff(people: People) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    note = await talk.note(3, "Called back")
    assert (await talk.agent.call("pull", ticket=talk.ticket))["top"] == note["seq"]
    page = await talk.customer.call("pull", ticket=talk.ticket)
    assert page["entries"][-1]["kind"] == "closed"


async def test_rating_comes_after_the_end(people: People) -> None:
    talk = await start_talk(people)
    with pytest.raises(Refused, match="invalid"):
        await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=5)
    await talk.end(2)
    await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=2, text="Slow")
    rated = await talk.agent.until("entry", ticket=talk.ticket, kind="rated")
    assert (rated["data"], rated["text"], rated["role"]) == ({"rating": 2}, "Slow", "customer")
    await talk.customer.call("rate_chat", ticket=talk.ticket, n=3, rating=4)
    assert (await talk.agent.call("pull", ticket=talk.ticket))["state"]["rating"] == 4
    assert (await until_closed(talk.customer, talk.ticket))["rating"] == 4


@pytest.mark.parametrize("rating", [0, 6, -1, 3.5, "5", None, True])
async def test_rating_is_one_to_five(people: People, rating: object) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    with pytest.raises(Refused, match="rating") as caught:
        await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=rating)
    assert caught.value.code == "invalid"


async def test_agents_do_not_rate(people: People) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    with pytest.raises(Refused, match="not_found"):
        await talk.agent.call("rate_chat", ticket=talk.ticket, n=3, rating=5)


async def test_regarding_opens_a_linked_chat(people: People) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    linked = await open_chat(talk.customer, regarding=[talk.ticket])
    assert linked["ticket"] != talk.ticket
