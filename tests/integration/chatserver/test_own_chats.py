"""A customer's own chats over HTTP: found, listed and opened by nobody else, whatever is asked."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest

from chatserver.broker.keys import secret
from chatserver.ids import digest
from chatserver.keys import Keys
from chatserver.signing import Signer
from tests.support.client import PATIENCE, Api, Socket
from tests.support.log import until_durable
from tests.support.people import People, Talk, open_chat, start_talk
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio

OWN = "/api/v1/own-chats"
UNKNOWN = ticket_of(99_999_998)

# Mia says this, her agent noted that; nobody else has any of these words.
SAID, TOPIC, ORDER, NAME = "quixotic", "Zeppelins", "998-1234567", "Mia Stonehaven"
NOTED = "kowalskyite"


@dataclass
class Asker:
    """Who asks, and how they say who they are."""

    api: Api
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def find(self, q: str = "", **params: str) -> dict[str, Any]:
        answer = await self.api.http.get(OWN, params={"q": q, **params}, headers=self.headers)
        assert answer.status_code == HTTPStatus.OK, answer.text
        assert answer.headers["cache-control"] == "no-store"
        found: dict[str, Any] = answer.json()
        return found

    async def tickets(self, q: str = "", **params: str) -> list[int]:
        return [one["ticket"] for one in (await self.find(q, **params))["results"]]


async def until_found(people: People, q: str, ticket: int) -> None:
    """An open chat can be found soon after something was said in it. Staff looks, whose searches have no limit."""
    sue = await people.signed_in("sue")
    async with asyncio.timeout(PATIENCE):
        while True:
            found = (await sue.http.get("/api/v1/transcripts", params={"q": f"ticket:{ticket} {q}"})).json()["results"]
            if ticket in [one["ticket"] for one in found]:
                return
            await asyncio.sleep(0.1)


def asker(people: People, socket: Socket) -> Asker:
    return Asker(people.browser(), socket.welcome["customer_token"])


@dataclass
class Scene:
    """Mia's chat with a note in it, which she finds, and Eva, who has a chat of her own in the same place."""

    mia: Asker
    eva: Asker
    talk: Talk
    other: Talk


@pytest.fixture
async def scene(people: People) -> Scene:
    talk = await start_talk(people, text=f"My {SAID} parcel", topic=TOPIC, order=ORDER, name=NAME)
    await talk.note(2, f"{NOTED} called before")
    other = await start_talk(people, text="My plain parcel")
    mia, eva = asker(people, talk.customer), asker(people, other.customer)
    await until_durable(talk.agent, talk.ticket)
    await until_found(people, SAID, talk.ticket)
    await until_found(people, "plain", other.ticket)
    return Scene(mia, eva, talk, other)


async def test_a_customer_finds_and_reads_own_chats(people: People, scene: Scene) -> None:
    mia, talk = scene.mia, scene.talk
    (result,) = (await mia.find(f"{SAID} parcels"))["results"]
    assert result["ticket"] == talk.ticket
    assert (result["topic"], result["agent_name"], result["entry_seq"]) == (TOPIC, "Ann", 2)
    assert {"text": SAID, "match": True} in result["snippet"]
    assert not {"external_id", "score"} & set(result)
    answer = await mia.api.post(f"{OWN}/{talk.ticket}/views", headers=mia.headers)
    assert answer.status_code == HTTPStatus.OK
    shown = answer.json()["transcript"]
    assert [entry["kind"] for entry in shown["entries"]] == ["opened", "message", "assigned"]
    assert [(one["by"], one["how"]) for one in shown["accesses"]] == [("customer", "read")]
    assert NOTED not in answer.text
    view = {"Authorization": f"Bearer {answer.json()['view_token']}"}
    assert (
        await mia.api.http.get(f"/api/v1/transcript-views/{talk.ticket}", headers=view)
    ).status_code == HTTPStatus.OK


