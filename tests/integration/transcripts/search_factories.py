"""A small record that is searched, and what a search of it finds."""

from typing import Any

from record_factories import START, make_batch, make_entry, make_opening

from transcripts.entry import ChatBatch, Entry
from transcripts.search import Scope, Search
from transcripts.ticket import ticket_of

STAFF = Scope.staff()

DAY = 86_400_000


def chat(number: int, *said: str, day: int = 0, **fields: Any) -> ChatBatch:
    """A chat: the customer and the agent take turns; a text that begins with `note:` is a note of the agent's."""
    ticket = ticket_of(10_000 + number)
    agent = {"role": "agent", "participant_id": "p-ann", "name": fields.pop("agent", "Ann Lee")}
    at = fields.pop("at", START + day * DAY)
    rating = fields.pop("rating", None)
    entries: list[Entry] = [make_entry(1, ticket=ticket, at=at, kind="opened", text=None, name=None)]
    entries.append(
        make_entry(
            2, ticket=ticket, at=at, kind="assigned", text=None, data={"owner": "p-ann", "name": agent["name"]}, **agent
        )
    )
    for place, line in enumerate(said):
        if line.startswith("note:"):
            kind = {"kind": "note", "audience": "staff", **agent}
        else:
            kind = agent if place % 2 else {"name": fields.get("customer_name", "Mia")}
        entries.append(make_entry(3 + place, ticket=ticket, at=at, text=line.removeprefix("note:"), **kind))
    if rating is not None:
        entries.append(
            make_entry(3 + len(said), ticket=ticket, at=at, kind="rated", text=None, data={"rating": rating})
        )
    return make_batch(*entries, opening=make_opening(**{"topic": None, "order": None, **fields}))


KETTLE = chat(
    0,
    "My blue kettle leaks",
    "Sorry about the kettle, we send a new one",
    topic="Returns",
    order="112-7788231-1234567",
    rating=2,
)

REFUND = chat(
    1, "When do I get my refunds?", "Refunds take five days", day=1, agent="Bob Stone", topic="Money", rating=5
)

CAFE = chat(
    2,
    "Das Café war geschlossen, die Größe 38 fehlt",
    "Das tut uns leid",
    day=2,
    department="cafe",
    customer_id="cust-eva",
    customer_name="Eva Möller",
)

TOKYO = chat(3, "東京都庁から発送しますか", "はい、明日です", day=3)

CODES = chat(4, "Tracking AB-1234 says 1127788, invoice 555 123 4567", "See e-mail", day=4, product="Wi-Fi plug")

NOTED = chat(5, "Hello, I wait", "One moment", "note:Suspected fraud, see kettle policy", day=5)

CHATS = (KETTLE, REFUND, CAFE, TOKYO, CODES, NOTED)


async def found(search: Search, query: str, scope: Scope = STAFF, **options: Any) -> list[ChatBatch]:
    results = await search.search(query, scope=scope, **options)
    return [next(one for one in CHATS if one.ticket == result.ticket) for result in results.results]


async def tickets(search: Search, query: str) -> list[int]:
    return [one.ticket for one in (await search.search(query, scope=STAFF)).results]
