"""Exports of other systems, from the file to the transcript. The fixtures are made up, with every documented field."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.database import read
from transcripts.errors import ImportLineError
from transcripts.export import as_json
from transcripts.foreign import SYSTEMS, items_of, recognise
from transcripts.foreign.plain_text import plain_text
from transcripts.import_line import Item, parse_line
from transcripts.importer import Imported, import_chats
from transcripts.seal import Sealer, SealKey
from transcripts.store import Store
from transcripts.ticket import ticket_of
from transcripts.verify import verify

pytestmark = pytest.mark.anyio

KEY = SealKey.from_bytes(bytes(32))
FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "imports"
FILES = {path.stem: path for path in sorted(FOLDER.iterdir())}
CARD = "4111 1111 1111 1111"
SECRET = "she is a difficult one"


class Caller:
    """Ticket numbers, customers and agents; remembers whom it was asked for."""

    def __init__(self) -> None:
        self.counter = 10_000
        self.people: list[dict[str, Any]] = []

    async def allocate(self, number: int) -> Sequence[int]:
        first, self.counter = self.counter, self.counter + number
        return [ticket_of(counter) for counter in range(first, self.counter)]

    async def customers(self, people: list[dict[str, Any]]) -> list[str]:
        self.people += people
        return [f"customer-{person['id'] or id(person)}" for person in people]

    async def agents(self, people: list[dict[str, Any]]) -> list[str]:
        self.people += people
        return [f"agent-{person['name']}" for person in people]


async def run(engine: AsyncEngine, system: str, body: bytes, caller: Caller | None = None) -> list[Imported]:
    caller = caller or Caller()
    work = import_chats(
        engine,
        items_of(body),
        allocate=caller.allocate,
        people=caller,
        sealer=Sealer(engine, KEY),
        read=SYSTEMS[system],
    )
    return [imported async for imported in work]


async def said(store: Store, ticket: int, *, staff: bool = True) -> list[tuple[str, str, str | None, str | None, int]]:
    entries = await store.entries(ticket, staff=staff)
    return [
        (entry.kind, entry.role, entry.name, entry.text, entry.at - entries[0].at)
        for entry in entries
        if entry.text is not None
    ]


async def test_chatwoot(engine: AsyncEngine, store: Store) -> None:
    caller = Caller()
    first, second = await run(engine, "chatwoot", FILES["chatwoot"].read_bytes(), caller)
    assert (first.external_id, second.external_id) == ("chatwoot:1:812", "chatwoot:1:813")
    chat = await store.chat(first.ticket)
    assert chat is not None
    assert (chat.topic, chat.department, chat.customer_name, chat.customer_email) == (
        "returns, kettle",
        "billing",
        "Mia",
        "mia@example.com",
    )
    assert (chat.opened_at, chat.closed_at, chat.owner_name) == (1_714_557_600_000, 1_714_557_900_000, "Ann")
    assert await said(store, first.ticket) == [
        ("message", "customer", "Mia", "My kettle leaks, card •••• 1111\n[attachment: image]", 5_000),
        ("message", "bot", None, "We are back in a minute.", 6_000),
        ("note", "agent", "Ann", SECRET, 50_000),
        ("message", "agent", "Ann", "Please send it back.", 100_000),
        ("message", "bot", "Robo", "Was this helpful?", 200_000),
        ("message", "system", None, "Conversation was marked resolved by Ann", 300_000),
    ]
    assert await said(store, second.ticket) == [("message", "customer", "wild-lake-12", "Anybody there?", 0)]
    # The site's own id where there is one; otherwise one that no site's id can be.
    assert [person["id"] for person in caller.people if "id" in person] == ["c-17", "chatwoot:1:6"]


async def test_zendesk_chat(engine: AsyncEngine, store: Store) -> None:
    caller = Caller()
    first, second = await run(engine, "zendesk-chat", FILES["zendesk-chat"].read_bytes(), caller)
    assert (first.external_id, second.external_id) == ("zendesk-chat:2405.4987.QeUip", "zendesk-chat:2405.4987.QELAI")
    chat = await store.chat(first.ticket)
    assert chat is not None
    assert (chat.topic, chat.department, chat.customer_name, chat.owner_name) == (
        "returns, kettle",
        "billing",
        "Mia",
        "Ann",
    )
    assert (chat.opened_at, chat.closed_at) == (1_714_557_600_000, 1_714_558_500_000)
    assert await said(store, first.ticket) == [
        ("message", "bot", "Greeter", "Can we help?", 1_000),
        ("message", "customer", "Mia", "My kettle leaks, card •••• 1111", 5_000),
        ("message", "agent", "Ann", "Please send it back.", 35_000),
        ("message", "customer", "Mia", "[attachment: kettle.jpg]", 60_000),
    ]
    assert await said(store, second.ticket) == [("message", "customer", "John", "Hi there!", 0)]
    assert [person["id"] for person in caller.people if "id" in person] == [
        "zendesk-chat:1.12345",
        "zendesk-chat:1.12346",
    ]


async def test_intercom(engine: AsyncEngine, store: Store) -> None:
    caller = Caller()
    first, second = await run(engine, "intercom", FILES["intercom"].read_bytes(), caller)
    assert (first.external_id, second.external_id) == ("intercom:471", "intercom:472")
    chat = await store.chat(first.ticket)
    assert chat is not None
    assert (chat.topic, chat.customer_name, chat.owner_name) == ("Leaking & loud kettle", "Mia", "Ann")
    assert (chat.opened_at, chat.closed_at) == (1_714_557_600_000, 1_714_557_900_000)
    assert await said(store, first.ticket) == [
        ("message", "customer", "Mia", "My kettle leaks,\ncard •••• 1111\n[attachment: kettle.jpg]", 0),
        ("message", "bot", "Fin", "Someone will be here soon.", 10_000),
        ("note", "agent", "Ann", SECRET, 50_000),
        ("message", "agent", "Ann", "Please send it back. How (https://shop.example/returns)", 100_000),
        ("note", "bot", "Fin", "Mia returns a kettle.", 250_000),
        ("message", "agent", "Ann", "Bye!", 300_000),
    ]
    assert await said(store, second.ticket) == [("message", "customer", None, "Anybody there?", 0)]
    assert [person["id"] for person in caller.people if "id" in person] == ["c-17", "intercom:63"]


@pytest.mark.parametrize("system", FILES)
async def test_nothing_for_staff_reaches_the_customer_and_no_card_the_disk(
    engine: AsyncEngine, store: Store, system: str
) -> None:
    caller = Caller()
    body = FILES[system].read_bytes().replace(b'"name": "Ann"', f'"name": "Ann {CARD}"'.encode())
    assert CARD.encode() in body
    (first, *_) = await run(engine, system, body, caller)
    export = await as_json(store, first.ticket, "all")
    assert export is not None
    assert verify(export, {KEY.key_id: KEY.public}).ok
    assert SECRET not in json.dumps(export)
    entries = await store.entries(first.ticket, staff=False)
    assert [entry.prev for entry in entries] == [0, *(entry.seq for entry in entries[:-1])]
    async with read(engine) as connection:
        for table in (schema.chats, schema.entries, schema.participants):
            assert CARD not in str((await connection.execute(select(table))).all())
    assert CARD not in str(caller.people)


@pytest.mark.parametrize("system", FILES)
async def test_the_same_file_again_is_the_same_tickets(engine: AsyncEngine, system: str) -> None:
    body = FILES[system].read_bytes()
    caller = Caller()
    first = await run(engine, system, body, caller)
    assert await run(engine, system, body, caller) == first
    assert caller.counter == 10_000 + len(first)
    async with read(engine) as connection:
        assert await connection.scalar(select(func.count()).select_from(schema.chats)) == len(first)


@pytest.mark.parametrize("system", FILES)
def test_a_file_is_recognised_by_its_content_in_any_form(system: str) -> None:
    texts = [item.text for item in items_of(FILES[system].read_bytes())]
    assert [recognise(text) for text in texts] == [system] * 2
    chats = [json.loads(text) for text in texts]
    envelope = {
        "chatwoot": {"data": {"meta": {}, "payload": chats}},
        "zendesk-chat": {"chats": chats, "count": 2},
        "intercom": {"type": "conversation.list", "conversations": chats},
    }[system]
    forms: Iterator[str] = iter(
        [
            json.dumps(chats),
            json.dumps(chats, indent=2),
            "\n\n".join(json.dumps(chat) for chat in chats),
            json.dumps(envelope),
            "\ufeff" + json.dumps(envelope, indent=2),
        ]
    )
    for form in forms:
        assert [json.loads(item.text) for item in items_of(form.encode())] == chats
    pages = "\n".join([json.dumps(envelope)] * 3)
    assert [item.line for item in items_of(pages.encode())] == [1, 1, 2, 2, 3, 3]
    # One chat over many lines is one chat.
    assert [json.loads(item.text) for item in items_of(json.dumps(chats[0], indent=2).encode())] == chats[:1]


def test_our_own_lines_are_not_taken_for_another_system() -> None:
    own = {"entries": [], "messages": [], "account_id": 1, "visitor": {}, "conversation_parts": {}, "chats": [1]}
    (item,) = items_of(json.dumps(own).encode())
    assert (recognise(item.text), item.place) == ("jsonl", "")
    assert recognise("{") == recognise("[]") == recognise("{}") == "jsonl"


@pytest.mark.parametrize(
    ("system", "change", "field"),
    [
        ("chatwoot", {"id": "x"}, "id"),
        ("chatwoot", {"messages": [{"id": 1, "message_type": 0, "created_at": -1}]}, "messages[0].created_at"),
        ("chatwoot", {"messages": [{"id": 1, "message_type": 0, "created_at": "noon"}]}, "messages[0].created_at"),
        ("chatwoot", {"account_id": None}, "account_id"),
        ("zendesk-chat", {"timestamp": "noon"}, "timestamp"),
        ("zendesk-chat", {"history": [{"type": "chat.msg"}]}, "history[0]"),
        ("zendesk-chat", {"history": None}, ""),
        ("intercom", {"created_at": 1e15}, "created_at"),
        ("intercom", {"conversation_parts": None}, "conversation_parts"),
        ("intercom", {"source": {"body": 5}}, "source.body"),
    ],
)
def test_a_bad_chat_is_named_by_line_and_field(system: str, change: dict[str, Any], field: str) -> None:
    good, bad = [json.loads(item.text) for item in items_of(FILES[system].read_bytes())]
    bad = {**bad, "type": "chat"} if system == "zendesk-chat" else bad
    text = json.dumps([good, {**bad, **change}], indent=1)
    line = len(json.dumps([good], indent=1).splitlines())  # its last one closes the list
    first, second = items_of(text.encode())
    assert parse_line(first, 0, SYSTEMS[system])
    with pytest.raises(ImportLineError) as caught:
        parse_line(second, 0, SYSTEMS[system])
    assert caught.value.line == line
    assert caught.value.field == ("[1]." + field if field else "[1]")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[\n {"id": 1},\n {"id": 2\n]', 4),
        ('{\n "chats": [\n  {"id": nope}\n ]\n}\n', 3),
        ('{\n "chats": [\n', 2),
    ],
)
def test_a_document_that_is_not_json_is_refused_whole(text: str, line: int) -> None:
    with pytest.raises(ImportLineError, match="not JSON") as caught:
        list(items_of(text.encode()))
    assert caught.value.line == line


def test_a_broken_first_line_does_not_make_lines_a_document() -> None:
    first, second = items_of(b'{"entries": [\n{"entries": []}\n')
    assert (first, second.line) == (Item(1, "", '{"entries": ['), 2)


async def test_who_said_it_is_never_guessed_as_customer_or_agent(engine: AsyncEngine, store: Store) -> None:
    visitor = {"id": "1.1", "name": "Mia"}
    events = [
        {"type": "chat.msg", "msg": "a", "name": "Mia"},
        {"type": "chat.msg", "msg": "b", "name": "Somebody"},
        {"type": "chat.msg", "msg": "c", "name": "Mia", "nick": "agent:3"},
        {"type": "chat.msg", "msg": "d", "agent_id": 3},
        {"type": "chat.system", "msg": "e", "name": "Mia"},
        {"type": "chat.msg", "msg": "f", "name": "Ann", "sender_type": "Visitor", "nick": "agent:1"},
    ]
    at = "2024-05-01T10:00:00Z"
    chat = {"id": "z", "timestamp": at, "visitor": visitor, "history": [{**one, "timestamp": at} for one in events]}
    (imported,) = await run(engine, "zendesk-chat", json.dumps(chat).encode())
    assert [(role, text) for _, role, _, text, _ in await said(store, imported.ticket)] == [
        ("customer", "a"),
        ("system", "b"),
        ("agent", "c"),
        ("agent", "d"),
        ("customer", "f"),
    ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (None, ""),
        (" plain & simple ", "plain & simple"),
        ("<p> a \n b </p>", "a b"),
        ("<p> a \n <b>b</b> </p>", "a b"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("a<br/>b<br>c", "a\nb\nc"),
        ("<ul><li>one</li><li>two</li></ul>", "one\n\ntwo"),
        ("<script>x()</script>hi<style>p{}</style>", "hi"),
        ("&lt;b&gt; &eacute;", "<b> é"),
        ('<a href="https://a.example/">https://a.example</a>', "https://a.example"),
        ('<a href="https://a.example">here</a>!', "here (https://a.example)!"),
        ('see <img src="x"> <b>this', "see [image] this"),
    ],
)
def test_html_becomes_text(html: str | None, text: str) -> None:
    assert plain_text(html) == text


PIECES = [
    "<p>",
    "</p>",
    "<div>",
    "</div>",
    "<br>",
    "<br/>",
    "<br />",
    "a",
    "b > c",
    " ",
    "\n",
    "\n\n",
    "\u2028",
    "\x1f",
]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_paragraphs_are_read_as_the_parser_reads_them(html: str) -> None:
    parsed = f"{html}<b></b>"  # nothing to read, but no paragraph either
    assert plain_text(html) == plain_text(parsed)
