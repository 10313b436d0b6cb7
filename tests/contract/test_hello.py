"""How a connection begins: pass, resume token, device."""

from http import HTTPStatus

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.support.client import JSON, MSGPACK, Refused, new_device
from tests.support.people import People, open_chat, position
from tests.support.server import PASSWORD, RunningServer

pytestmark = pytest.mark.anyio


async def refused_with(people: People, **hello: object) -> int:
    """The code with which a hello is refused."""
    socket = await people.stranger()
    await socket.send({"op": "hello", "id": 1, "device": socket.device, **hello})
    return await socket.closed()


async def test_welcome_says_who_and_what(people: People) -> None:
    customer = await people.customer()
    welcome = customer.welcome
    assert welcome["id"] == 1
    assert welcome["person"]["role"] == "customer"
    assert set(welcome["limits"]) == {"frame_bytes", "text_chars", "in_flight", "chats", "page_entries"}
    assert welcome["ping_every"] == 25_000
    assert welcome["chats"] == []
    agent = await people.staff("ann")
    assert agent.welcome["person"]["role"] == "agent"
    assert agent.welcome["person"]["name"] == "Ann"
    assert {"id": "support", "name": "Support"} in agent.welcome["person"]["departments"]


async def test_pass_opens_one_connection(people: People) -> None:
    api = people.browser()
    session = (await api.post("/api/v1/customer-sessions", {"site_key": "default"})).json()
    await people.customer_by(session["pass"])
    assert await refused_with(people, **{"pass": session["pass"]}) == 4401


async def test_made_up_secrets_are_refused(people: People) -> None:
    assert await refused_with(people, **{"pass": "p_made_up"}) == 4401
    assert await refused_with(people, resume_token="made.up") == 4401
    assert await refused_with(people) == 4401


async def test_resume_token_works_again_and_again(people: People) -> None:
    customer = await people.customer()
    first = customer.welcome["resume_token"]
    person = customer.welcome["person"]
    for _ in range(3):
        again = await people.resume_by(first, device=customer.device)
        assert again.welcome["person"] == person
    fresh = again.welcome["resume_token"]
    assert (await people.resume_by(fresh, device=customer.device)).welcome["person"] == person


async def test_resume_token_of_another_device_is_refused(people: People) -> None:
    customer = await people.customer()
    token = customer.welcome["resume_token"]
    assert await refused_with(people, resume_token=token) == 4401
    assert (await people.resume_by(token, device=customer.device)).welcome["person"] == customer.welcome["person"]


async def test_tampered_resume_token_is_refused(people: People) -> None:
    customer = await people.customer()
    body, _, mac = customer.welcome["resume_token"].partition(".")
    other = "A" if body[20] != "A" else "B"
    for token in (f"{body[:20]}{other}{body[21:]}.{mac}", f"{body}.{mac[:-4]}AAAA", f"{body}.", body):
        assert await refused_with(people, resume_token=token, device=customer.device) == 4401


async def test_customer_token_is_no_resume_token(people: People) -> None:
    customer = await people.customer()
    assert await refused_with(people, resume_token=customer.welcome["customer_token"]) == 4401


async def test_sign_out_ends_sockets_and_resume_tokens(people: People) -> None:
    api = people.browser()
    (await api.sign_in("ben@shop.example", PASSWORD)).raise_for_status()
    agent = await api.socket(await api.new_pass(), people.subprotocol)
    other = await people.staff("ben")  # another sign-in of the same agent goes on
    assert (await api.http.delete("/api/v1/agent-sessions")).status_code == HTTPStatus.NO_CONTENT
    assert await agent.closed() == 4401
    assert await refused_with(people, resume_token=agent.welcome["resume_token"], device=agent.device) == 4401
    await other.round_trip()


async def test_resume_gives_the_chats_from_their_positions(people: People) -> None:
    customer = await people.customer()
    first, second = await open_chat(customer), await open_chat(customer)
    missed = await customer.call("post_message", ticket=first["ticket"], n=2, text="And another thing")
    await customer.cut()
    again = await people.resume(customer, chats=[position(first), {"ticket": 100_001}, position(second)])
    one, unknown, two = again.welcome["chats"]
    assert [entry["seq"] for entry in one["entries"]] == [missed["seq"]]
    assert one["ok"] is True
    assert "id" not in one
    assert unknown == {"ticket": 100_001, "error": "not_found"}
    assert two["entries"] == []


async def test_newer_connection_of_a_device_ends_the_older(people: People) -> None:
    customer = await people.customer()
    again = await people.resume(customer)
    assert await customer.closed() == 4409
    await again.round_trip()


async def test_two_devices_of_a_customer_live_side_by_side(people: People) -> None:
    phone = await people.customer()
    laptop = await people.customer_at(phone.welcome["customer_token"], device=new_device())
    assert laptop.welcome["person"] == phone.welcome["person"]
    await phone.round_trip()
    await laptop.round_trip()


async def test_hello_is_said_once(people: People) -> None:
    customer = await people.customer()
    with pytest.raises(Refused, match="invalid"):
        await customer.call("hello", device=customer.device, resume_token=customer.welcome["resume_token"])
    await customer.round_trip()


async def test_first_frame_has_to_be_hello(people: People) -> None:
    socket = await people.stranger()
    await socket.send({"op": "watch", "id": 1, "topic": "department:support"})
    assert await socket.closed() == 4400


@pytest.mark.parametrize("device", ["short", "x" * 65, "with space in it!", 7, None])
async def test_device_has_a_form(people: People, device: object) -> None:
    session = (await people.browser().post("/api/v1/customer-sessions", {"site_key": "default"})).json()
    socket = await people.stranger()
    with pytest.raises(Refused, match=r"invalid: hello: .*device"):
        await socket.call("hello", device=device, **{"pass": session["pass"]})
    # Nothing has happened: the pass is still good, and so is the connection.
    await socket.call("hello", device=new_device(), **{"pass": session["pass"]})


async def test_foreign_origin_is_refused(people: People, server: RunningServer) -> None:
    for origin in ("https://evil.example", f"http://127.0.0.1.evil.example:{server.port}", "null"):
        with pytest.raises(InvalidStatus) as caught:
            await people.stranger(origin=origin)
        assert caught.value.response.status_code == HTTPStatus.FORBIDDEN


async def test_missing_origin_is_refused(server: RunningServer, subprotocol: str) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://127.0.0.1:{server.port}/ws", subprotocols=[subprotocol])  # type: ignore[list-item]
    assert caught.value.response.status_code == HTTPStatus.FORBIDDEN


async def test_localhost_is_an_origin_of_ours(people: People, server: RunningServer) -> None:
    await people.stranger(origin=f"http://localhost:{server.port}")


@pytest.mark.parametrize("offered", [None, ["chat.v2.json"], ["mqtt", "soap"]])
async def test_unknown_subprotocol_is_refused(server: RunningServer, offered: list[str] | None) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await connect(f"ws://127.0.0.1:{server.port}/ws", origin=server.base, subprotocols=offered)  # type: ignore[arg-type]
    assert caught.value.response.status_code == HTTPStatus.BAD_REQUEST


async def test_first_offered_subprotocol_that_is_known_counts(server: RunningServer, subprotocol: str) -> None:
    offered = ["chat.v9", subprotocol, JSON, MSGPACK]
    async with connect(f"ws://127.0.0.1:{server.port}/ws", origin=server.base, subprotocols=offered) as socket:  # type: ignore[arg-type]
        assert socket.subprotocol == subprotocol
