"""A hold on a customer protects whoever is the same person: from erasure, from retention, and wherever it is shown."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from chatserver.actions.expiring import apply_retention
from chatserver.stores.erasing import ALL_RULES, subject_of_customer
from chatserver.stores.same_person import kept_with
from chatserver.stores.schema import customers
from tests.support.backstage import SEAL_KEY, Backstage
from tests.support.log import until_durable, until_state
from tests.support.people import People, start_talk
from tests.support.server import chatserver
from transcripts import holds, retention, schema
from transcripts.database import read, write
from transcripts.erasure import Eraser
from transcripts.errors import HeldError
from transcripts.holds import HoldOn
from transcripts.retention import DAY_MS
from transcripts.seal import Sealer

pytestmark = pytest.mark.anyio

# Merged in a row, the first of them with a verified address that somebody else has verified, too.
WHO: dict[str, dict[str, Any]] = {
    "mia": {"email": "mia@example.org", "email_verified_at": 1},
    "mia-too": {"merged_into": "mia"},
    "mia-three": {"merged_into": "mia-too"},
    "same-address": {"email": "mia@example.org", "email_verified_at": 1},
    "says-so": {"email": "mia@example.org"},
    "stranger": {"email": "eva@example.org", "email_verified_at": 1},
}
PERSON = {"mia", "mia-too", "mia-three", "same-address"}


@pytest.fixture
async def tickets(stage: Backstage) -> dict[str, int]:
    """A chat of each, long ended; every chat is kept for a day."""
    found = {}
    for who in WHO:
        ticket, _ = await stage.open(f"I am {who}")
        await stage.send(await stage.assign(ticket), ticket, 2, None, "closed")
        found[who] = ticket
    await stage.persist()
    await stage.finaliser().run_once()
    row = {"site": "default", "verified": False, "merged_into": None, "email": None, "email_verified_at": None}
    async with write(stage.engine) as connection:
        rows = [{"id": who, "created_at": 0} | row | fields for who, fields in WHO.items()]
        await connection.execute(insert(customers), rows)
        for who, ticket in found.items():
            chat = update(schema.chats).where(schema.chats.c.ticket == ticket)
            await connection.execute(chat.values(customer_id=who, closed_at=DAY_MS))
        await retention.set_rule(connection, retention.Rule(None, None, 1))
    return found


def eraser(stage: Backstage) -> Eraser:
    return Eraser(stage.engine, Sealer(stage.engine, SEAL_KEY), rules=ALL_RULES, same=kept_with)


async def hold(stage: Backstage, who: str) -> None:
    async with write(stage.engine) as connection:
        assert await holds.place(connection, HoldOn(customer_id=who), reason="case 7", by="sue", at=1)


@pytest.mark.parametrize("on", sorted(PERSON))
async def test_a_hold_on_one_keeps_all(stage: Backstage, tickets: dict[str, int], on: str) -> None:
    await hold(stage, on)
    for who in WHO:
        subject = await subject_of_customer(stage.engine, who)
        if who not in PERSON:
            await eraser(stage).plan(subject)
            continue
        with pytest.raises(HeldError):
            await eraser(stage).erase(subject)
    async with read(stage.engine) as connection:
        for who in sorted(PERSON):  # without any chat, too
            with pytest.raises(HeldError, match=who):
                await holds.check(connection, customers=["stranger", who], same=kept_with)
        due = await retention.due(connection, 9 * DAY_MS, same=kept_with)
        assert {one.ticket for one in due if one.held} == {tickets[who] for who in PERSON}
        assert await retention.count_due(connection, 9 * DAY_MS, same=kept_with) == [("support", None, 2, 4)]
    assert (await apply_retention(stage.engine, eraser(stage), 9 * DAY_MS)).left == {}
    said = {who for who, ticket in tickets.items() if any(one.text for one in await stage.entries(ticket))}
    assert said == PERSON


async def test_who_is_merged_after_the_hold_is_held_and_no_longer_when_it_is_lifted(
    stage: Backstage, tickets: dict[str, int]
) -> None:
    await hold(stage, "stranger")
    subject = await subject_of_customer(stage.engine, "says-so")
    await eraser(stage).plan(subject)
    async with write(stage.engine) as connection:
        merged = update(customers).where(customers.c.id == "stranger").values(merged_into="says-so")
        await connection.execute(merged)
    with pytest.raises(HeldError):
        await eraser(stage).plan(subject)
    async with write(stage.engine) as connection:
        assert await holds.lift(connection, HoldOn(customer_id="stranger"), by="sue", at=2)
    await eraser(stage).plan(subject)


def test_the_commands_know(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "old.jsonl"

    def run(*args: str) -> tuple[int, str, str]:
        process = chatserver("transcripts", *args, "--data", data)
        return process.returncode, process.stdout, process.stderr

    lines = [
        {
            "external_id": f"t-{name}",
            "opened_at": "2020-03-09T14:00:00Z",
            "closed_at": "2020-03-09T15:00:00Z",
            "customer": {"id": name, "email": f"{name[:3]}@example.org"},
            "entries": [{"role": "customer", "text": "a kettle", "at": "2020-03-09T14:00:00Z"}],
        }
        for name in ("mia", "mia-too", "mia-says")
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    assert run("import", str(file))[0] == 0
    with sqlite3.connect(data / "chat.db") as db:
        ids = dict(db.execute("SELECT external_id, id FROM customers").fetchall())
        db.execute("UPDATE customers SET merged_into = ? WHERE id = ?", (ids["mia"], ids["mia-too"]))
    code, said, told = run("hold", "set", "--customer", "external:mia", "--reason", "case 7")
    assert (code, said) == (0, f"Customer {ids['mia']} is held, and with them {ids['mia-too']}.\n")
    assert f"chatserver transcripts hold set --customer {ids['mia-says']} --reason 'case 7'\n" in told
    (held,) = map(json.loads, run("hold", "list", "--json")[1].splitlines())
    assert (held["customer"], held["along"]) == (ids["mia"], [ids["mia-too"]])
    code, _, said = run("erase", "--customer", "external:mia-too", "--dry-run")
    assert (code, "on legal hold" in said) == (1, True)
    assert run("retention", "set", "--days", "1")[0] == 0
    due = [one for one in map(json.loads, run("retention", "preview", "--json")[1].splitlines()) if "due" in one]
    assert [(one["due"]["chats"], one["due"]["held"]) for one in due] == [(1, 2)]
    listed = map(json.loads, run("retention", "preview", "--list", "--json")[1].splitlines())
    assert sorted(one["held"] for one in listed) == [False, True, True]
    code, certificate, said = run("retention", "apply", "--yes")
    assert (code, len(json.loads(certificate)["chats"])) == (0, 1), said
    # With their last chat goes who is not held.
    assert json.loads(certificate)["customers"] == [ids["mia-says"]]
    with sqlite3.connect(data / "chat.db") as db:
        left = db.execute("SELECT external_id FROM customers WHERE email IS NOT NULL ORDER BY external_id").fetchall()
    assert left == [("mia",), ("mia-too",)]


async def test_staff_see_it(people: People) -> None:
    """The hold on a customer at the chat of another who is the same person, and in the counts of retention."""
    mine, other = await start_talk(people, topic="Held"), await start_talk(people, topic="Held")
    ids = [talk.customer.welcome["person"]["id"] for talk in (mine, other)]
    for talk in (mine, other):
        await until_durable(talk.customer, talk.ticket)
    with sqlite3.connect(people.server.data / "chat.db") as db:
        db.execute("UPDATE customers SET merged_into = ? WHERE id = ?", ids)
    sue = await people.signed_in("sue")
    path = f"/api/v1/customers/{ids[0]}/hold"
    assert (await sue.http.put(path, json={"reason": "case 11"})).status_code == 204
    for talk in (mine, other):
        shown = (await sue.http.get(f"/api/v1/transcripts/{talk.ticket}")).json()["transcript"]
        assert [one["reason"] for one in shown["holds"]] == ["case 11"]
        await talk.end(2)
    (listed,) = [one for one in (await sue.http.get("/api/v1/holds")).json()["holds"] if one.get("customer") == ids[0]]
    assert listed["along"] == ids[1:]
    rule = ("transcripts", "retention", "set", "--topic", "Held", "--days", "1")
    assert people.server.command(*rule).returncode == 0
    for talk in (mine, other):
        await until_state(talk.customer, talk.ticket, "closed")
    (due,) = (await sue.http.get("/api/v1/retention?days=2")).json()["due"]
    assert (due["topic"], due["chats"], due["held"]) == ("Held", 0, 2)
    assert (await sue.http.delete(path)).status_code == 204
    assert people.server.command("transcripts", "retention", "remove", "--topic", "Held").returncode == 0
