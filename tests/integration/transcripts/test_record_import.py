import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.audit import broken_seals
from transcripts.database import read
from transcripts.errors import ImportLineError
from transcripts.export import as_json
from transcripts.import_line import numbered
from transcripts.importer import AT_ONCE, Imported, import_chats
from transcripts.seal import Sealer, SealKey
from transcripts.search import Scope, Search
from transcripts.store import Store
from transcripts.ticket import ticket_of
from transcripts.verify import verify

pytestmark = pytest.mark.anyio

KEY = SealKey.from_bytes(bytes(32))


class Caller:
    """What an importing program brings along: ticket numbers, customers, agents."""

    def __init__(self) -> None:
        self.counter = 10_000
        self.asked: list[dict[str, Any]] = []

    async def allocate(self, number: int) -> Sequence[int]:
        first, self.counter = self.counter, self.counter + number
        return [ticket_of(counter) for counter in range(first, self.counter)]

    async def customers(self, people: list[dict[str, Any]]) -> list[str]:
        self.asked += people
        return [f"customer-{person['id'] or person['email'] or id(person)}" for person in people]

    async def agents(self, people: list[dict[str, Any]]) -> list[str]:
        return [f"agent-{person['email']}" for person in people]


@pytest.fixture
def caller() -> Caller:
    return Caller()


async def run(engine: AsyncEngine, caller: Caller, *lines: Any, **options: Any) -> list[Imported]:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    caller_and_seals: dict[str, Any] = {"allocate": caller.allocate, "people": caller, "sealer": Sealer(engine, KEY)}
    work = import_chats(engine, numbered(texts), **caller_and_seals, **options)
    return [imported async for imported in work]


def make_line(external_id: str = "old-1", **fields: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "external_id": external_id,
        "topic": "Returns",
        "department": "support",
        "order": "112-7788231-1234567",
        "product": "Kettle",
        "opened_at": "2024-05-01T10:00:00Z",
        "closed_at": 1_714_558_200_000,
        "customer": {"id": 17, "name": "Mia", "email": "mia@example.com"},
        "agent": {"name": "Ann", "email": "ann@example.com"},
        "entries": [
            {"at": "2024-05-01T12:00:05+02:00", "role": "customer", "name": "Mia", "text": "My blue kettle leaks"},
            {"at": 1_714_557_610_000, "role": "agent", "text": "We send a new one"},
            {"role": "bot", "name": "Bot", "text": "Was this helpful?"},
        ],
    }
    return {**defaults, **fields}


async def rows(engine: AsyncEngine, table: Any) -> int:
    async with read(engine) as connection:
        return await connection.scalar(select(func.count()).select_from(table)) or 0


