"""Transcripts over HTTP: by ticket number and access code, and for staff by department."""

import io
import json
import sqlite3
import zipfile
from email import message_from_bytes
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from chatserver.web import transcript_api
from tests.support.client import Api
from tests.support.log import until_durable, until_state
from tests.support.people import People, Talk, open_chat, start_talk
from tests.support.server import make_agents
from transcripts.formats.verifying import verify_file
from transcripts.public_keys import read_published
from transcripts.ticket import ticket_of
from transcripts.verify import verify

pytestmark = pytest.mark.anyio

VIEWS = "/api/v1/transcript-views"
SECRET = "Kowalski-7421"
UNKNOWN = ticket_of(99_999_998)


async def ended_talk(people: People, **fields: Any) -> Talk:
    """A sealed chat with a note in it."""
    talk = await start_talk(people, **fields)
    await talk.note(2, f"{SECRET} called before")
    await talk.answer(3, "Here is the answer.")
    await talk.note(4, SECRET)
    await talk.end(5)
    await until_state(talk.customer, talk.ticket, "closed")
    return talk


async def view(api: Api, ticket: object, code: str) -> httpx.Response:
    return await api.post(VIEWS, {"ticket": ticket, "access_code": code})


def wrong(code: str) -> str:
    return ("0" if code[0] != "0" else "1") + code[1:]


async def test_ticket_and_code_open_the_transcript(people: People) -> None:
    talk = await ended_talk(people, text="Where is it?", topic="Delivery", order="7-7", name="Sam")
    api = people.browser()
    answer = await view(api, talk.ticket, talk.opened["access_code"])
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()["transcript"]
    assert {name: shown[name] for name in ("ticket", "state", "topic", "order", "customer_name", "agent_name")} == {
        "ticket": talk.ticket,
        "state": "closed",
        "topic": "Delivery",
        "order": "7-7",
        "customer_name": "Sam",
        "agent_name": "Ann",
    }
    assert shown["sealed"]["key_id"]
    assert [entry["seq"] for entry in shown["entries"]] == [1, 2, 3, 5, 7]
    assert [entry["audience"] for entry in shown["entries"]] == ["all"] * 5
    assert "customer" not in shown
    assert SECRET not in answer.text
    bearer = {"Authorization": f"Bearer {answer.json()['view_token']}"}
    rest = (await api.http.get(f"{VIEWS}/{talk.ticket}?after=3", headers=bearer)).json()["transcript"]
    assert [entry["seq"] for entry in rest["entries"]] == [5, 7]
    assert [one["who"] for one in rest["accesses"]] == ["customer"]


async def test_ticket_and_code_as_people_type_them(people: People) -> None:
    talk = await ended_talk(people)
    number, code = str(talk.ticket), talk.opened["access_code"]
    typed = f" {code[:5].lower()} - {code[5:]}".replace("0", "o").replace("1", "l")
    for ticket in (number, f"#{number[:3]} {number[3:]}", f" {number[:2]}-{number[2:]} "):
        assert (await view(people.browser(), ticket, typed)).status_code == HTTPStatus.OK


async def test_wrong_code_and_unknown_ticket_are_one_answer(people: People) -> None:
    talk = await ended_talk(people)
    code = talk.opened["access_code"]
    misdialled = talk.ticket + 1  # the check digit does not hold
    answers = [
        await view(people.browser(), ticket, given)
        for ticket, given in (
            (talk.ticket, wrong(code)),
            (talk.ticket, ""),
            (talk.ticket, code + "0"),
            (talk.ticket, "ü" * 10),
            (UNKNOWN, code),
            (misdialled, code),
            ("", code),
            ("hello", code),
            (0, code),
            (-7, code),
            (10**30, code),
            ("9" * 5000, code),
            ("\u0661\u0660", code),
        )
    ]
    assert {answer.status_code for answer in answers} == {HTTPStatus.NOT_FOUND}
    assert len({answer.text for answer in answers}) == 1


