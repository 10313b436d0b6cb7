"""All data of a person: what they see as their own they take along, and an erasure takes what the operator exports."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update

from chatserver.actions.taking_along import write_archive
from chatserver.stores.erasing import subject_of_customer
from chatserver.stores.same_person import Perhaps, perhaps, taken_with
from chatserver.stores.schema import customers
from tests.support.backstage import Backstage
from tests.support.server import chatserver
from transcripts import schema
from transcripts.database import read, write

pytestmark = pytest.mark.anyio

ADDRESS = "mia@example.org"
VERIFIED = {"verified": True, "email": ADDRESS, "email_verified_at": 1}
UNVERIFIED = {"verified": False, "email": ADDRESS, "email_verified_at": None}
STRANGER = UNVERIFIED | {"email": "eva@example.org"}

# Two that the site has signed and staff have merged; who says so of themselves; who has no more than the address.
WHO: dict[str, dict[str, Any]] = {
    "mia": VERIFIED,
    "mia-too": VERIFIED | {"merged_into": "mia"},
    "unsigned": UNVERIFIED | {"merged_into": "mia-too", "email": None},
    "address": VERIFIED,
    "claims-address": UNVERIFIED | {"email": "Mia@Example.org"},
    "stranger": STRANGER,
    "erased": UNVERIFIED | {"erased_at": 1},
}


@pytest.fixture
async def tickets(stage: Backstage) -> dict[str, int]:
    """One chat of each of them; in one of a stranger's, the address was given."""
    found = {who: (await stage.open(f"I am {who}"))[0] for who in WHO}
    await stage.persist()
    row = {"site": "default", "merged_into": None, "erased_at": None, "created_at": 0}
    async with write(stage.engine) as connection:
        await connection.execute(insert(customers), [row | {"id": who} | fields for who, fields in WHO.items()])
        for who, ticket in found.items():
            chat = update(schema.chats).where(schema.chats.c.ticket == ticket)
            await connection.execute(chat.values(customer_id=who))
    return found


async def taken(stage: Backstage, who: str, people: Collection[str]) -> tuple[set[int], list[str]]:
    """Tickets and customers in the archive."""
    file = io.BytesIO()
    found = await write_archive(stage.engine, who, file, people=people)
    with zipfile.ZipFile(file) as archive:
        names = {f"transcripts/chat-{ticket}.json" for ticket in found}
        assert names == {name for name in archive.namelist() if name.startswith("transcripts/")}
        known = json.loads(archive.read("customer.json"))
    return set(found), [known["id"], *(one["id"] for one in known.get("merged", ()))]


@pytest.mark.parametrize(
    ("who", "theirs", "operators"),
    [
        ("mia", ["mia", "mia-too"], ["mia", "mia-too", "unsigned"]),
        ("mia-too", ["mia-too", "mia"], ["mia-too", "mia", "unsigned"]),
        ("unsigned", ["unsigned"], ["unsigned"]),
        ("address", ["address"], ["address"]),
        ("claims-address", ["claims-address"], ["claims-address"]),
        ("stranger", ["stranger"], ["stranger"]),
    ],
)
async def test_who_takes_what_along_and_an_erasure_takes_what_the_operator_exports(
    stage: Backstage, tickets: dict[str, int], who: str, theirs: list[str], operators: list[str]
) -> None:
    seen = await stage.chats.directory.same_person(who)
    assert seen == set(theirs)
    assert await taken(stage, who, seen) == ({tickets[one] for one in theirs}, theirs)
    async with read(stage.engine) as connection:
        people = await taken_with(connection, who)
    assert await taken(stage, who, people) == ({tickets[one] for one in operators}, operators)
    erased = await subject_of_customer(stage.engine, who)
    assert (set(erased.customers), set(erased.tickets)) == (set(operators), {tickets[one] for one in operators})


async def test_the_operator_is_told_who_else_may_be_the_same_person(stage: Backstage, tickets: dict[str, int]) -> None:
    async def others(who: str) -> list[Perhaps]:
        async with read(stage.engine) as connection:
            return await perhaps(connection, await taken_with(connection, who))

    merged, verified, said = "merged", "the same address, verified", "the same address, not verified"
    mia = [Perhaps("address", verified, 1), Perhaps("claims-address", said, 1)]
    assert await others("mia") == mia
    assert await others("claims-address") == [
        Perhaps("address", verified, 1),
        Perhaps("mia", verified, 1),
        Perhaps("mia-too", verified, 1),
    ]
    assert [(one.customer_id, one.why) for one in await others("unsigned")] == [
        ("address", merged),
        ("mia", merged),
        ("mia-too", merged),
    ]
    assert await others("stranger") == []
    async with write(stage.engine) as connection:
        chat = update(schema.chats).where(schema.chats.c.ticket == tickets["stranger"])
        await connection.execute(chat.values(customer_email="MIA@example.org"))
    assert await others("mia") == [*mia, Perhaps("stranger", said, 1)]
    assert len(await others("stranger")) == 4


def test_the_commands_name_who_was_left_out(tmp_path: Path) -> None:
    """Three customers with one address: an import has made one with an id and one without, the next another one."""
    data, file = tmp_path / "data", tmp_path / "old.jsonl"
    for run_of in ([{"id": "mia"}, {}], [{}]):
        lines = [
            {
                "external_id": f"t-{len(run_of)}-{number}",
                "customer": customer | {"email": "mia@example.org"},
                "entries": [{"role": "customer", "text": "a kettle"}],
            }
            for number, customer in enumerate(run_of)
        ]
        file.write_text("\n".join(map(json.dumps, lines)))
        assert chatserver("transcripts", "import", file, "--data", data).returncode == 0
    with sqlite3.connect(data / "chat.db") as db:
        others = [id_ for (id_,) in db.execute("SELECT id FROM customers WHERE external_id IS NULL ORDER BY id")]
    assert len(others) == 2
    output = ("-o", tmp_path / "mia.zip")
    runs = (
        ("export-customer", output, " -o FILE"),
        ("erase --customer", ("--dry-run",), ""),
        ("erase --customer", (), ""),
    )
    for command, after, told in runs:
        run = chatserver("transcripts", *command.split(), "external:mia", *after, "--data", data)
        assert run.returncode == 0, run.stderr
        for other in others:
            assert "the same address, not verified; 1 chat)" in run.stderr
            assert f"chatserver transcripts {command} {other}{told}\n" in run.stderr
        assert "mia@example.org" not in run.stderr
    with sqlite3.connect(data / "chat.db") as db:
        left = [id_ for (id_,) in db.execute("SELECT id FROM customers WHERE erased_at IS NULL ORDER BY id")]
    assert left == others
