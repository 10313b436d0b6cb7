"""Staff: the first admin's link, signing in and out."""

from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest

from tests.support.people import People
from tests.support.server import PASSWORD, RunningServer

pytestmark = pytest.mark.anyio

SESSIONS = "/api/v1/agent-sessions"


@pytest.fixture
async def new_people() -> AsyncIterator[People]:
    """A server of their own: the link is good for 15 min only, and the shared server may be older."""
    with RunningServer() as server:
        everybody = People(server)
        yield everybody
        await everybody.close()


async def test_first_admin_by_link_once(new_people: People) -> None:
    people, server = new_people, new_people.server
    api = people.browser()
    assert (await api.http.get("/api/v1/setup")).json() == {"needed": True}
    wanted = {"email": "root@shop.example", "name": "Root", "password": PASSWORD}
    wrong = await api.post("/api/v1/setup", {"secret": "setup_made_up", **wanted})
    assert wrong.status_code == HTTPStatus.FORBIDDEN
    weak = await api.post("/api/v1/setup", {"secret": server.setup_secret, **wanted, "password": "short"})
    assert weak.status_code == HTTPStatus.BAD_REQUEST
    assert (await api.http.get("/api/v1/setup")).json() == {"needed": True}
    made = await api.post("/api/v1/setup", {"secret": server.setup_secret, **wanted})
    assert made.status_code == HTTPStatus.CREATED
    agent = made.json()["agent"]
    assert (agent["email"], agent["role"]) == ("root@shop.example", "admin")
    assert (await api.http.get(SESSIONS)).json() == {"agent": agent}  # signed in at once
    assert (await api.http.get("/api/v1/setup")).json() == {"needed": False}
    for secret in (server.setup_secret, "setup_made_up"):
        again = await people.browser().post(
            "/api/v1/setup", {"secret": secret, **wanted, "email": "second@shop.example"}
        )
        assert again.status_code == HTTPStatus.FORBIDDEN
        assert again.json() == wrong.json()


async def test_sign_in_and_out(people: People) -> None:
    api = people.browser()
    assert (await api.http.get(SESSIONS)).status_code == HTTPStatus.UNAUTHORIZED
    answer = await api.sign_in(" Ben@Shop.example ", PASSWORD)
    assert answer.status_code == HTTPStatus.BAD_REQUEST  # an address has no spaces
    answer = await api.sign_in("Ben@Shop.example", PASSWORD)
    assert answer.status_code == HTTPStatus.OK
    agent = answer.json()["agent"]
    assert (agent["name"], agent["role"]) == ("Ben", "agent")
    assert agent["departments"] == [{"id": "support", "name": "Support"}]
    cookie = answer.headers["set-cookie"].lower()
    for part in ("httponly", "samesite=strict", "path=/"):
        assert part in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert (await api.http.get(SESSIONS)).json()["agent"] == agent
    token = api.http.cookies["chat_session"]
    assert (await api.http.delete(SESSIONS)).status_code == HTTPStatus.NO_CONTENT
    api.http.cookies.set("chat_session", token)  # a copy of the cookie is worth nothing either
    assert (await api.http.get(SESSIONS)).status_code == HTTPStatus.UNAUTHORIZED
    assert (await api.post("/api/v1/passes")).status_code == HTTPStatus.UNAUTHORIZED


async def test_wrong_password_and_unknown_email_are_one_answer(people: People) -> None:
    answers = []
    for email in ("ann@shop.example", "nobody@shop.example"):
        answer = await people.browser().sign_in(email, "wrong password")
        assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert "set-cookie" not in answer.headers
        answers.append(answer.json())
    assert answers[0] == answers[1]
    assert answers[0]["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize("email", ["cid@shop.example", "stranger@shop.example"])
async def test_guessing_passwords_is_limited(people: People, email: str) -> None:
    api = people.browser()
    statuses = [(await api.sign_in(email, f"guess {number}")).status_code for number in range(11)]
    assert statuses == [HTTPStatus.UNAUTHORIZED] * 10 + [HTTPStatus.TOO_MANY_REQUESTS]
    limited = await api.sign_in(email, PASSWORD)  # the right one does not help any more
    assert limited.status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert limited.json()["error"]["code"] == "rate_limited"
    assert int(limited.headers["Retry-After"]) > 0
    elsewhere = await people.browser().sign_in("cid@shop.example", PASSWORD)  # from another network it does
    assert elsewhere.status_code == HTTPStatus.OK


async def test_pass_is_for_who_is_signed_in(people: People) -> None:
    api = people.browser()
    for headers in ({}, {"Authorization": "Bearer made.up"}, {"Authorization": "Basic YTpi"}):
        assert (await api.post("/api/v1/passes", headers=headers)).status_code == HTTPStatus.UNAUTHORIZED
    customer = await people.customer()
    assert await api.new_pass(customer.welcome["customer_token"])


async def test_customer_session_goes_on_with_its_token(people: People) -> None:
    api = people.browser()
    first = (await api.post("/api/v1/customer-sessions", {"site_key": "default"})).json()
    token = first["customer_token"]
    again = (await api.post("/api/v1/customer-sessions", {"site_key": "default", "customer_token": token})).json()
    assert (again["customer_id"], again["customer_token"]) == (first["customer_id"], token)
    for bad in ("made.up", token[:-3], ""):
        new = (await api.post("/api/v1/customer-sessions", {"site_key": "default", "customer_token": bad})).json()
        assert new["customer_id"] != first["customer_id"]
    unknown = await api.post("/api/v1/customer-sessions", {"site_key": "nowhere"})
    assert unknown.status_code == HTTPStatus.NOT_FOUND


async def test_new_customers_are_limited_by_network(people: People) -> None:
    api = people.browser()
    for _ in range(120):
        assert (await api.post("/api/v1/customer-sessions", {"site_key": "default"})).status_code == HTTPStatus.OK
    limited = await api.post("/api/v1/customer-sessions", {"site_key": "default"})
    assert limited.status_code == HTTPStatus.TOO_MANY_REQUESTS