async def test_nobody_finds_another_customer_s_chat(people: People, scene: Scene) -> None:
    mia, eva, ticket = scene.mia, scene.eva, scene.talk.ticket
    customer_id = (await (await people.signed_in("sue")).http.get(f"/api/v1/transcripts/{ticket}")).json()
    mias = customer_id["transcript"]["customer"]["id"]
    asked = [
        f"ticket:{ticket}",
        f"#{ticket}",
        str(ticket),
        str(ticket)[:5],
        f"customer:{mias}",
        f'customer:"{NAME}"',
        NAME,
        SAID,
        f'"{SAID} parcel"',
        f"{SAID[:4]}*",
        f"from:customer {SAID}",
        f"agent:ann {SAID}",
        f'topic:"{TOPIC}"',
        f"order:{ORDER}",
        ORDER[-5:],
        f"parcel {SAID} -plain",
    ]
    for query in asked:
        assert ticket in await mia.tickets(query), query  # it is there to be found
        answer = await eva.find(query, facets="1")
        assert ticket not in [one["ticket"] for one in answer["results"]], query
        assert "did_you_mean" not in answer, query
        assert {TOPIC, NAME, SAID, str(ticket)}.isdisjoint(_strings(answer)), query
    assert await eva.tickets() == [scene.other.ticket]


async def test_other_people_s_words_are_not_proposed_or_counted(scene: Scene) -> None:
    mia, eva = scene.mia, scene.eva
    assert (await mia.find("quixotik"))["did_you_mean"] == SAID  # the words are there to be proposed
    assert TOPIC in [one["value"] for one in (await mia.find("parcel", facets="1"))["facets"]["topic"]]
    assert await eva.find("quixotik") == {"results": []}
    facets = (await eva.find("parcel", facets="1"))["facets"]
    assert (facets["chats"], facets["topic"]) == (1, [])
    assert facets["agent"] == [{"value": "Ann", "chats": 1}]


async def test_a_note_changes_nothing_of_what_its_customer_sees(people: People, scene: Scene) -> None:
    mia, talk = scene.mia, scene.talk
    queries = (
        SAID,
        "parcel",
        "",
        NOTED,
        f'"{NOTED} called"',
        f"{SAID} {NOTED}",
        "kowalskyit",
        "called",
        "-hidden parcel",
    )

    await until_found(people, NOTED, talk.ticket)
    before = [await mia.find(query, facets="1") for query in queries]
    assert [answer["results"] for answer in before[3:5]] == [[], []]
    await talk.note(3, f"hidden {SAID} {SAID} parcel parcel {NOTED}")
    await until_found(people, "hidden", talk.ticket)
    assert [await mia.find(query, facets="1") for query in queries] == before


async def test_a_chat_that_is_not_there_and_one_that_is_not_yours_are_one_answer(people: People, scene: Scene) -> None:
    eva, talk = scene.eva, scene.talk
    mine = await eva.api.post(f"{OWN}/{scene.other.ticket}/views", headers=eva.headers)
    assert mine.status_code == HTTPStatus.OK  # she may open what is hers
    asked = (talk.ticket, UNKNOWN, talk.ticket + 1, "hello", "9" * 5000)
    answers = [await eva.api.post(f"{OWN}/{one}/views", headers=eva.headers) for one in asked]
    assert {answer.status_code for answer in answers} == {HTTPStatus.NOT_FOUND}
    assert len({answer.text for answer in answers}) == 1
    sue = await people.signed_in("sue")
    accesses = (await sue.http.get(f"/api/v1/transcripts/{talk.ticket}")).json()["transcript"]["accesses"]
    assert [one for one in accesses if one["by"] == "customer"] == []


async def test_only_a_customer_s_token_opens_own_chats(people: People, scene: Scene) -> None:
    mia, talk = scene.mia, scene.talk
    view = (await mia.api.post(f"{OWN}/{talk.ticket}/views", headers=mia.headers)).json()["view_token"]
    passed = await mia.api.new_pass(mia.token)
    staff = await people.signed_in("sue")
    for token in (
        view,
        passed,
        talk.customer.welcome["resume_token"],
        talk.opened["claim"],
        mia.token[:-4] + "AAAA",
        ".",
    ):
        headers = {"Authorization": f"Bearer {token}"}
        for api in (people.browser(), staff):  # not even with the cookie of staff
            assert (await api.http.get(OWN, headers=headers)).status_code == HTTPStatus.UNAUTHORIZED
            opened = await api.post(f"{OWN}/{talk.ticket}/views", headers=headers)
            assert opened.status_code == HTTPStatus.UNAUTHORIZED
    elsewhere = {**mia.headers, "Origin": "https://evil.example"}
    assert (await mia.api.post(f"{OWN}/{talk.ticket}/views", headers=elsewhere)).status_code == HTTPStatus.FORBIDDEN


