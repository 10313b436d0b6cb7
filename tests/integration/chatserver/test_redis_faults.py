"""Redis dies, forgets everything, or forgets one chat. What was durable stays as it was; who writes goes on."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus

import httpx
import pytest

from chatserver.broker.keys import chat_key, routing
from tests.support.client import PATIENCE, Refused, Socket, new_chat_key
from tests.support.log import assert_one_order, repeat, until_durable, until_heard, until_state, whole_log
from tests.support.people import People, add_staff, open_chat, position, start_talk
from tests.support.server import RunningServer, clean_environment, wait_until
from transcripts.verify import verify

pytestmark = pytest.mark.anyio


async def sealed_export(people: People, ticket: int) -> dict[str, object]:
    """The staff's file, which verifies with the published keys."""
    api = await people.signed_in("ann")
    export: dict[str, object] = (await api.http.get(f"/api/v1/transcripts/{ticket}/export.json")).json()
    published = (await api.http.get("/.well-known/chat-seal-keys.json")).json()["keys"]
    keys = {one["key_id"]: bytes.fromhex(one["public_key"]) for one in published}
    found = verify(export, keys)
    assert found.problems == ()
    return export


def forget(server: RunningServer, ticket: int) -> None:
    """Deletes the chat's keys, as when they expire."""
    with server.redis() as redis:
        assert redis.delete(chat_key(ticket, b":m"), chat_key(ticket, b":x")) == 2


