"""Erasing chats, entries and people: gone from every table and file, and the seal still holds."""

import json
from typing import Any

import msgspec
import pytest
from record_factories import CUSTOMER, OTHER_TICKET, TICKET, make_batch, make_chat, make_entry
from sqlalchemy import event, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

import transcripts.erasure.eraser
from chatserver.stores import erasing
from chatserver.stores import schema as hub_schema
from chatserver.stores.migrate import upgrade as upgrade_hub
from transcripts import schema
from transcripts.database import is_postgresql, read, write
from transcripts.erasure import (
    KEPT,
    RECORD,
    Eraser,
    Look,
    Subject,
    database_files,
    doubt,
    is_certificate,
    is_genuine,
)
from transcripts.errors import ErasureError
from transcripts.export import as_json
from transcripts.seal import Sealer, SealKey
from transcripts.search import Scope, Search
from transcripts.store import Store
from transcripts.verify import verify

pytestmark = pytest.mark.anyio

KEY = SealKey.from_bytes(bytes(range(32)))
KEYS = {KEY.key_id: KEY.public}
RULES = (*RECORD, *erasing.RULES)
SECRET = "quetzalcoatl's umbrella"
WORDS = (b"quetzalcoatl", b"quetzal", b"umbrella")


@pytest.fixture
async def sealed(engine: AsyncEngine, store: Store) -> AsyncEngine:
    """Two closed, sealed and indexed chats of the same customer; the first says what must go."""
    if not is_postgresql(engine):
        # Some builds of SQLite overwrite what is deleted at once, which would hide that nobody else does.
        event.listen(engine.sync_engine, "connect", lambda file, _: file.execute("PRAGMA secure_delete = OFF").close())
        await engine.dispose()
    await upgrade_hub(engine, site_name="Shop", site_origins=())
    told = make_chat(customer_email="mia.quetzalcoatl@example.org", customer_name="Mia Umbrella-Smith")
    entries = tuple(
        msgspec.structs.replace(one, text=f"{one.text} {SECRET}") if one.text else one for one in told.entries
    )
    await store.append(
        [msgspec.structs.replace(told, entries=entries), make_chat(OTHER_TICKET, customer_id="cust-ben")]
    )
    await Sealer(engine, KEY).seal_many([TICKET, OTHER_TICKET])
    assert await Search(engine).index_pending() == 2
    return engine


def eraser(engine: AsyncEngine, **options: Any) -> Eraser:
    return Eraser(engine, Sealer(engine, KEY), **{"rules": RULES, **options})


async def exported(store: Store, audience: str, ticket: int = TICKET) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(await as_json(store, ticket, audience)))
    return found


async def raw(engine: AsyncEngine, words: tuple[bytes, ...] = WORDS) -> set[bytes]:
    """Those of the words that are in the database's files."""
    look = await database_files(engine, RULES).look(words)
    assert look.files
    assert not look.unread
    return set(look.found)


async def test_a_chat_is_gone_from_the_files_and_its_seal_holds(sealed: AsyncEngine, store: Store) -> None:
    assert await raw(sealed) == set(WORDS)  # so it is looked for in the right way
    before = await exported(store, "staff", OTHER_TICKET)
    certificate = await eraser(sealed).erase(Subject((TICKET,)))
    assert await raw(sealed) == set()
    (chat,) = certificate.chats
    assert chat.entries == (1, 2, 4, 5, 6)  # the third says which agent had the chat
    assert chat.sealed_to == 8
    assert certificate.samples >= 10
    assert [(one.place, one.found) for one in certificate.searched] == [("database", 0)]
    for audience in ("all", "staff"):
        found = verify(await exported(store, audience), KEYS)
        assert found.ok, found.first
        assert found.erased == (4 if audience == "all" else 5)
    assert await exported(store, "staff", OTHER_TICKET) == before
    assert (await Search(sealed).search("umbrella", scope=Scope.staff())).results == ()
    assert (await Search(sealed).search("kettle", scope=Scope.staff())).results[0].ticket == OTHER_TICKET
    row = await store.chat(TICKET)
    assert row
    assert (row.customer_name, row.customer_email, row.topic, row.order) == (None, None, None, None)


async def test_what_a_customer_gets_names_no_entry_of_the_staff(sealed: AsyncEngine, store: Store) -> None:
    await eraser(sealed).erase(Subject((TICKET,)))
    for audience, named in (("all", [1, 2, 5, 6]), ("staff", [4])):
        (redacted,) = [
            one
            for one in (await exported(store, "staff"))["entries"]
            if one["kind"] == "redacted" and one["audience"] == audience
        ]
        assert redacted["data"] == {"entries": named}