async def test_code_of_another_chat_opens_nothing(people: People) -> None:
    mine, other = await ended_talk(people), await ended_talk(people)
    assert (await view(people.browser(), other.ticket, mine.opened["access_code"])).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("known", [True, False])
async def test_sixth_try_is_refused(people: People, known: bool) -> None:
    talk = await ended_talk(people)
    ticket, code, api = talk.ticket if known else UNKNOWN, talk.opened["access_code"], people.browser()
    for _ in range(5):
        assert (await view(api, ticket, wrong(code))).status_code == HTTPStatus.NOT_FOUND
    for given in (wrong(code), code):
        limited = await view(api, ticket, given)
        assert limited.status_code == HTTPStatus.TOO_MANY_REQUESTS
        assert limited.json()["error"]["code"] == "rate_limited"
        assert 0 < int(limited.headers["Retry-After"]) <= 900
    if known:  # somebody else is not locked out by it
        assert (await view(people.browser(), ticket, code)).status_code == HTTPStatus.OK


async def test_right_code_costs_no_try(people: People) -> None:
    talk, api = await ended_talk(people), people.browser()
    code = talk.opened["access_code"]
    for _ in range(4):
        await view(api, talk.ticket, wrong(code))
    for _ in range(7):
        assert (await view(api, talk.ticket, code)).status_code == HTTPStatus.OK
    token = (await view(api, talk.ticket, code)).json()["view_token"]
    assert (await view(api, talk.ticket, wrong(code))).status_code == HTTPStatus.NOT_FOUND
    assert (await view(api, talk.ticket, code)).status_code == HTTPStatus.TOO_MANY_REQUESTS
    # A view that is open already is never locked out.
    opened = await api.http.get(f"{VIEWS}/{talk.ticket}", headers={"Authorization": f"Bearer {token}"})
    assert opened.status_code == HTTPStatus.OK


async def test_hundred_tries_a_day_from_anywhere(people: People) -> None:
    talk = await ended_talk(people)
    code = talk.opened["access_code"]
    for _ in range(20):
        api = people.browser()
        for _ in range(5):
            assert (await view(api, talk.ticket, wrong(code))).status_code == HTTPStatus.NOT_FOUND
    assert (await view(people.browser(), talk.ticket, code)).status_code == HTTPStatus.TOO_MANY_REQUESTS


async def test_view_token_opens_its_own_ticket_only(people: People) -> None:
    talk, other = await ended_talk(people), await ended_talk(people)
    api = people.browser()
    token = (await view(api, talk.ticket, talk.opened["access_code"])).json()["view_token"]
    body, _, mac = token.partition(".")
    tokens = [f"{body}.{mac[:-4]}AAAA", f"{body}x.{mac}", body, ".", talk.customer.welcome["customer_token"]]
    tokens.append(talk.customer.welcome["resume_token"])
    for path in ("", "/export.json"):
        for ticket, given in [(other.ticket, token), (UNKNOWN, token), *((talk.ticket, bad) for bad in tokens)]:
            headers = {"Authorization": f"Bearer {given}"}
            answer = await api.http.get(f"{VIEWS}/{ticket}{path}", headers=headers)
            assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert (await api.http.get(f"{VIEWS}/{talk.ticket}{path}")).status_code == HTTPStatus.UNAUTHORIZED


