"""People and ticket numbers in SQL, where several processes ask at the same time; on each database engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import event, insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

import chatserver.stores.migrate
import transcripts.migrate
from chatserver.stores.directory import AdminExistsError, AgentExistsError, Directory, NewAgent
from chatserver.stores.schema import agents, customers
from chatserver.stores.tickets import BLOCK, TicketNumbers, lease
from tests.support.server import PASSWORD
from tests.support.sqlite import Database
from transcripts.database import open_database, write
from transcripts.ticket import parse_ticket

pytestmark = pytest.mark.anyio


@pytest.fixture
async def engines(database: Database) -> AsyncIterator[list[AsyncEngine]]:
    """The connections of four processes to one database."""
    opened = [open_database(database.url) for _ in range(4)]
    await transcripts.migrate.upgrade(opened[0])
    await chatserver.stores.migrate.upgrade(opened[0], site_name="Shop", site_origins=())
    await asyncio.gather(*(Directory(engine).has_admin() for engine in opened))  # connections stand: all begin at once
    yield opened
    for engine in opened:
        await engine.dispose()


async def test_no_ticket_number_is_given_twice(engines: list[AsyncEngine]) -> None:
    blocks = await asyncio.gather(*(lease(engine, 7) for engine in engines for _ in range(10)))
    numbers = [number for block in blocks for number in block]
    assert len(set(numbers)) == len(numbers) == 280
    assert min(numbers) == 10_000


async def test_a_process_fetches_its_next_block_in_time(engines: list[AsyncEngine]) -> None:
    stocks = [TicketNumbers(engine) for engine in engines]
    await asyncio.gather(*(stock.start() for stock in stocks))
    tickets = [await stock.next() for _ in range(3 * BLOCK) for stock in stocks]
    assert len(set(tickets)) == 4 * 3 * BLOCK
    assert all(parse_ticket(str(ticket)) == ticket for ticket in tickets)
    await asyncio.sleep(0)
    await asyncio.gather(*(stock._fetching for stock in stocks if stock._fetching))  # so that nothing is left behind


async def test_many_who_ask_at_once_are_answered_by_one_question(engines: list[AsyncEngine]) -> None:
    directory, roles = Directory(engines[0]), ("agent", "supervisor", "admin")
    news = [
        NewAgent(f"a{n}@shop.example", f"A{n}", roles[n % 3], ("support", "billing")[: 1 + n % 2]) for n in range(9)
    ]
    known = {person.id: person for person in [await directory.add_agent(one) for one in news]}
    gone = next(iter(known))
    async with write(engines[0]) as db:
        await db.execute(update(agents).where(agents.c.id == gone).values(disabled_at=1))
    everywhere = tuple((await directory.departments()).values())
    questions: list[str] = []
    event.listen(engines[0].sync_engine, "before_cursor_execute", lambda *args: questions.append(args[2]))
    found = await asyncio.gather(*(directory.agent(id_) for id_ in [*known, *known, "nobody"]))
    assert len([one for one in questions if "FROM agents" in one]) == 1
    assert (found[0], found[-1]) == (None, None)
    for person in (one for one in found if one):
        assert (person.role, person.name) == (known[person.id].role, known[person.id].name)
        own = known[person.id].departments if person.role == "agent" else everywhere
        assert sorted(one.id for one in person.departments) == sorted(one.id for one in own)
    assert len([one for one in found if one]) == 2 * 8


async def test_there_is_one_first_administrator(engines: list[AsyncEngine]) -> None:
    new = [NewAgent(f"root{number}@shop.example", "Root", role="admin") for number in range(4)]
    made = await asyncio.gather(
        *(Directory(engine).add_agent(one, first_admin=True) for engine, one in zip(engines, new, strict=True)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in made) == [*["AdminExistsError"] * 3, "Person"]
    assert AdminExistsError in map(type, made)
    assert len(await Directory(engines[0]).agent_ids()) == 1


async def test_an_address_belongs_to_one_agent_and_a_department_is_made_once(engines: list[AsyncEngine]) -> None:
    new = NewAgent("Ann@Shop.example", "Ann", departments=("billing",))
    made = await asyncio.gather(
        *(Directory(engine).add_agent(new) for engine in engines),
        Directory(engines[0]).add_agent(NewAgent("ben@shop.example", "Ben", departments=("billing",))),
        return_exceptions=True,
    )
    assert [type(one) for one in made].count(AgentExistsError) == 3
    assert sorted(await Directory(engines[0]).departments()) == ["billing", "support"]


async def test_imports_beside_each_other_make_a_customer_once(engines: list[AsyncEngine]) -> None:
    people = [{"id": f"c{number}", "name": f"Mia {number}", "email": None} for number in range(20)]
    ids = await asyncio.gather(*(Directory(engine).import_customers(people, site="default") for engine in engines))
    assert len({tuple(found) for found in ids}) == 1
    agents = [{"name": "Ann", "email": f"Ann{number}@old.example"} for number in range(20)]
    ids = await asyncio.gather(*(Directory(engine).import_agents(agents) for engine in engines))
    assert len({tuple(found) for found in ids}) == 1


async def test_signing_in(engines: list[AsyncEngine]) -> None:
    directory = Directory(engines[0])
    await directory.add_agent(NewAgent("ann@shop.example", "Ann", password=PASSWORD))
    ann = await directory.sign_in(" ANN@shop.example ", PASSWORD)
    assert ann is not None
    assert (ann.name, [one.id for one in ann.departments]) == ("Ann", ["support"])
    assert await directory.sign_in("ann@shop.example", "another password") is None
    assert await directory.sign_in("bob@shop.example", PASSWORD) is None


async def test_names_are_in_the_order_of_their_bytes(engines: list[AsyncEngine]) -> None:
    directory = Directory(engines[0])
    wanted = ["Zoo", "abc", "a-b", "ähre", "Abc"]
    for name in wanted:
        await directory.add_agent(
            NewAgent(f"{len(name)}{ord(name[0])}{ord(name[1])}@x.example", name, "agent", (name,))
        )
    names = [one.name for one in (await directory.departments()).values()]
    assert names == sorted(names, key=lambda name: name.encode())


async def test_who_was_merged_is_one_person_to_themselves_only_where_the_site_signed_both(
    engines: list[AsyncEngine],
) -> None:
    """a -> b -> c and e -> c were signed by one site; the others look like them, and are not."""
    people = {
        "a": {"merged_into": "b"},
        "b": {"merged_into": "c"},
        "c": {},
        "e": {"merged_into": "c"},
        "unsigned": {"merged_into": "c", "verified": False},
        "behind-unsigned": {"merged_into": "unsigned"},
        "other-site": {"merged_into": "c", "site": "other"},
        "erased": {"merged_into": "c", "erased_at": 1},
        "stranger": {},
        "anonymous": {"verified": False},
        "into-anonymous": {"merged_into": "anonymous"},
    }
    row = {"site": "default", "verified": True, "merged_into": None, "erased_at": None, "created_at": 0}
    async with write(engines[0]) as db:
        await db.execute(insert(customers), [row | {"id": id_} | fields for id_, fields in people.items()])
    directory = Directory(engines[1])
    for one in ("a", "b", "c", "e"):
        assert await directory.same_person(one) == {"a", "b", "c", "e"}
    for one in ("unsigned", "other-site", "stranger", "anonymous", "into-anonymous", "nobody"):
        assert await directory.same_person(one) == {one}