async def test_killed_valkey_comes_back_and_the_sockets_stay(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    first = await talk.say(2, "Before")
    await until_durable(talk.customer, talk.ticket)
    fragile_server.save_valkey()
    before = fragile_server.valkey_pid()
    fragile_server.pause()
    fragile_server.kill9_valkey()

    with pytest.raises(Refused) as caught:
        await talk.say(3, "Meanwhile")
    assert caught.value.code == "unavailable"
    assert caught.value.frame["retry_after_ms"] > 0
    with pytest.raises(Refused, match="unavailable"):
        await talk.agent.call("pull", ticket=talk.ticket)
    answer = await asyncio.to_thread(httpx.get, f"{fragile_server.base}/readyz", timeout=PATIENCE, verify=False)
    assert answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert answer.json()["ready"] is False
    assert answer.json()["problems"] == ["Redis does not answer"]
    sessions = await victims.browser().post("/api/v1/customer-sessions", {"site_key": "default"})
    assert sessions.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(sessions.headers["Retry-After"]) >= 1
    fragile_server.go_on()

    second, _ = await repeat(talk.customer, "post_message", ticket=talk.ticket, n=3, text="Meanwhile")
    assert fragile_server.valkey_pid() != before
    assert second["prev"] == first["seq"]
    assert second["epoch"] != first["epoch"]  # the end of the log might have been lost
    assert (await until_heard(talk.agent, talk.ticket, "Meanwhile"))["seq"] == second["seq"]
    third, _ = await repeat(talk.agent, "post_message", ticket=talk.ticket, n=2, text="After", gen=talk.gen)
    await talk.customer.until("entry", text="After")
    assert_one_order(await whole_log(talk.agent, talk.ticket), talk.opened, talk.taken, first, second, third)
    await until_durable(talk.agent, talk.ticket)
    wait_until(fragile_server.is_ready, "the server is ready again")


async def test_empty_redis_is_filled_from_the_record(victims: People, fragile_server: RunningServer) -> None:
    key = new_chat_key()
    talk = await start_talk(victims, chat_key=key, text="Hello", topic="Delivery", name="Sam")
    said = [await talk.say(2, "One"), await talk.note(2, "Aside"), await talk.answer(3, "Two")]
    before = await whole_log(talk.agent, talk.ticket)
    state = (await talk.customer.call("pull", ticket=talk.ticket))["state"]
    assert await until_durable(talk.agent, talk.ticket) == len(before) == 6
    with fragile_server.redis() as redis:
        redis.flushall()
    victims.cookies.clear()  # sign-ins are gone, too

    again = await victims.resume(talk.customer, chats=[position(said[0])])
    (page,) = again.welcome["chats"]
    assert page["reset"] is True
    assert page["epoch"] != said[0]["epoch"]
    assert [entry["entry_id"] for entry in page["entries"]] == [
        entry["entry_id"] for entry in before if entry["audience"] == "all"
    ]
    assert {entry["epoch"] for entry in page["entries"]} == {page["epoch"]}
    for one in (page["state"], state):
        one["participants"].sort(key=lambda participant: str(participant["participant"]))
    assert page["state"] == state | {"durable": 6}
    repeated = await again.call("post_message", ticket=talk.ticket, n=2, text="One")
    assert (repeated["dup"], repeated["entry_id"]) == (True, said[0]["entry_id"])
    going_on = await again.call("post_message", ticket=talk.ticket, n=3, text="Three")
    assert (going_on["seq"], going_on["prev"], going_on["epoch"]) == (7, 6, page["epoch"])
    same = await open_chat(again, "Hello", chat_key=key)
    assert (same["ticket"], same["dup"], same["access_code"]) == (talk.ticket, True, talk.opened["access_code"])

    # The agent's socket has lived through it: it is told to begin again, and goes on as the owner.
    reset = await talk.agent.until("page", ticket=talk.ticket, reset=True)
    known = [entry["seq"] for entry in reset["entries"]]
    while known[-1] < going_on["seq"]:
        known.append((await talk.agent.until("entry", ticket=talk.ticket, epoch=reset["epoch"]))["seq"])
    assert known == list(range(1, 8))
    assert reset["state"]["gen"] == talk.gen
    last = await talk.answer(4, "Four")
    assert (await again.until("entry", ticket=talk.ticket))["seq"] == last["seq"] == 8
    await talk.end(5)
    await until_state(again, talk.ticket, "closed")
    log = await whole_log(again, talk.ticket)
    assert [entry.get("text") for entry in log] == [None, "Hello", None, "One", "Two", "Three", "Four", None]
    await sealed_export(victims, talk.ticket)


async def test_chats_that_nobody_touches_are_back_in_queue_and_hands(
    victims: People, fragile_server: RunningServer
) -> None:
    waiting, talk = await victims.customer(), await start_talk(victims)
    ticket = (await open_chat(waiting, "I wait and close my browser"))["ticket"]
    await until_durable(waiting, ticket)
    await until_durable(talk.agent, talk.ticket)
    for one in (waiting, talk.customer, talk.agent):
        await one.cut()
    with fragile_server.redis() as redis:
        redis.flushall()
    victims.cookies.clear()

    agent = await victims.staff("ann")
    await until_listed(agent, "department:support", ticket)
    await until_listed(agent, f"agent:{agent.welcome['person']['id']}", talk.ticket)
    taken = await agent.call("take_chat", ticket=ticket, n=1)
    assert [entry["kind"] for entry in taken["page"]["entries"]] == ["opened", "message", "assigned"]


async def until_listed(agent: Socket, topic: str, ticket: int) -> None:
    """Waits until the topic's list has the chat."""
    while True:
        state = (await agent.call("watch", topic=topic))["state"]
        if ticket in [item["ticket"] for item in state.get("waiting", state.get("chats"))]:
            return
        await asyncio.sleep(0.1)


async def test_rating_after_the_keys_have_gone_is_sealed_too(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    await talk.end(2)
    await until_state(talk.customer, talk.ticket, "closed")
    forget(fragile_server, talk.ticket)
    rated = await talk.customer.call("rate_chat", ticket=talk.ticket, n=2, rating=4, text="Fine")
    assert rated["seq"] == 5
    await until_durable(talk.agent, talk.ticket)
    await until_state(talk.customer, talk.ticket, "closed")
    staff = await victims.signed_in("ann")
    path = f"/api/v1/transcripts/{talk.ticket}/export.json"
    async with asyncio.timeout(PATIENCE):
        while len((await staff.http.get(path)).json()["proof"]["segments"]) < 2:
            pass
    export = await sealed_export(victims, talk.ticket)
    segments = export["proof"]["segments"]  # type: ignore[index]
    assert [(one["from"], one["to"]) for one in segments] == [(1, 4), (5, 5)]
    assert [entry["kind"] for entry in export["entries"]][-1] == "rated"  # type: ignore[union-attr,attr-defined]


async def test_forgotten_chat_is_the_same_after_every_touch(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    said = await talk.say(2, "Remember me")
    await until_durable(talk.customer, talk.ticket)
    forget(fragile_server, talk.ticket)
    answer = await talk.answer(2, "I do")
    assert (answer["seq"], answer["prev"]) == (said["seq"] + 1, said["seq"])
    await until_durable(talk.agent, talk.ticket)
    forget(fragile_server, talk.ticket)
    note = await talk.note(3, "Forgetful")
    await until_durable(talk.agent, talk.ticket)
    forget(fragile_server, talk.ticket)
    closed = await talk.end(4)
    log = await whole_log(talk.agent, talk.ticket)
    assert_one_order(log, said, answer, note, closed)
    assert len({ack["epoch"] for ack in (said, answer, note, closed)}) == 4


async def test_many_ask_for_a_forgotten_chat_at_once(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    await until_durable(talk.customer, talk.ticket)
    others = [await victims.customer_at(talk.customer.welcome["customer_token"]) for _ in range(6)]
    forget(fragile_server, talk.ticket)
    pages = await asyncio.gather(*(other.call("attach", ticket=talk.ticket) for other in others))
    assert len({page["epoch"] for page in pages}) == 1
    assert {len(page["entries"]) for page in pages} == {3}


async def test_waiting_list_that_forgot_a_chat(victims: People, fragile_server: RunningServer) -> None:
    """Two agents take a chat that the routing slot has lost: one wins, the other is told who."""
    customer, ann, ben = await victims.customer(), await victims.staff("ann"), await victims.staff("ben")
    for _ in range(4):
        opened = await open_chat(customer)
        await customer.call("detach", ticket=opened["ticket"])
        with fragile_server.redis() as redis:
            assert redis.zrem(routing("wait:support"), opened["ticket"]) == 1
            redis.hdel(routing("items"), str(opened["ticket"]))
        ids = [await agent.start("take_chat", ticket=opened["ticket"], n=1) for agent in (ann, ben)]
        replies = [await agent.until_reply(id_) for agent, id_ in zip((ann, ben), ids, strict=True)]
        outcome = [str(reply.get("owner") or reply["op"]) for reply in replies]
        assert outcome in (["ack", "Ann"], ["Ben", "ack"])


async def test_opening_that_comes_twice_with_a_loss_in_between_is_one_ticket(
    people: People, without_worker: RunningServer
) -> None:
    """An old copy of it that a network gives back late, when Redis and SQL know nothing of the chat."""
    customer, key = await people.customer(), new_chat_key()
    claim = (await customer.call("reserve_ticket", chat_key=key))["claim"]
    first = await open_chat(customer, chat_key=key, claim=claim)
    with without_worker.redis() as redis:
        redis.flushall()
    late = await open_chat(customer, chat_key=key, claim=claim)
    assert late["ticket"] == first["ticket"]
    with working(without_worker):
        await until_durable(customer, first["ticket"])


async def test_forgotten_scripts_are_sent_again(victims: People, fragile_server: RunningServer) -> None:
    talk = await start_talk(victims)
    with fragile_server.redis() as redis:
        redis.script_flush()
    await talk.say(2, "Still works")
    await talk.agent.until("entry", text="Still works")
    await until_durable(talk.agent, talk.ticket)


# -- what was acknowledged but not durable


@pytest.fixture
def without_worker() -> Iterator[RunningServer]:
    with RunningServer("--no-worker") as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def people(without_worker: RunningServer) -> AsyncIterator[People]:
    async with People(without_worker) as everybody:
        yield everybody


@contextmanager
def working(server: RunningServer) -> Iterator[None]:
    """A worker of its own, for a while."""
    command = [sys.executable, "-m", "chatserver", "worker", "--data", str(server.data)]
    worker = subprocess.Popen(command, env=clean_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        assert worker.wait(40) == 0


async def test_lost_tail_comes_back_once_with_its_sender(people: People, without_worker: RunningServer) -> None:
    talk = await start_talk(people)
    durable = await talk.say(2, "Durable")
    with working(without_worker):
        await until_durable(talk.customer, talk.ticket)
    lost = [await talk.say(3, "Acknowledged"), await talk.say(4, "This, too")]
    await talk.agent.until("entry", text="This, too")
    with without_worker.redis() as redis:
        redis.flushall()

    # Its sender comes back, is told that the tail is gone, and sends again what was not durable.
    again = await people.resume(talk.customer, chats=[position(lost[-1])])
    (page,) = again.welcome["chats"]
    assert page["reset"] is True
    assert [entry["seq"] for entry in page["entries"]] == [1, 2, 3, durable["seq"]]
    assert page["state"]["durable"] == durable["seq"]
    back = [
        await again.call("post_message", ticket=talk.ticket, n=n, text=text)
        for n, text in ((3, "Acknowledged"), (4, "This, too"))
    ]
    assert all("dup" not in ack for ack in back)
    assert [ack["seq"] for ack in back] == [5, 6]

    # The agent had seen the lost ones. Its socket is told to begin again, and then goes on without a hole.
    reset = await talk.agent.until("page", ticket=talk.ticket, reset=True)
    assert reset["epoch"] == back[0]["epoch"]
    known = {entry["seq"] for entry in reset["entries"]}
    while 6 not in known:
        known.add((await talk.agent.until("entry", ticket=talk.ticket, epoch=reset["epoch"]))["seq"])
    assert known == {1, 2, 3, 4, 5, 6}
    assert re.search(r"chat\.rewound +durable=4 known=6 ", without_worker.log)  # counted and reported
    with working(without_worker):
        await until_durable(talk.agent, talk.ticket)
    log = await whole_log(talk.agent, talk.ticket)
    assert_one_order(log, durable, *back)
    assert [entry.get("text") for entry in log][3:] == ["Durable", "Acknowledged", "This, too"]
