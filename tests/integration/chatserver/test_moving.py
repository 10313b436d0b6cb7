"""`chatserver migrate --from`: an installation goes from SQLite to PostgreSQL, whole or not at all."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from chatserver.keys import Keys
from chatserver.stores.moving import TABLES, NotEmptyError, NotMovedError, move
from chatserver.stores.schema import counters
from tests.support.postgres import Databases
from tests.support.server import chatserver
from transcripts import schema
from transcripts.database import open_database, read, write
from transcripts.entry import ChatBatch, Entry
from transcripts.seal import Sealer, SealKey
from transcripts.search import Scope, Search
from transcripts.store import Store

CHATS, LINES = 200, 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with thousands of entries, some of them lawfully erased, and an agent."""
    data = tmp_path_factory.mktemp("old") / "data"
    file = data.parent / "old.jsonl"
    said = [{"role": ("customer", "agent")[n % 2], "text": f"line {n} – größer, 東京 \U0001f600"} for n in range(LINES)]
    lines = (
        {"external_id": f"old-{n}", "topic": f"Topic {n}", "customer": {"id": f"c{n}", "name": "Mia"}, "entries": said}
        for n in range(CHATS)
    )
    file.write_text("\n".join(json.dumps(line) for line in lines))
    _done("transcripts", "import", file, "--data", data)
    _done("agent", "add", "ann@shop.example", "--name", "Ann", "--password-stdin", "--data", data, stdin="a long one\n")
    asyncio.run(_go_on(data))
    return data


def _done(*args: str | Path, **options: Any) -> str:
    done = chatserver(*args, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def _go_on(data: Path) -> None:
    """Erases what a tenth of the chats say in their third entry, as docs/seal.md has it; one of them was opened."""
    engine = open_database(f"sqlite:///{data}/chat.db")
    store, sealer = Store(engine), Sealer(engine, SealKey.from_bytes(Keys.load(data, {}).seal))
    async with read(engine) as connection:
        tickets = list(await connection.scalars(select(schema.chats.c.ticket).order_by(schema.chats.c.ticket)))
    redacted = tickets[::10]
    for ticket in redacted:
        chat = await store.chat(ticket)
        assert chat is not None
        entry = _entry(ticket, chat.last_seq + 1, kind="redacted", data={"entries": [3]})
        appended = await store.append([ChatBatch(ticket=ticket, epoch=chat.epoch, entries=(entry,))])
        assert not appended.conflicts
    await sealer.seal_many(redacted)
    gone = {"author_name": None, "text": None, "data": None, "salt": None, "erased_at": 5}
    async with write(engine) as connection:
        third = schema.entries.c.ticket.in_(redacted) & (schema.entries.c.seq == 3)
        await connection.execute(update(schema.entries).where(third).values(**gone))
    for at in range(3):
        await store.record_access(redacted[0], "ann", "agent", at)
    await engine.dispose()


def _entry(ticket: int, seq: int, **fields: Any) -> Entry:
    fixed = {"prev": seq - 1, "entry_id": f"e{seq}", "at": 2_000_000_000_000, "audience": "all", "role": "system"}
    return Entry(ticket=ticket, seq=seq, participant_id="system", **fixed, **fields)


async def rows(url: str) -> dict[str, list[Any]]:
    """Everything in the database but how far the search is."""
    engine = open_database(url)
    async with read(engine) as connection:
        found = {
            table.name: sorted(
                tuple(value for name, value in row.items() if name != "indexed_seq")
                for row in (await connection.execute(select(table))).mappings()
            )
            for table in TABLES
            if table.name not in ("seal_chain",)
        }
    await engine.dispose()
    return found


def test_everything_arrives_and_holds(folder: Path, postgresql: Databases) -> None:
    target = postgresql.empty()
    env = {"CHAT_DATABASE_URL": target}
    said = _done("migrate", "--from", folder / "chat.db", "--data", folder, env=env)
    assert f"Moved {CHATS} chats with {CHATS * (LINES + 3) + CHATS // 10} entries" in said
    assert f"all {CHATS + CHATS // 10} seals hold" in said
    old, new = asyncio.run(rows(f"sqlite:///{folder}/chat.db")), asyncio.run(rows(target))
    assert old == new
    assert len(new["entries"]) >= 3_000
    assert [row for row in new["entries"] if row[-1] == 5 and row[10] is None]

    # It is an installation: found, verified, and what comes next has numbers of its own.
    found = _done("transcripts", "search", "--json", "topic:17 größer", "--data", folder, env=env)
    (ticket,) = (json.loads(line)["ticket"] for line in found.splitlines())
    export = folder / "moved.json"
    _done("transcripts", "export", str(ticket), "--staff", "-o", export, "--data", folder, env=env)
    _done("transcripts", "verify", export, "--data", folder, env=env)
    more = folder / "more.jsonl"
    more.write_text('{"external_id": "new", "entries": [{"role": "customer", "text": "One more"}]}')
    imported = json.loads(_done("transcripts", "import", more, "--json", "--data", folder, env=env))
    assert imported["ticket"] not in {row[0] for row in new["chats"]}
    asyncio.run(_goes_on(target))


async def _goes_on(url: str) -> None:
    engine = open_database(url)
    async with read(engine) as connection:
        ticket = await connection.scalar(select(schema.accesses.c.ticket).limit(1))
    assert ticket
    await Store(engine).record_access(ticket, "ann", "agent", 9)
    assert [one.at for one in await Store(engine).accesses(ticket)] == [9, 2, 1, 0]
    await engine.dispose()


_SOMETHING = {
    "chats": "INSERT INTO chats (ticket, mode, state, site, customer_id, verified, gen, opened_at, regarding, "
    "access_gen, epoch, last_seq, last_public_seq, last_at, sealed_seq, indexed_seq) "
    "VALUES (100009, 'live', 'queued', 'default', 'c', false, 0, 1, '', 0, 1, 0, 0, 1, 0, 0)",
    "agents": "INSERT INTO agents VALUES ('a', 'a@x.example', 'A', 'agent', NULL, 'offline', 5, 1, NULL)",
    "sites": "INSERT INTO sites VALUES ('other', 'Other', '[]', '[]', '{}', '[]', 'support')",
    "seal_chain": "UPDATE seal_chain SET number = 1",
}


@pytest.mark.parametrize("table", _SOMETHING)
def test_a_database_with_something_in_it_is_refused(folder: Path, postgresql: Databases, table: str) -> None:
    target = postgresql.migrated()
    postgresql.execute(_SOMETHING[table], database=target)
    before = asyncio.run(rows(target))
    with pytest.raises(NotEmptyError, match=f"1 row in {table} already"):
        asyncio.run(_move(folder, folder / "chat.db", target))
    assert asyncio.run(rows(target)) == before


async def _move(data: Path, file: Path, target: str) -> dict[str, int]:
    old, new = open_database(f"sqlite:///{file}"), open_database(target)
    key = SealKey.from_bytes(Keys.load(data, {}).seal)
    try:
        return await move(old, new, keys={key.key_id: key.public})
    finally:
        await old.dispose()
        await new.dispose()


_ERASED = "salt = NULL, text = NULL, author_name = NULL, erased_at = 1"


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "UPDATE entries SET text = 'altered' WHERE seq = 5 AND ticket = (SELECT min(ticket) FROM chats)",
            "entry 5 is not as it was sealed",
        ),
        ("DELETE FROM seals WHERE number = 7", "does not follow segment 6"),
        (f"UPDATE entries SET {_ERASED} WHERE seq = 4", "no sealed entry"),
        ("UPDATE chats SET topic = 'half' || char(0) || 'way'", "does not fit"),
        ("UPDATE seal_chain SET number = 3", "head of the chain"),
    ],
)
def test_what_is_not_as_it_was_sealed_is_not_moved(
    folder: Path, postgresql: Databases, tmp_path: Path, damage: str, says: str
) -> None:
    with closing(sqlite3.connect(folder / "chat.db")) as old, closing(sqlite3.connect(tmp_path / "chat.db")) as copy:
        old.backup(copy)
        copy.execute(damage)
        copy.commit()
    target = postgresql.migrated()
    before = asyncio.run(rows(target))
    with pytest.raises(NotMovedError, match=says):
        asyncio.run(_move(folder, tmp_path / "chat.db", target))
    assert asyncio.run(rows(target)) == before


