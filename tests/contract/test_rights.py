"""Who may see a chat. "Not there" and "not yours" are the same answer; every outsider is shown to be one first."""

from typing import Any

import pytest

from tests.support.client import Refused, Socket
from tests.support.people import People, Talk, open_chat, position, start_talk
from tests.support.server import RunningServer
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio

UNKNOWN = ticket_of(99_999_999)

OUTSIDERS = ("agent of another department", "another customer")
COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("attach", {}),
    ("pull", {}),
    ("take_chat", {"n": 1}),
    ("post_message", {"n": 1, "text": "Let me in"}),
    ("post_message", {"n": 1, "text": "Let me in", "gen": 1}),
    ("post_note", {"n": 1, "text": "Let me in"}),
    ("close_chat", {"n": 1}),
    ("close_chat", {"n": 1, "gen": 1}),
    ("rate_chat", {"n": 1, "rating": 1}),
]


async def outsider(people: People, kind: str, talk: Talk) -> Socket:
    """Somebody who has nothing to do with the chat, as the test can see."""
    state = talk.taken["page"]["state"]
    if kind == "another customer":
        socket = await people.customer()
        assert socket.welcome["person"]["id"] != talk.customer.welcome["person"]["id"]
        return socket
    socket = await people.staff("cid")
    assert socket.welcome["person"]["role"] == "agent"
    assert state["department"]["id"] not in [one["id"] for one in socket.welcome["person"]["departments"]]
    return socket


async def refusal(socket: Socket, op: str, ticket: int, fields: dict[str, Any]) -> dict[str, Any]:
    """The answer without what names the command."""
    with pytest.raises(Refused) as caught:
        await socket.call(op, ticket=ticket, **fields)
    frame = dict(caught.value.frame)
    assert frame.pop("ticket") == ticket
    del frame["id"]
    return frame


@pytest.mark.parametrize("kind", OUTSIDERS)
async def test_foreign_ticket_is_as_unknown_as_no_ticket(people: People, kind: str) -> None:
    talk = await start_talk(people)
    socket = await outsider(people, kind, talk)
    for ended in (False, True):
        if ended:
            await talk.end(2)
        for op, fields in COMMANDS:
            foreign = await refusal(socket, op, talk.ticket, fields)
            assert foreign["code"] == "not_found", op
            assert foreign == await refusal(socket, op, UNKNOWN, fields)
            assert foreign == await refusal(socket, op, 100_008, fields)  # its check digit is wrong
    page = await talk.agent.call("pull", ticket=talk.ticket)
    assert [entry["kind"] for entry in page["entries"]] == ["opened", "message", "assigned", "closed"]
    assert len(page["state"]["participants"]) == 2


@pytest.mark.parametrize("kind", OUTSIDERS)
async def test_waiting_chat_is_not_theirs_either(people: People, kind: str) -> None:
    talk = await start_talk(people)
    socket = await outsider(people, kind, talk)
    waiting = await open_chat(talk.customer)
    for op, fields in COMMANDS:
        foreign = await refusal(socket, op, waiting["ticket"], fields)
        assert foreign["code"] == "not_found", op
        assert foreign == await refusal(socket, op, UNKNOWN, fields)
    await talk.agent.call("take_chat", ticket=waiting["ticket"], n=1)  # it still waits for its own people


@pytest.mark.parametrize("kind", OUTSIDERS)
async def test_hello_does_not_give_it_away(people: People, kind: str) -> None:
    talk = await start_talk(people)
    socket = await outsider(people, kind, talk)
    again = await people.resume(socket, chats=[position(talk.taken), {**position(talk.taken), "ticket": UNKNOWN}])
    assert again.welcome["chats"] == [
        {"ticket": talk.ticket, "error": "not_found"},
        {"ticket": UNKNOWN, "error": "not_found"},
    ]
    await talk.answer(2, "For you alone")
    await talk.customer.until("entry", ticket=talk.ticket, text="For you alone")
    await again.round_trip()
    assert again.seen("entry") == []


async def test_detach_from_a_foreign_chat_tells_nothing(people: People) -> None:
    talk, other = await start_talk(people), await people.customer()
    for ticket in (talk.ticket, UNKNOWN):
        assert (await other.call("detach", ticket=ticket))["op"] == "ack"


async def test_customer_may_not_do_what_staff_do(people: People) -> None:
    talk = await start_talk(people)
    with pytest.raises(Refused, match="not_found"):
        await talk.customer.call("post_note", ticket=talk.ticket, n=2, text="A note of mine")
    with pytest.raises(Refused, match="not_found"):
        await talk.customer.call("take_chat", ticket=talk.ticket, n=2)
    await talk.say(2, "I only write")


async def test_supervisor_sees_every_department(people: People) -> None:
    customer, supervisor, cid = await people.customer(), await people.staff("sue"), await people.staff("cid")
    opened = await open_chat(customer, department="billing")
    assert (await supervisor.call("attach", ticket=opened["ticket"]))["ok"] is True
    assert (await cid.call("take_chat", ticket=opened["ticket"], n=1))["gen"] == 1


async def test_unknown_ticket_leaves_nothing_behind(people: People, server: RunningServer) -> None:
    """A lock left on a ticket that is not there would make the next one who asks for it wait: that tells."""
    socket = await people.customer()
    with pytest.raises(Refused, match="not_found"):
        await socket.call("attach", ticket=UNKNOWN)
    with server.redis() as redis:
        assert redis.keys(f"*{UNKNOWN}*") == []
