"""A customer who has signed out: whoever has got hold of what signed them in is an outsider from then on."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import pytest

from chatserver.broker.keys import secret
from chatserver.ids import digest
from tests.support.client import Api, Refused, Socket
from tests.support.log import until_durable
from tests.support.people import People, Talk, start_talk

pytestmark = pytest.mark.anyio

SESSIONS, PASSES = "/api/v1/customer-sessions", "/api/v1/passes"
INBOX, OWN = "/api/v1/inbox-sessions", "/api/v1/own-chats"


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass
class Finder:
    """Somebody at another computer with all that a customer's browsers had."""

    people: People
    talk: Talk
    token: str
    inbox: str
    view: str

    @classmethod
    async def of(cls, people: People, talk: Talk) -> Finder:
        api, token = people.browser(), talk.customer.welcome["customer_token"]
        inbox = (await api.post(INBOX, {"pass": await api.new_pass(token)})).json()["inbox_token"]
        opened = await api.post(f"{OWN}/{talk.ticket}/views", headers=bearing(inbox))
        return cls(people, talk, token, inbox, opened.json()["view_token"])

    async def tries(self) -> set[HTTPStatus]:
        """What every kind of token is answered."""
        http = self.people.browser().http
        views = f"/api/v1/transcript-views/{self.talk.ticket}"
        asked = [
            ("POST", PASSES, self.token),
            ("GET", f"{SESSIONS}/export.zip", self.token),
            ("GET", OWN, self.token),
            ("GET", OWN, self.inbox),
            ("POST", f"{OWN}/{self.talk.ticket}/views", self.inbox),
            ("GET", views, self.view),
            ("GET", f"{views}/export.txt", self.view),
        ]
        answers = [
            await http.request(method, path, json={} if method == "POST" else None, headers=bearing(token))
            for method, path, token in asked
        ]
        return {HTTPStatus(answer.status_code) for answer in answers}

    async def refused(self, socket: Socket, **secret: str) -> int:
        """How a connection from that socket's device is closed."""
        stranger = await self.people.stranger(device=socket.device)
        await stranger.send({"op": "hello", "id": 1, "device": socket.device, **secret})
        return await stranger.closed()


async def sign_out(api: Api, token: str) -> None:
    answer = await api.http.delete(SESSIONS, headers=bearing(token))
    assert answer.status_code == HTTPStatus.NO_CONTENT


@pytest.fixture
async def talk(people: People) -> Talk:
    made = await start_talk(people)
    await until_durable(made.agent, made.ticket)
    return made


async def test_nothing_of_who_has_signed_out_works_any_more(people: People, talk: Talk) -> None:
    finder = await Finder.of(people, talk)
    phone = await people.customer_at(finder.token)
    assert await finder.tries() == {HTTPStatus.OK}
    passes = [await people.browser().new_pass(finder.token) for _ in range(2)]
    await sign_out(people.browser(), finder.token)
    for socket in (talk.customer, phone):
        assert await socket.closed() == 4401
        assert await finder.refused(socket, resume_token=socket.welcome["resume_token"]) == 4401
    assert await finder.tries() == {HTTPStatus.UNAUTHORIZED}
    assert await finder.refused(phone, **{"pass": passes[0]}) == 4401
    assert (await people.browser().post(INBOX, {"pass": passes[1]})).status_code == HTTPStatus.UNAUTHORIZED


async def test_who_comes_with_the_token_afterwards_is_somebody_new(people: People, talk: Talk) -> None:
    token = talk.customer.welcome["customer_token"]
    asked = {"site_key": "default", "customer_token": token}
    api = people.browser()
    before = (await api.post(SESSIONS, asked)).json()
    assert before["customer_id"] == talk.customer.welcome["person"]["id"]
    await sign_out(api, token)
    after = (await api.post(SESSIONS, asked)).json()
    assert after["customer_id"] != before["customer_id"]
    assert after["customer_token"] != token
    newcomer = await people.customer_by(after["pass"])
    with pytest.raises(Refused) as refused:
        await newcomer.call("attach", ticket=talk.ticket)
    assert refused.value.code == "not_found"


async def test_nobody_else_is_signed_out_and_signing_out_twice_is_no_error(people: People, talk: Talk) -> None:
    other = await people.customer()
    for _ in range(2):
        await sign_out(people.browser(), talk.customer.welcome["customer_token"])
    await sign_out(people.browser(), "made.up")
    assert await talk.customer.closed() == 4401
    for socket in (other, talk.agent):
        await socket.round_trip()
    await people.browser().new_pass(other.welcome["customer_token"])


async def test_a_view_by_access_code_is_no_part_of_it(people: People, talk: Talk) -> None:
    """Who has ticket number and access code needs no token."""
    api = people.browser()
    known = {"ticket": talk.ticket, "access_code": talk.opened["access_code"]}
    view = (await api.post("/api/v1/transcript-views", known)).json()["view_token"]
    await sign_out(api, talk.customer.welcome["customer_token"])
    shown = await api.http.get(f"/api/v1/transcript-views/{talk.ticket}", headers=bearing(view))
    assert shown.status_code == HTTPStatus.OK


async def test_the_inbox_ends_with_its_person_too(people: People, talk: Talk) -> None:
    """As when an erasure ends all tokens of a customer."""
    finder = await Finder.of(people, talk)
    http = people.browser().http
    assert (await http.get(OWN, headers=bearing(finder.inbox))).status_code == HTTPStatus.OK
    with people.server.redis() as redis:
        redis.set(secret("revoked", digest(talk.customer.welcome["person"]["id"])), b"1", ex=60)
    assert (await http.get(OWN, headers=bearing(finder.inbox))).status_code == HTTPStatus.UNAUTHORIZED