async def test_export_of_the_customer_proves_itself_and_has_nothing_of_staff(people: People) -> None:
    talk, api = await ended_talk(people), people.browser()
    token = (await view(api, talk.ticket, talk.opened["access_code"])).json()["view_token"]
    answer = await api.http.get(f"{VIEWS}/{talk.ticket}/export.json", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == HTTPStatus.OK
    assert f"chat-{talk.ticket}.json" in answer.headers["content-disposition"]
    assert SECRET not in answer.text
    assert '"note"' not in answer.text
    assert '"staff"' not in answer.text
    export = answer.json()
    assert [entry["seq"] for entry in export["entries"]] == [1, 2, 3, 5, 7]
    published = (await api.http.get("/.well-known/chat-seal-keys.json")).json()["keys"]
    keys = {one["key_id"]: bytes.fromhex(one["public_key"]) for one in published}
    assert {one["algorithm"] for one in published} == {"Ed25519"}
    found = verify(export, keys)
    assert (found.problems, found.ticket, found.entries) == ((), talk.ticket, 5)
    altered = json.loads(answer.text.replace("Here is the answer.", "Here is an answer."))
    assert not verify(altered, keys).ok
    # The staff's has the notes, and proves itself too.
    staff = await people.signed_in("ann")
    whole = (await staff.http.get(f"/api/v1/transcripts/{talk.ticket}/export.json")).json()
    assert [entry["seq"] for entry in whole["entries"]] == [1, 2, 3, 4, 5, 6, 7]
    assert verify(whole, keys).ok


async def test_files_of_a_chat_are_made_so_often_a_minute(people: People) -> None:
    talk, other, api = await ended_talk(people), await ended_talk(people), people.browser()

    async def ask(of: Talk) -> int:
        token = (await view(api, of.ticket, of.opened["access_code"])).json()["view_token"]
        headers = {"Authorization": f"Bearer {token}"}
        return (await api.http.get(f"{VIEWS}/{of.ticket}/export.txt", headers=headers)).status_code

    answers = [await ask(talk) for _ in range(transcript_api.EXPORTS_PER_MINUTE + 1)]
    assert answers == [HTTPStatus.OK] * transcript_api.EXPORTS_PER_MINUTE + [HTTPStatus.TOO_MANY_REQUESTS]
    assert await ask(other) == HTTPStatus.OK


async def test_transcript_of_another_department_is_not_there(people: People) -> None:
    talk = await ended_talk(people)
    cid = await people.signed_in("cid")
    mine = (await cid.http.get("/api/v1/agent-sessions")).json()["agent"]
    assert mine["role"] == "agent"
    assert "support" not in [one["id"] for one in mine["departments"]]
    answers = [
        await cid.http.get(f"/api/v1/transcripts/{ticket}{path}")
        for path in ("", "/export.json")
        for ticket in (talk.ticket, UNKNOWN, 100_008, 10**30)
    ]
    assert {answer.status_code for answer in answers} == {HTTPStatus.NOT_FOUND}
    assert len({answer.text for answer in answers}) == 1
    for login in ("ann", "ben", "sue"):
        api = await people.signed_in(login)
        shown = (await api.http.get(f"/api/v1/transcripts/{talk.ticket}")).json()["transcript"]
        assert [entry["kind"] for entry in shown["entries"]].count("note") == 2
        assert shown["customer"]["verified"] is False
    accesses = (await api.http.get(f"/api/v1/transcripts/{talk.ticket}")).json()["transcript"]["accesses"]
    assert {"Ann", "Ben", "Sue"} == {one["who"] for one in accesses}
    # Kept are ids, which outlive a change of name and are nobody else's.
    with sqlite3.connect(people.server.data / "chat.db") as db:
        kept = {who for (who,) in db.execute("SELECT who FROM accesses WHERE ticket = ?", (talk.ticket,))}
        assert kept == {id_ for id_, name in db.execute("SELECT id, name FROM agents") if name in ("Ann", "Ben", "Sue")}
    nobody = people.browser()
    for path in (f"/api/v1/transcripts/{talk.ticket}", "/api/v1/transcripts?q=answer"):
        assert (await nobody.http.get(path)).status_code == HTTPStatus.UNAUTHORIZED


async def test_names_of_staff_who_looked_are_for_staff(people: People) -> None:
    talk = await ended_talk(people)
    sue = await people.signed_in("sue")
    await sue.http.get(f"/api/v1/transcripts/{talk.ticket}")
    answer = await view(people.browser(), talk.ticket, talk.opened["access_code"])
    transcript = answer.json()["transcript"]  # beside it there is a token, whose random letters may make a name
    assert [one["who"] for one in transcript["accesses"]] == ["customer", "staff"]
    assert "Sue" not in json.dumps(transcript)


async def test_no_way_in_goes_unrecorded(people: People) -> None:
    make_agents(people.server.data, [("imp@shop.example", "customer", "agent", ("support",))], people.server.env)
    talk = await ended_talk(people)
    path = f"/api/v1/transcripts/{talk.ticket}"

    async def by_staff() -> int:
        answer = await view(people.browser(), talk.ticket, talk.opened["access_code"])
        return [one["by"] for one in answer.json()["transcript"]["accesses"]].count("staff")

    assert await by_staff() == 0
    socket = await people.staff("ben")
    assert (await socket.call("attach", ticket=talk.ticket))["state"]["state"] in ("closing", "closed")
    assert await by_staff() == 1
    for number, (login, way) in enumerate((("sue", f"{path}?after=1"), ("ben", f"{path}/export.json"), ("imp", path))):
        assert (await (await people.signed_in(login)).http.get(way)).status_code == HTTPStatus.OK
        assert await by_staff() == number + 2
    # Further pages of what is open are not another opening.
    await (await people.signed_in("sue")).http.get(f"{path}?after=2")
    assert await by_staff() == 4


async def test_a_customer_takes_all_of_their_own_data_along(people: People) -> None:
    path = "/api/v1/customer-sessions/export.zip"
    mine, other = await ended_talk(people, text="Mine alone"), await ended_talk(people, text="Somebody else's")

    async def fetch(token: str | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await people.browser().http.get(path, headers=headers)

    assert (await fetch(None)).status_code == HTTPStatus.UNAUTHORIZED
    assert (await fetch("nonsense")).status_code == HTTPStatus.UNAUTHORIZED
    # A member of staff has no customer's data, and the view of one chat opens no more than that chat.
    assert (await (await people.signed_in("sue")).http.get(path)).status_code == HTTPStatus.UNAUTHORIZED
    view_token = (await view(people.browser(), mine.ticket, mine.opened["access_code"])).json()["view_token"]
    assert (await fetch(view_token)).status_code == HTTPStatus.UNAUTHORIZED
    # A merge joins what staff see. That they are one person nobody has proved with this token.
    _merge(people, mine, other, verified=False)
    answer = await fetch(mine.customer.welcome["customer_token"])
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = set(archive.namelist())
        whole = b"".join(archive.read(name) for name in names).decode()
        export = json.loads(archive.read(f"transcripts/chat-{mine.ticket}.json"))
    assert names == {
        "README.txt",
        "customer.json",
        "preferences.json",
        "inbox.json",
        "openings.json",
        f"transcripts/chat-{mine.ticket}.json",
    }
    keys = (await people.browser().http.get("/.well-known/chat-seal-keys.json")).json()["keys"]
    assert verify(export, {one["key_id"]: bytes.fromhex(one["public_key"]) for one in keys}).ok
    assert "Mine alone" in whole
    for hidden in (SECRET, str(other.ticket), "Somebody else's"):
        assert hidden not in whole
    accesses = (await view(people.browser(), mine.ticket, mine.opened["access_code"])).json()["transcript"]["accesses"]
    assert ("customer", "download") in {(one["by"], one["how"]) for one in accesses}


async def test_a_customer_takes_along_what_they_see_as_their_own_and_nothing_else(people: People) -> None:
    """Whom the site has signed twice sees both, and takes both; the same address, verified or not, opens nothing."""
    talks = [await ended_talk(people, text=f"I am {number}") for number in range(4)]
    mine, too, verified, said = talks
    _merge(people, mine, too, verified=True)
    _customer(people, verified, verified=True, email="mia@example.org", email_verified_at=1)
    _customer(people, said, email="mia@example.org")
    for talk in (mine, too):
        _customer(people, talk, email="mia@example.org", email_verified_at=1)

    async def own(talk: Talk) -> tuple[set[int], set[int]]:
        """What they see, and what they take along."""
        headers = {"Authorization": f"Bearer {talk.customer.welcome['customer_token']}"}
        listed = await people.browser().http.get("/api/v1/own-chats", headers=headers)
        answer = await people.browser().http.get("/api/v1/customer-sessions/export.zip", headers=headers)
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            taken = {int(name[17:-5]) for name in archive.namelist() if name.startswith("transcripts/chat-")}
        return {one["ticket"] for one in listed.json()["results"]}, taken

    both = {mine.ticket, too.ticket}
    assert [await own(talk) for talk in talks] == [(both, both)] * 2 + [({talk.ticket},) * 2 for talk in talks[2:]]


def _merge(people: People, mine: Talk, other: Talk, *, verified: bool) -> None:
    _customer(people, other, merged_into=mine.customer.welcome["person"]["id"])
    for talk in (mine, other):
        _customer(people, talk, verified=verified)


def _customer(people: People, talk: Talk, **fields: Any) -> None:
    """Writes what staff and the site will be able to say of the customer of a chat."""
    changes = ", ".join(f"{name} = ?" for name in fields)
    with sqlite3.connect(people.server.data / "chat.db") as db:
        values = (*fields.values(), talk.customer.welcome["person"]["id"])
        assert db.execute(f"UPDATE customers SET {changes} WHERE id = ?", values).rowcount == 1


async def test_only_supervisors_hold_a_chat(people: People) -> None:
    talk = await ended_talk(people)
    path, reason = f"/api/v1/transcripts/{talk.ticket}", {"reason": "case 7"}
    ann, cid, sue = [await people.signed_in(login) for login in ("ann", "cid", "sue")]
    # Ann reads this chat and is no supervisor.
    assert (await ann.http.get(path)).json()["transcript"]["holds"] == []
    assert (await ann.http.get("/api/v1/agent-sessions")).json()["agent"]["role"] == "agent"
    for nobody in (ann, cid):
        answers = [await nobody.http.put(f"{path}/hold", json=reason), await nobody.http.delete(f"{path}/hold")]
        unknown = await nobody.http.put(f"/api/v1/transcripts/{UNKNOWN}/hold", json=reason)
        assert {(one.status_code, one.text) for one in answers} == {(HTTPStatus.NOT_FOUND, unknown.text)}
    assert (await people.browser().http.put(f"{path}/hold", json=reason)).status_code == HTTPStatus.UNAUTHORIZED
    foreign = {"Origin": "https://elsewhere.example"}
    assert (await sue.http.put(f"{path}/hold", json=reason, headers=foreign)).status_code == HTTPStatus.FORBIDDEN
    assert (await sue.http.put(f"{path}/hold", json={"reason": " "})).status_code == HTTPStatus.BAD_REQUEST
    assert (await ann.http.get(path)).json()["transcript"]["holds"] == []
    assert (await sue.http.put(f"{path}/hold", json=reason)).status_code == HTTPStatus.NO_CONTENT
    (hold,) = (await ann.http.get(path)).json()["transcript"]["holds"]
    assert hold["reason"] == "case 7"
    assert "holds" not in (await view(people.browser(), talk.ticket, talk.opened["access_code"])).text
    assert (await sue.http.delete(f"{path}/hold")).status_code == HTTPStatus.NO_CONTENT
    assert (await ann.http.get(path)).json()["transcript"]["holds"] == []


async def test_only_supervisors_hold_all_chats_of_a_customer_and_see_what_is_held(people: People) -> None:
    talk = await ended_talk(people)
    customer = talk.customer.welcome["person"]["id"]
    path, reason = f"/api/v1/customers/{customer}/hold", {"reason": "case 8"}
    ann, cid, sue, nobody = [*[await people.signed_in(login) for login in ("ann", "cid", "sue")], people.browser()]
    roles = [(await api.http.get("/api/v1/agent-sessions")).json()["agent"]["role"] for api in (ann, cid, sue)]
    assert roles == ["agent", "agent", "supervisor"]
    nowhere = await sue.http.put("/api/v1/customers/nobody/hold", json=reason)
    for outsider in (ann, cid):
        answers = [await outsider.http.put(path, json=reason), await outsider.http.delete(path)]
        assert {(one.status_code, one.text) for one in answers} == {(HTTPStatus.NOT_FOUND, nowhere.text)}
        for list_of in ("/api/v1/holds", "/api/v1/retention"):
            assert (await outsider.http.get(list_of)).status_code == HTTPStatus.FORBIDDEN
    answers = [await nobody.http.put(path, json=reason), await nobody.http.delete(path)]
    answers += [await nobody.http.get(f"/api/v1/{name}") for name in ("holds", "retention")]
    assert {one.status_code for one in answers} == {HTTPStatus.UNAUTHORIZED}
    token = {"Authorization": f"Bearer {talk.customer.welcome['customer_token']}"}
    assert (await nobody.http.get("/api/v1/holds", headers=token)).status_code == HTTPStatus.UNAUTHORIZED
    foreign = {"Origin": "https://elsewhere.example"}
    assert (await sue.http.put(path, json=reason, headers=foreign)).status_code == HTTPStatus.FORBIDDEN
    assert (await sue.http.delete(path, headers=foreign)).status_code == HTTPStatus.FORBIDDEN

    async def held() -> list[dict[str, Any]]:
        found = (await sue.http.get("/api/v1/holds")).json()["holds"]
        return [one for one in found if one.get("customer") == customer or one.get("ticket") == talk.ticket]

    assert await held() == []
    assert (await sue.http.put(path, json=reason)).status_code == HTTPStatus.NO_CONTENT
    chat = f"/api/v1/transcripts/{talk.ticket}/hold"
    assert (await sue.http.put(chat, json={"reason": "case 9"})).status_code == HTTPStatus.NO_CONTENT
    by_customer, by_ticket = await held()
    assert by_customer.pop("at") <= by_ticket.pop("at")
    assert by_customer == {"customer": customer, "along": [], "reason": "case 8", "placed_by": "Sue"}
    assert by_ticket == {"ticket": talk.ticket, "reason": "case 9", "placed_by": "Sue"}
    refused = people.server.command("transcripts", "erase", "--customer", customer)
    assert f"chat #{talk.ticket} is on legal hold" in refused.stderr
    assert (await sue.http.delete(path)).status_code == HTTPStatus.NO_CONTENT
    assert [one["reason"] for one in await held()] == ["case 9"]
    assert (await sue.http.delete(chat)).status_code == HTTPStatus.NO_CONTENT
    assert await held() == []


async def test_retention_is_previewed(people: People) -> None:
    talk = await ended_talk(people, topic="Preview")
    sue = await people.signed_in("sue")
    rule = ("transcripts", "retention", "set", "--topic", "Preview", "--days", "30")
    assert people.server.command(*rule).returncode == 0
    path = f"/api/v1/transcripts/{talk.ticket}/hold"
    due = {"department": "support", "topic": "Preview"}
    assert (await sue.http.get("/api/v1/retention")).json() == {
        "rules": [{"department": None, "topic": "Preview", "days": 30}],
        "due": [],
    }
    assert (await sue.http.get("/api/v1/retention?days=31")).json()["due"] == [due | {"chats": 1, "held": 0}]
    await sue.http.put(path, json={"reason": "case 10"})
    assert (await sue.http.get("/api/v1/retention?days=31")).json()["due"] == [due | {"chats": 0, "held": 1}]
    await sue.http.delete(path)
    for days in ("-1", "x", "36501", "9" * 30, "٣"):
        answer = await sue.http.get("/api/v1/retention", params={"days": days})
        assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert people.server.command("transcripts", "retention", "remove", "--topic", "Preview").returncode == 0


async def test_search_finds_what_the_agent_may_see(people: People) -> None:
    word = "lackadaisical"  # of this test alone: the server is that of others, too
    talk = await ended_talk(people, text=f"My {word} parcel")
    await until_durable(talk.agent, talk.ticket)
    found = {}
    for login in ("ann", "cid", "sue"):
        api = await people.signed_in(login)
        answer = await api.http.get("/api/v1/transcripts", params={"q": word})
        assert answer.status_code == HTTPStatus.OK
        found[login] = [hit["ticket"] for hit in answer.json()["results"]]
    assert found == {"ann": [talk.ticket], "cid": [], "sue": [talk.ticket]}
    api = await people.signed_in("ann")
    for query in ('"', "((", "a OR", "ticket:x", "after:never", "*", "-" * 500, "", "\x00", "🙂"):
        assert (await api.http.get("/api/v1/transcripts", params={"q": query})).status_code == HTTPStatus.OK
    for params in ({"limit": "0"}, {"limit": "101"}, {"limit": "x"}):
        assert (await api.http.get("/api/v1/transcripts", params=params)).status_code == HTTPStatus.BAD_REQUEST


async def test_long_transcript_in_pages(people: People) -> None:
    customer = await people.customer()
    opened = await open_chat(customer)
    ids = [
        await customer.start("post_message", ticket=opened["ticket"], n=n, text=f"message {n}") for n in range(2, 210)
    ]
    for id_ in ids:
        await customer.reply(id_)
    top = await until_durable(customer, opened["ticket"])
    api = people.browser()
    answer = (await view(api, opened["ticket"], opened["access_code"])).json()
    first = answer["transcript"]
    assert (len(first["entries"]), first["more"]) == (200, True)
    headers = {"Authorization": f"Bearer {answer['view_token']}"}
    path = f"{VIEWS}/{opened['ticket']}?after={first['entries'][-1]['seq']}"
    second = (await api.http.get(path, headers=headers)).json()["transcript"]
    assert [entry["seq"] for entry in second["entries"]] == list(range(201, top + 1))
    assert second["more"] is False
    for bad in ("-1", "x", "1" * 30):
        wrong_page = await api.http.get(f"{VIEWS}/{opened['ticket']}?after={bad}", headers=headers)
        assert wrong_page.status_code == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("form", ["html", "txt", "eml", "json"])
async def test_a_transcript_is_downloaded_in_each_format_without_notes(people: People, form: str) -> None:
    talk = await ended_talk(people)
    api = people.browser()
    token = (await view(api, talk.ticket, talk.opened["access_code"])).json()["view_token"]
    path, bearer = f"{VIEWS}/{talk.ticket}/export.{form}", {"Authorization": f"Bearer {token}"}
    answer = await api.http.get(path, headers=bearer, params={"tz": "Asia/Kolkata"})
    assert answer.status_code == HTTPStatus.OK
    assert answer.headers["content-disposition"] == f'attachment; filename="chat-{talk.ticket}.{form}"'
    keys = read_published((await api.http.get("/.well-known/chat-seal-keys.json")).content)
    if form != "txt":
        assert verify_file(answer.content, keys).problems == ()
    parts = [part.get_payload(decode=True) for part in message_from_bytes(answer.content).walk()]
    assert SECRET not in answer.text + "".join(part.decode() for part in parts if isinstance(part, bytes))
    assert (await api.http.get(path)).status_code == HTTPStatus.UNAUTHORIZED
    assert (await api.http.get(path, headers=bearer, params={"tz": "Mars"})).status_code == HTTPStatus.BAD_REQUEST
    assert (await api.http.get(path + "x", headers=bearer)).status_code == HTTPStatus.NOT_FOUND

    staff = await (await people.signed_in("ann")).http.get(f"/api/v1/transcripts/{talk.ticket}/export.{form}")
    assert staff.status_code == HTTPStatus.OK
    if form == "eml":  # a mail is for the customer
        assert staff.content == (await api.http.get(path, headers=bearer)).content
    else:
        assert SECRET in staff.text