async def test_one_entry_goes_and_the_others_stay(sealed: AsyncEngine, store: Store) -> None:
    certificate = await eraser(sealed).erase(Subject((TICKET,), entries=(5,)))
    assert certificate.chats[0].entries == (5,)
    entries = await store.entries(TICKET, staff=True)
    assert [one.seq for one in entries if one.erased_at] == [5]
    assert SECRET in (entries[1].text or "")
    chat = await store.chat(TICKET)
    assert chat
    assert chat.topic == "Returns"
    assert verify(await exported(store, "staff"), KEYS).ok


async def test_the_first_entry_takes_along_what_the_list_of_chats_repeats_of_it(
    sealed: AsyncEngine, store: Store
) -> None:
    mark = "clavichord"
    async with write(sealed) as connection:
        await connection.execute(update(schema.chats).where(schema.chats.c.ticket == TICKET).values(topic=mark))
    assert await raw(sealed, (mark.encode(),))
    certificate = await eraser(sealed).erase(Subject((TICKET,), entries=(1,)))
    assert certificate.chats[0].entries == (1,)
    chat = await store.chat(TICKET)
    assert chat
    assert (chat.customer_name, chat.customer_email, chat.topic, chat.order) == (None, None, None, None)
    assert await raw(sealed, (mark.encode(),)) == set()
    for words in (mark, "customer:umbrella-smith", "returns"):
        found = (await Search(sealed).search(words, scope=Scope.staff())).results
        assert TICKET not in {one.ticket for one in found}, words
    assert (await Search(sealed).search("umbrella", scope=Scope.staff())).results[0].ticket == TICKET
    other = await store.chat(OTHER_TICKET)
    assert other
    assert other.topic == "Returns"


async def test_a_rating_goes_with_its_entry(sealed: AsyncEngine, store: Store) -> None:
    await store.append([make_batch(make_entry(7, kind="rated", prev=6, data={"rating": 2}))])
    await Sealer(sealed, KEY).seal(TICKET)
    await eraser(sealed).erase(Subject((TICKET,), entries=(2,)))
    assert (await rating(store)) == 2
    await eraser(sealed).erase(Subject((TICKET,), entries=(7,)))
    assert (await rating(store)) is None
    assert (await Search(sealed).search("rating:2", scope=Scope.staff())).results == ()


async def rating(store: Store) -> int | None:
    chat = await store.chat(TICKET)
    assert chat
    return chat.rating


async def test_erasing_twice_changes_nothing_more(sealed: AsyncEngine, store: Store) -> None:
    first = await eraser(sealed).erase(Subject((TICKET,)))
    entries = await store.entries(TICKET, staff=True)
    second = await eraser(sealed).erase(Subject((TICKET,)))
    assert second.chats == first.chats
    assert await store.entries(TICKET, staff=True) == entries


async def test_a_dry_run_says_what_there_is_and_changes_nothing(sealed: AsyncEngine, store: Store) -> None:
    before = await store.entries(TICKET, staff=True)
    plan = await eraser(sealed).plan(Subject((TICKET,)))
    assert plan.entries == {TICKET: 5}
    assert plan.rows["chats"] == 1
    assert await store.entries(TICKET, staff=True) == before


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (Subject((TICKET + 1,)), "no chat"),
        (Subject((TICKET,), entries=(99,)), "no entry 99"),
        (Subject((TICKET, OTHER_TICKET), entries=(1,)), "within one chat"),
        (Subject((TICKET, 100021)), "has not ended"),
    ],
)
async def test_what_cannot_be_erased_is_refused_as_a_whole(
    sealed: AsyncEngine, store: Store, subject: Subject, why: str
) -> None:
    await store.append([make_chat(100021, closed=False)])
    with pytest.raises(ErasureError, match=why):
        await eraser(sealed).erase(subject)
    assert not any(one.erased_at for one in await store.entries(TICKET, staff=True))


async def test_what_another_chat_says_too_is_no_trace(sealed: AsyncEngine, store: Store) -> None:
    same = make_entry(2, ticket=100021, text="Where do I send the blue kettle? " + SECRET)
    opened = make_entry(1, ticket=100021, kind="opened")
    closed = make_entry(3, ticket=100021, kind="closed", data={"reason": "customer"})
    await store.append([make_batch(opened, same, closed)])
    await Sealer(sealed, KEY).seal(100021)
    await eraser(sealed).erase(Subject((TICKET,)))
    assert SECRET in ((await store.entries(100021, staff=True))[1].text or "")