async def test_from_the_panel_to_the_inbox_by_a_pass(people: People, scene: Scene) -> None:
    mia, tab = scene.mia, people.browser()
    passed = await mia.api.new_pass(mia.token)
    entered = await tab.post("/api/v1/inbox-sessions", {"pass": passed})
    assert entered.status_code == HTTPStatus.OK
    inbox = Asker(tab, entered.json()["inbox_token"])
    assert await inbox.tickets() == await mia.tickets() == [scene.talk.ticket]
    # It is no token of the panel: nothing is said with it.
    refused = await tab.post("/api/v1/passes", headers=inbox.headers)
    assert refused.status_code == HTTPStatus.UNAUTHORIZED
    staff = await people.signed_in("sue")
    for bad in (passed, "p_unknown", "", await staff.new_pass()):
        assert (await tab.post("/api/v1/inbox-sessions", {"pass": bad})).status_code == HTTPStatus.UNAUTHORIZED
    # It ends with the token that it came from.
    with people.server.redis() as redis:
        redis.set(secret("revoked", digest(_jti(people, mia.token))), b"1", ex=60)
    for one in (mia, inbox):
        assert (await tab.http.get(OWN, headers=one.headers)).status_code == HTTPStatus.UNAUTHORIZED


async def test_pages_neither_repeat_nor_skip_while_chats_come_in(people: People) -> None:
    customer = await people.customer()
    mine = asker(people, customer)

    async def open_another() -> int:
        ticket: int = (await open_chat(customer, text="My parcel"))["ticket"]
        await until_durable(customer, ticket)
        await customer.call("detach", ticket=ticket)
        await until_found(people, "parcel", ticket)
        return ticket

    opened = [await open_another() for _ in range(5)]
    for q in ("", "parcel"):
        first = await mine.find(q, limit="2")
        late = await open_another()
        seen = [one["ticket"] for one in first["results"]]
        following = first.get("next")
        while following:
            page = await mine.find(q, limit="2", cursor=following)
            seen += [one["ticket"] for one in page["results"]]
            following = page.get("next")
        assert sorted(seen) == sorted(opened), q
        if not q:
            assert seen == opened[::-1]  # the newest first
        opened.append(late)
    # A cursor is good for its own question of its own asker; with any other, one begins at the first page.
    stranger = asker(people, await people.customer())
    assert await stranger.find(cursor=first["next"]) == {"results": []}


async def test_searches_have_a_limit(people: People) -> None:
    mine = asker(people, await people.customer())
    answers = [await mine.api.http.get(OWN, headers=mine.headers) for _ in range(125)]
    limited = [one for one in answers if one.status_code == HTTPStatus.TOO_MANY_REQUESTS]
    assert limited
    assert limited[0].json()["error"]["code"] == "rate_limited"
    assert 0 < int(limited[0].headers["Retry-After"]) <= 60
    other = asker(people, await people.customer())
    assert await other.tickets() == []  # somebody else is not held up
    for params in ({"limit": "0"}, {"limit": "101"}, {"tz": "Mars"}):
        assert (
            await other.api.http.get(OWN, params=params, headers=other.headers)
        ).status_code == HTTPStatus.BAD_REQUEST


def _strings(value: Any) -> set[str]:
    """All texts and numbers in an answer."""
    if isinstance(value, dict):
        return set().union(*(_strings(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(_strings(one) for one in value))
    return {value if isinstance(value, str) else json.dumps(value)}


def _jti(people: People, token: str) -> str:
    fields = Signer(Keys.load(people.server.data, people.server.env).token).check("customer", token)
    assert fields
    return str(fields["jti"])