def test_what_was_interrupted_can_be_run_again(folder: Path, postgresql: Databases) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise Interrupted

    async def twice() -> None:
        old, new = open_database(f"sqlite:///{folder}/chat.db"), open_database(target)
        key = SealKey.from_bytes(Keys.load(folder, {}).seal)
        with pytest.raises(Interrupted):
            await move(old, new, keys={key.key_id: key.public}, on_rows=interrupt)
        with pytest.raises(NotMovedError, match="which is not known"):
            await move(old, new, keys={})
        moved = await move(old, new, keys={key.key_id: key.public})
        assert moved["chats"] == CHATS
        async with read(new) as connection:
            assert await connection.scalar(select(counters.c.value)) == 77_000  # somebody may know a number from there
        with pytest.raises(NotEmptyError):
            await move(old, new, keys={key.key_id: key.public})
        search = Search(new)
        assert not (await search.search("line", scope=Scope.staff())).results
        assert await search.index_pending(CHATS) == CHATS
        assert (await search.search("line", scope=Scope.staff())).results
        await old.dispose()
        await new.dispose()

    target = postgresql.migrated()
    postgresql.execute("UPDATE counters SET value = 77000", database=target)
    asyncio.run(twice())


@pytest.mark.parametrize(
    ("options", "env", "says"),
    [
        (("--from", "{folder}/chat.db"), {}, "CHAT_DATABASE_URL"),
        (("--from", "{folder}/chat.db"), {"CHAT_DATABASE_URL": "sqlite:///{folder}/b.db"}, "CHAT_DATABASE_URL"),
        (("--from", "{folder}/old.db"), {"CHAT_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "does not exist"),
        (("--from", "{folder}/chat.db"), {"CHAT_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "cannot be reached"),
    ],
)
def test_what_cannot_be_moved_is_said(folder: Path, options: tuple[str, ...], env: dict[str, str], says: str) -> None:
    place = {name: value.format(folder=folder) for name, value in env.items()}
    refused = chatserver("migrate", *(one.format(folder=folder) for one in options), "--data", folder, env=place)
    assert refused.returncode in (1, 2)
    assert says in refused.stderr
    assert "Traceback" not in refused.stderr
