"""`transcripts erase` beside a running server: gone from SQL, the search, Redis and every file in the data folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatserver.keys import Keys
from chatserver.stores.erasing import ALL_RULES, subject_of_customer
from chatserver.wire import close_codes
from tests.support.people import People, Talk, add_staff, start_talk
from tests.support.server import RunningServer, chatserver, wait_until
from transcripts.database import open_database
from transcripts.erasure import Eraser, is_genuine
from transcripts.seal import Sealer, SealKey
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio

SECRET = "the wistful axolotl of Xochimilco"
MARKS = (b"axolotl", b"Xochimilco", b"xochimilco", b"Wilhelmina", b"wilhelmina")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running)
        yield running


@pytest.fixture
async def talk(server: RunningServer) -> Any:
    async with People(server) as everybody:
        yield await start_talk(everybody, text=f"Hello, {SECRET}", name="Wilhelmina Brandt", topic="Xochimilco")


def traces(data: Path) -> dict[str, list[bytes]]:
    """{file: marks in it} of everything in the data folder."""
    found = {}
    for path in data.rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            if here := [mark for mark in MARKS if mark in raw]:
                found[str(path.relative_to(data))] = here
    return found


def state(server: RunningServer, ticket: int) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(server.command("transcripts", "show", str(ticket), "--json").stdout)
    return shown


async def end(server: RunningServer, talk: Talk) -> None:
    await talk.answer(2, f"You mean {SECRET}?")
    await talk.note(3, "A note on Wilhelmina")
    await talk.end(4)
    wait_until(lambda: state(server, talk.ticket)["state"] == "closed", "the chat is sealed")
    wait_until(lambda: state(server, talk.ticket)["indexed_seq"] == 6, "the chat is indexed")


async def test_a_chat_is_erased_beside_the_running_server(server: RunningServer, talk: Talk, tmp_path: Path) -> None:
    refused = server.command("transcripts", "erase", "--ticket", str(talk.ticket))
    assert refused.returncode == 1
    assert "has not ended (active): close it first" in refused.stderr
    await end(server, talk)
    assert {"chat.db", "valkey"} <= {name.split("/")[0].removesuffix("-wal") for name in traces(server.data)}

    planned = server.command("transcripts", "erase", "--ticket", str(talk.ticket), "--dry-run")
    assert planned.stdout.startswith(f"#{talk.ticket}: 5 entries\n")
    assert planned.stdout.endswith("Nothing was changed.\n")
    assert traces(server.data)

    done = server.command("transcripts", "erase", "--ticket", str(talk.ticket))
    assert done.returncode == 0, done.stderr
    assert traces(server.data) == {}
    certificate = json.loads(done.stdout)
    key = SealKey.from_bytes(Keys.load(server.data, {}).seal)
    assert is_genuine(certificate, {key.key_id: key.public})
    assert {one["place"]: one["found"] for one in certificate["searched"]} == {"database": 0, "redis": 0}
    assert all(one["bytes"] and not one["unread"] for one in certificate["searched"])

    # Whoever still looks at it gets what is left.
    page = await talk.agent.call("attach", ticket=talk.ticket)
    assert [bool(one.get("erased_at")) for one in page["entries"]][:2] == [True, True]
    assert all("text" not in one for one in page["entries"])
    exported = server.command("transcripts", "export", str(talk.ticket), "-o", str(tmp_path / "chat.json"))
    assert exported.returncode == 0, exported.stderr
    verified = server.command("transcripts", "verify", str(tmp_path / "chat.json"))
    assert "verified" in verified.stdout, verified.stderr
    assert "erased" in verified.stdout


async def test_a_customer_of_an_import_is_erased_with_all_their_chats(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "old.jsonl"
    mia = {"id": "wilhelmina-77", "name": "Wilhelmina Brandt", "email": "wilhelmina@example.org"}
    lines = [
        {
            "external_id": f"t-{n}",
            "topic": "Xochimilco",
            "customer": mia,
            "entries": [{"role": "customer", "text": SECRET}],
        }
        for n in range(3)
    ]
    lines.append(
        {"external_id": "t-9", "customer": {"id": "ben"}, "entries": [{"role": "customer", "text": "a kettle"}]}
    )
    file.write_text("\n".join(map(json.dumps, lines)))
    assert chatserver("transcripts", "import", file, "--data", data).returncode == 0
    assert traces(data)

    done = chatserver("transcripts", "erase", "--customer", "external:wilhelmina-77", "--data", data)
    assert done.returncode == 0, done.stderr
    assert traces(data) == {}
    certificate = json.loads(done.stdout)
    assert len(certificate["chats"]) == 3
    assert len(certificate["customers"]) == 1
    found = chatserver("transcripts", "search", "kettle", "--json", "--data", data)
    assert json.loads(found.stdout)["external_id"] == "t-9"
    again = chatserver("transcripts", "erase", "--customer", "external:wilhelmina-77", "--data", data)
    assert (again.returncode, again.stderr) == (1, "chatserver: There is no customer external:wilhelmina-77.\n")
    # By our own id it can be run again, and the import does not bring anything back.
    assert chatserver("transcripts", "erase", "--customer", certificate["customers"][0], "--data", data).returncode == 0
    assert chatserver("transcripts", "import", file, "--data", data).returncode == 0
    assert b"axolotl" not in (data / "chat.db").read_bytes()


async def test_an_interrupted_erasure_ends_when_it_is_asked_for_by_the_same_name(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "old.jsonl"
    mia = {"id": "wilhelmina-77", "name": "Wilhelmina Brandt", "email": "wilhelmina@example.org"}
    entries = [{"role": "customer", "text": SECRET}]
    chats = [{"external_id": f"t-{n}", "customer": mia, "entries": entries} for n in range(2)]
    file.write_text("\n".join(map(json.dumps, chats)))
    assert chatserver("transcripts", "import", file, "--data", data).returncode == 0

    class Killed(BaseException):
        pass

    async def killed(*_: object) -> None:
        raise Killed

    engine = open_database(f"sqlite:///{data / 'chat.db'}")
    eraser = Eraser(engine, Sealer(engine, SealKey.from_bytes(Keys.load(data, {}).seal)), rules=ALL_RULES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(eraser, "_erase_chats", killed)  # only what is known of the customer is gone
        with pytest.raises(Killed):
            await eraser.erase(await subject_of_customer(engine, "external:wilhelmina-77"))
    await engine.dispose()
    assert b"wistful axolotl" in (data / "chat.db").read_bytes()

    stranger = chatserver("transcripts", "erase", "--customer", "external:wilhelmina-7", "--data", data)
    assert (stranger.returncode, stranger.stderr) == (1, "chatserver: There is no customer external:wilhelmina-7.\n")
    again = chatserver("transcripts", "erase", "--customer", "external:wilhelmina-77", "--data", data)
    assert again.returncode == 0, again.stderr
    certificate = json.loads(again.stdout)
    assert (len(certificate["chats"]), len(certificate["customers"])) == (2, 1)
    assert traces(data) == {}


async def test_an_erased_customer_is_signed_out_everywhere(server: RunningServer) -> None:
    export = "/api/v1/customer-sessions/export.zip"

    async def may(token: str) -> tuple[int, int]:
        """What a pass and all data of this customer are answered with."""
        api = everybody.browser()
        bearer = {"Authorization": f"Bearer {token}"}
        return (
            (await api.post("/api/v1/passes", {}, headers=bearer)).status_code,
            (await api.http.get(export, headers=bearer)).status_code,
        )

    async def finds(token: str) -> int:
        """What the list of own chats is answered with."""
        headers = {"Authorization": f"Bearer {token}"}
        return (await everybody.browser().http.get("/api/v1/own-chats", headers=headers)).status_code

    async with People(server) as everybody:
        talk, other = await start_talk(everybody), await everybody.customer()
        await end(server, talk)
        token, me = talk.customer.welcome["customer_token"], talk.customer.welcome["person"]["id"]
        entered = {"pass": await everybody.browser().new_pass(token)}
        inbox = (await everybody.browser().post("/api/v1/inbox-sessions", entered)).json()["inbox_token"]
        assert [await finds(one) for one in (token, inbox)] == [200, 200]
        assert await may(token) == (200, 200)
        hold = ("transcripts", "hold", "set", "--customer", me, "--reason", "case 7")
        assert server.command(*hold).returncode == 0
        refused = server.command("transcripts", "erase", "--customer", me)
        assert "on legal hold" in refused.stderr
        assert await may(token) == (200, 200)  # who may not be erased is not signed out either
        assert server.command("transcripts", "hold", "lift", "--customer", me).returncode == 0
        unused = await everybody.browser().new_pass(token)
        for socket in (talk.customer, other):  # pings that came while the commands ran are answered
            await socket.round_trip()
        done = server.command("transcripts", "erase", "--customer", me)
        assert done.returncode == 0, done.stderr

        assert await talk.customer.closed() == close_codes.UNAUTHENTICATED
        assert await may(token) == (401, 401)
        assert [await finds(one) for one in (token, inbox)] == [401, 401]
        for way in ({"resume_token": talk.customer.welcome["resume_token"]}, {"pass": unused}):
            stranger = await everybody.stranger(device=talk.customer.device)
            await stranger.send({"op": "hello", "id": 1, "device": stranger.device, "chats": [], **way})
            assert await stranger.closed() == close_codes.UNAUTHENTICATED
        session = {"site_key": "default", "customer_token": token}
        made = (await everybody.browser().post("/api/v1/customer-sessions", session)).json()
        assert made["customer_id"] != me
        # Nobody else is.
        assert await may(other.welcome["customer_token"]) == (200, 200)
        await other.round_trip()


async def test_the_access_code_of_an_erased_customer_is_answered_as_an_unknown_one(server: RunningServer) -> None:
    views = "/api/v1/transcript-views"

    async def opened(talk: Talk, ticket: int) -> tuple[int, str]:
        """With the code of this chat and this number."""
        typed = {"ticket": ticket, "access_code": talk.opened["access_code"]}
        answer = await everybody.browser().post(views, typed)
        return answer.status_code, answer.text

    async with People(server) as everybody:
        talk, other = await start_talk(everybody), await start_talk(everybody, "ben")
        await end(server, talk)
        view = (await opened(talk, talk.ticket))[1]
        token = {"Authorization": f"Bearer {json.loads(view)['view_token']}"}
        assert (await everybody.browser().http.get(f"{views}/{talk.ticket}", headers=token)).status_code == 200
        me = talk.customer.welcome["person"]["id"]
        done = server.command("transcripts", "erase", "--customer", me)
        assert done.returncode == 0, done.stderr
        assert await opened(talk, talk.ticket) == await opened(talk, ticket_of(99_999_998))
        assert (await opened(talk, talk.ticket))[0] == 404
        # A view that was open has ended, its downloads too; the code of somebody else is as good as ever.
        for path in (f"{views}/{talk.ticket}", f"{views}/{talk.ticket}/export.json"):
            assert (await everybody.browser().http.get(path, headers=token)).status_code == 401
        assert (await opened(other, other.ticket))[0] == 200


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "either --customer or --ticket"),
        (("--customer", "a", "--ticket", "1"), "either --customer or --ticket"),
        (("--customer", "a", "--entry", "1"), "--entry needs --ticket"),
    ],
)
def test_bad_usage(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    done = chatserver("transcripts", "erase", *args, "--data", tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
