"""What a crash left between two steps is completed: the first step is done here, and nobody does the second."""

import os
import signal
from collections.abc import AsyncIterator

import pytest

from chatserver.broker.draft import Draft
from chatserver.broker.keys import PARTITIONS, work_list
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.ids import new_epoch, new_id, participant_id
from chatserver.model.chat import ChatInfo, encode_info
from chatserver.model.person import CUSTOMER_RIGHTS, Participant
from chatserver.stores.queue import Queue
from tests.support.client import Socket, new_chat_key
from tests.support.log import until_durable, until_state, whole_log
from tests.support.people import People, open_chat, start_talk
from tests.support.server import RunningServer, wait_until
from transcripts.ticket import ticket_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def link(fragile_server: RunningServer) -> AsyncIterator[Link]:
    """A process of the hub that never comes to its next step."""
    link = Link(
        f"unix://{fragile_server.data}/valkey/valkey.sock", on_push=lambda *_: None, on_subscribed=lambda _: None
    )
    await link.start()
    yield link
    await link.stop()


async def begin_only(link: Link, customer: Socket, ticket: int) -> None:
    """The script OPEN, and nothing after it."""
    person = customer.welcome["person"]["id"]
    me = Participant(participant_id(ticket, person), person, "customer", CUSTOMER_RIGHTS)

    def draft(kind: str, n: int, text: str | None = None) -> Draft:
        return Draft(
            ticket=ticket,
            kind=kind,
            role="customer",
            entry_id=new_id(),
            person_id=person,
            participant=me.id,
            device=customer.device,
            n=n,
            text=text,
        )

    info = ChatInfo(person, "default", "support", "Support", new_chat_key())
    await ChatLog(link).open(
        draft("opened", 0),
        draft("message", 1, "Is anybody there?"),
        participant=me,
        info=encode_info(info),
        epoch=new_epoch(),
        origin=bytes(8),
        create=True,
    )


async def test_chat_that_never_came_to_its_queue(victims: People, link: Link) -> None:
    customer, agent = await victims.customer(), await victims.staff("ann")
    await agent.call("watch", topic="department:support")
    ticket = ticket_of(5_000_000)
    await begin_only(link, customer, ticket)
    assert (await customer.call("attach", ticket=ticket))["state"]["state"] == "queued"
    while (await agent.until("event", topic="department:support", type="queued"))["item"]["ticket"] != ticket:
        pass  # a chat that another test has left behind
    taken = await agent.call("take_chat", ticket=ticket, n=1)
    assert [entry["kind"] for entry in taken["page"]["entries"]] == ["opened", "message", "assigned"]
    assert await until_durable(customer, ticket) == 3


async def test_hand_over_that_nobody_confirmed(victims: People, link: Link) -> None:
    customer, agent = await victims.customer(), await victims.staff("ann")
    opened = await open_chat(customer, "Take me")
    person = agent.welcome["person"]
    gen = await Queue(link, grace_seconds=45).take(
        opened["ticket"], department="support", agent_id=person["id"], agent_name="Ann", gen=0
    )
    assigned = await customer.until("entry", ticket=opened["ticket"])
    assert (assigned["kind"], assigned["name"], assigned["data"]["gen"]) == ("assigned", "Ann", gen)
    # The agent comes back and finds the chat in hand.
    taken = await agent.call("take_chat", ticket=opened["ticket"], n=1)
    assert (taken["dup"], taken["gen"], taken["entry_id"]) == (True, gen, assigned["entry_id"])
    await agent.call("post_message", ticket=opened["ticket"], n=2, text="Here I am", gen=gen)
    assert (await customer.until("entry", kind="message"))["text"] == "Here I am"


def kill_worker(server: RunningServer, socket: Socket) -> int:
    """Kills the child that is not the socket's web process, once it is there; its pid."""

    def workers() -> list[int]:
        return [child for child in server.children() if child != socket.process]

    wait_until(lambda: len(workers()) == 1, "the worker runs")
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    return worker


def leases_of(server: RunningServer) -> set[bytes]:
    """Who holds the partitions."""
    with server.redis() as redis:
        return set(redis.mget([work_list(b"lease", number) for number in range(PARTITIONS)]))


async def test_killed_worker_is_replaced(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    leases = leases_of(fragile_server)
    worker = kill_worker(fragile_server, talk.customer)
    said = [await talk.say(n, f"message {n}") for n in range(2, 8)]
    assert await until_durable(talk.customer, talk.ticket) == said[-1]["seq"]
    wait_until(lambda: worker not in fragile_server.children(), "the dead worker is gone")
    assert leases_of(fragile_server) == leases  # it has not waited for them to end
    assert [entry["seq"] for entry in await whole_log(talk.agent, talk.ticket)] == list(range(1, 10))


async def test_killed_worker_leaves_no_chat_unsealed(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    kill_worker(fragile_server, talk.customer)
    await talk.end(2)
    await until_state(talk.customer, talk.ticket, "closed")
    api = await victims.signed_in("ann")
    transcript = (await api.http.get(f"/api/v1/transcripts/{talk.ticket}")).json()["transcript"]
    assert transcript["sealed"]["key_id"]