async def test_a_chat_comes_in_whole(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    (imported,) = await run(engine, caller, make_line())
    assert imported == Imported("old-1", 100009)
    chat = await store.chat(100009)
    assert chat is not None
    assert (chat.state, chat.external_id, chat.topic, chat.department, chat.product) == (
        "closed",
        "old-1",
        "Returns",
        "support",
        "Kettle",
    )
    assert (chat.customer_id, chat.customer_name, chat.verified) == ("customer-17", "Mia", False)
    assert (chat.owner, chat.owner_name, chat.close_reason) == ("agent-ann@example.com", "Ann", "import")
    assert (chat.opened_at, chat.accepted_at, chat.closed_at) == (
        1_714_557_600_000,
        1_714_557_610_000,
        1_714_558_200_000,
    )
    entries = await store.entries(100009, staff=True)
    assert [(entry.kind, entry.role, entry.name, entry.text) for entry in entries] == [
        ("opened", "customer", "Mia", None),
        ("message", "customer", "Mia", "My blue kettle leaks"),
        ("assigned", "agent", "Ann", None),
        ("message", "agent", "Ann", "We send a new one"),
        ("message", "bot", "Bot", "Was this helpful?"),
        ("closed", "system", None, None),
    ]
    assert [entry.at - chat.opened_at for entry in entries] == [0, 5_000, 10_000, 10_000, 10_000, 600_000]
    assert {one.role: one.person_id for one in await store.participants(100009)} == {
        "customer": "customer-17",
        "agent": "agent-ann@example.com",
        "bot": None,
        "system": None,
    }


async def test_it_is_sealed_and_found(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    await run(engine, caller, make_line())
    for audience in ("all", "staff"):
        export = await as_json(store, 100009, audience)
        assert export is not None
        assert verify(export, {KEY.key_id: KEY.public}).ok
    async with read(engine) as connection:
        assert [problem async for problem in broken_seals(connection, {KEY.key_id: KEY.public})] == []
    (result,) = (await Search(engine).search("leaking kettle", scope=Scope.staff())).results
    assert (result.ticket, result.external_id, result.entry_seq) == (100009, "old-1", 2)


async def test_the_same_line_again_is_the_same_ticket(engine: AsyncEngine, caller: Caller) -> None:
    first = await run(engine, caller, make_line(), make_line("old-2"))
    before = [await rows(engine, table) for table in (schema.chats, schema.entries, schema.seals, schema.participants)]
    again = await run(engine, caller, make_line("old-2"), make_line(), make_line("old-3"), make_line("old-3"))
    assert caller.counter == 10_003  # no ticket number is spent twice on a chat
    assert again[:2] == [first[1], first[0]]
    assert again[2] == again[3]
    after = [await rows(engine, table) for table in (schema.chats, schema.entries, schema.seals, schema.participants)]
    assert after == [count // 2 * 3 for count in before]


async def test_the_first_line_of_a_name_counts(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    await run(engine, caller, make_line(topic="first"), make_line(topic="second"))
    chat = await store.chat(100009)
    assert chat is not None
    assert chat.topic == "first"


async def test_a_line_without_an_id_is_recognised_by_its_content(engine: AsyncEngine, caller: Caller) -> None:
    line = {"entries": [{"role": "customer", "text": "hello"}]}
    first = await run(engine, caller, line)
    assert await run(engine, caller, line) == first
    assert await rows(engine, schema.chats) == 1


async def test_a_run_that_was_killed_is_finished_by_the_next(
    engine: AsyncEngine, store: Store, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Sealer, "seal_many", killed)
    with pytest.raises(KeyboardInterrupt):
        await run(engine, caller, make_line())
    monkeypatch.undo()
    chat = await store.chat(100009)
    assert chat is not None
    assert (chat.state, chat.indexed_seq) == ("closing", 0)
    assert await run(engine, caller, make_line()) == [Imported("old-1", 100009)]
    chat = await store.chat(100009)
    assert chat is not None
    assert (chat.state, chat.indexed_seq) == ("closed", 6)


async def test_every_free_text_is_masked(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    card = "4111 1111 1111 1111"
    line = make_line(
        topic=card,
        order=card,
        product=card,
        department=card,
        customer={"id": "c", "name": card, "email": card},
        agent={"name": card, "email": "a"},
        entries=[
            {"role": role, "name": card, "text": f"pay {card}"} for role in ("customer", "agent", "bot", "system")
        ],
    )
    await run(engine, caller, line)
    async with read(engine) as connection:
        for table in (schema.chats, schema.entries, schema.participants):
            found = str((await connection.execute(select(table))).all())
            assert card not in found
            assert "•••• 1111" in found
    assert card not in str(caller.asked)
    messages = [entry for entry in await store.entries(100009, staff=True) if entry.kind == "message"]
    assert [entry.masked for entry in messages] == [("card",)] * 4


async def test_a_person_is_asked_for_once(engine: AsyncEngine, caller: Caller) -> None:
    await run(
        engine, caller, make_line("a"), make_line("b"), make_line("c", customer=None), make_line("d", customer={})
    )
    assert [person["id"] for person in caller.asked] == ["17", None, None]
    async with read(engine) as connection:
        customers = (await connection.scalars(select(schema.chats.c.customer_id))).all()
    assert len(set(customers)) == 3


async def test_times_never_go_back(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    entries = [{"role": "customer", "at": at, "text": "x"} for at in (3000, 1000, None, "5000", 4000)]
    await run(engine, caller, make_line(opened_at=4000, closed_at=1, entries=entries))
    found = [entry.at for entry in await store.entries(100009, staff=True)]
    assert found == [3000, 3000, 3000, 3000, 5000, 5000, 5000]


@pytest.mark.parametrize(
    ("line", "field", "why"),
    [
        ("{", "", "not JSON"),
        ("[]", "", "Expected `object`"),
        ("{}", "", "`entries`"),
        ({"entries": [{"role": "agent", "text": 5}]}, "entries[0].text", "`str"),
        ({"entries": [{"role": "ghost", "text": "x"}]}, "entries[0].role", "ghost"),
        ({"entries": [{"role": "agent", "at": "noon"}]}, "entries[0].at", "noon"),
        ({"entries": [], "opened_at": -1}, "opened_at", "1970"),
        ({"entries": [], "closed_at": 1e300}, "closed_at", "1970"),
        ({"entries": [], "customer": {"name": 1}}, "customer.name", "`str"),
        ({"entries": [], "external_id": ""}, "external_id", "length"),
        ('{"entries": [], "extra": ' + "[" * 100_000, "", "not JSON"),
        ({"entries": [], "rating": float("nan")}, "", "not JSON"),
    ],
)
async def test_a_bad_line_is_named_and_nothing_of_it_is_done(
    engine: AsyncEngine, store: Store, caller: Caller, line: Any, field: str, why: str
) -> None:
    done: list[Imported] = []
    texts = [
        json.dumps(make_line()),
        "",
        line if isinstance(line, str) else json.dumps(line),
        json.dumps(make_line("old-2")),
    ]

    async def import_all() -> None:
        work = import_chats(
            engine, numbered(texts), allocate=caller.allocate, people=caller, sealer=Sealer(engine, KEY)
        )
        async for imported in work:
            done.append(imported)

    with pytest.raises(ImportLineError, match=r"^line 3: ") as caught:
        await import_all()
    assert (caught.value.line, caught.value.field) == (3, field)
    assert why in str(caught.value)
    assert done == [Imported("old-1", 100009)]
    assert await rows(engine, schema.chats) == 1


async def test_half_an_emoji_does_not_keep_a_chat_out(engine: AsyncEngine, store: Store, caller: Caller) -> None:
    await run(
        engine,
        caller,
        '{"entries": [{"role": "agent", "text": "ok \\ud83d"}]}',
        '{"entries": [{"role": "bot", "text": "\ud83d\\u0000"}]}',
    )
    texts = [
        entry.text for ticket in (100009, 100014) for entry in await store.entries(ticket, staff=True) if entry.text
    ]
    assert texts == ["ok \ufffd", "\ufffd\ufffd"]


async def test_bad_lines_can_be_left_out(engine: AsyncEngine, caller: Caller) -> None:
    errors: list[ImportLineError] = []
    imported = await run(engine, caller, make_line(), "{", make_line("old-2"), on_error=errors.append)
    assert [one.external_id for one in imported] == ["old-1", "old-2"]
    assert [error.line for error in errors] == [2]


async def test_large_files_go_in_pieces_and_tell_how_far_they_are(engine: AsyncEngine, caller: Caller) -> None:
    progress: list[int] = []
    lines = [make_line(f"old-{number}") for number in range(AT_ONCE + 50)]
    imported = await run(engine, caller, *lines, on_progress=progress.append)
    assert [one.external_id for one in imported] == [line["external_id"] for line in lines]
    assert progress == [AT_ONCE, AT_ONCE + 50]
    assert await Store(engine).unsealed() == 0
    assert await Store(engine).unindexed() == []


async def test_a_file_may_begin_with_a_byte_order_mark(engine: AsyncEngine, caller: Caller) -> None:
    assert len(await run(engine, caller, "\ufeff" + json.dumps(make_line()), "  \r\n")) == 1