async def test_a_trace_on_the_disk_is_an_error_and_no_certificate(
    sealed: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless:
        name = "backup"

        async def settle(self, tickets: object) -> None: ...
        async def erase(self, tickets: object) -> None: ...
        async def scrub(self) -> None: ...
        async def look(self, samples: Any) -> Look:
            return Look("backup", 1, 10, tuple(samples)[:2])

    monkeypatch.setattr(transcripts.erasure.eraser, "_PAUSE_SECONDS", 0)
    with pytest.raises(ErasureError, match=r"[12] of \d+ samples are still in raw files \(backup\)"):
        await eraser(sealed, places=[Careless()]).erase(Subject((TICKET,)))


async def test_the_certificate_is_signed_and_says_nothing_of_what_is_gone(sealed: AsyncEngine) -> None:
    certificate = await eraser(sealed).erase(Subject((TICKET,), customers=(CUSTOMER,)))
    plain = json.loads(msgspec.json.encode(certificate))
    assert is_genuine(plain, KEYS)
    assert "umbrella" not in json.dumps(plain).lower()
    assert not is_genuine(plain, {})
    for name, value in plain.items():
        if name != "signature":
            changed = {"rows": {}, "customers": ["x"], "chats": [], "searched": []}.get(name, f"{value}1")
            assert not is_genuine({**plain, name: changed}, KEYS), name
    assert not is_genuine({**plain, "more": 1}, KEYS)
    assert is_certificate(plain)
    for changed, why in (
        (plain | {"format": "chat-erasure/2"}, "no erasure certificate of the form"),
        (plain | {"samples": 7}, "signature does not hold"),
        (plain | {"samples": "7"}, "not as it was issued"),
        (plain | {"key_id": "another"}, "which is none of those trusted"),
        (plain | {"signature": "none"}, "signature does not hold"),
        (plain | {"erased_at": 2**60}, "signature does not hold"),
    ):
        assert why in str(doubt(changed, KEYS))
    assert doubt(plain, KEYS) is None


async def test_every_column_of_the_database_is_decided(sealed: AsyncEngine) -> None:
    """A new table or column is red here until somebody has said what becomes of it when a person is erased."""
    if is_postgresql(sealed):
        question = (
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        )
    else:
        question = "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
    decided = {(table, column) for table, columns in (KEPT | erasing.KEPT).items() for column in columns.split()}
    for rule in RULES:
        decided |= {(rule.table.name, column) for column in (rule.table.c.keys() if rule.wiped is None else rule.wiped)}
    async with read(sealed) as connection:
        there = {(str(table), str(column)) for table, column in (await connection.execute(text(question))).all()}
    # The search's tables are made of the others, and written anew with them.
    undecided = {one for one in there - decided if not one[0].startswith(("search_", "alembic_", "sqlite_"))}
    assert {table for table, _ in undecided} <= {"transcripts_version", "chatserver_version"}, undecided
    assert decided <= there


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.wiped != {"rating": None}], ids=lambda rule: rule.table.name
)
async def test_every_rule_takes_its_values_from_the_disk(sealed: AsyncEngine, rule: Any) -> None:
    """Each store that registers a rule is tried: all its text columns are filled with a mark, and looked for."""
    mark = "xylophone-marmalade"
    gone = rule.table.c.keys() if rule.wiped is None else list(rule.wiped)
    marked: dict[str, Any] = {name: mark for name in gone if rule.table.c[name].type.python_type is str}
    if rule.table.name == "entries":
        marked["data"] = json.dumps({"topic": mark})
    subject = Subject((TICKET,), customers=(CUSTOMER,), emails=(mark,))
    async with write(sealed) as connection:
        if (await connection.execute(update(rule.table).where(rule.where(subject)).values(**marked))).rowcount == 0:
            plain = {str: "x", int: 1, bytes: b"x", bool: False}
            row = {one.name: plain[one.type.python_type] for one in rule.table.c if one.name != "erased_at"}
            owner = {"ticket": TICKET, "customer": CUSTOMER, "email": mark}[rule.of]
            await connection.execute(insert(rule.table).values(**{**row, **marked, rule.column: owner}))
    assert await raw(sealed, (mark.encode(),))
    await eraser(sealed).erase(subject)
    assert await raw(sealed, (mark.encode(),)) == set()


async def test_the_salt_is_gone_so_nobody_can_guess_the_text(sealed: AsyncEngine) -> None:
    async with read(sealed) as connection:
        salts = tuple(await connection.scalars(select(schema.entries.c.salt).where(schema.entries.c.ticket == TICKET)))
    assert set(salts) == await raw(sealed, salts)
    await eraser(sealed).erase(Subject((TICKET,)))
    assert await raw(sealed, salts) == {salts[2]}  # of the entry that stays


def test_the_hubs_tables_are_those_of_its_schema() -> None:
    named = {rule.table.name for rule in erasing.RULES} | set(erasing.KEPT)
    assert named == set(hub_schema.metadata.tables)
