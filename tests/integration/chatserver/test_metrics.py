"""`/metrics`: every process of the installation, for the operator and nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from chatserver import figures
from chatserver.broker.keys import routing
from chatserver.errors import UnavailableError
from chatserver.figures import Report
from chatserver.stores.reports import REPORT_MS, Reports
from chatserver.worker.worker import Worker
from tests.support.backstage import Valkey
from tests.support.client import PATIENCE, Refused, new_chat_key
from tests.support.link import linked
from tests.support.node import running_node
from tests.support.people import People, add_staff, elsewhere, open_chat, start_talk
from tests.support.server import RunningServer, until_gone
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio

TOKEN = "metrics-0123456789abcdef"


@pytest.fixture(scope="module")
def watched() -> Iterator[RunningServer]:
    """Two web processes and a worker."""
    with RunningServer("--workers", "2", env={"CHAT_METRICS_TOKEN": TOKEN}) as running:
        add_staff(running, "ann")
        yield running


@pytest.fixture
async def people(watched: RunningServer) -> AsyncIterator[People]:
    async with People(watched) as everybody:
        yield everybody


class Scrape:
    """What `/metrics` said once, summed up over the labels that are not asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))

    def sum(self, name: str, **labels: str) -> float:
        return sum(
            sample.value
            for family in self.families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def processes(self, role: str) -> set[int]:
        """The pids of those that are in it."""
        return {
            int(sample.labels["process"].split("-")[0])
            for family in self.families
            for sample in family.samples
            if sample.name == figures.STARTED_AT and sample.labels["role"] == role
        }


async def answer(server: RunningServer, token: str = TOKEN) -> httpx.Response:
    """On a connection of its own: any of the processes."""
    async with httpx.AsyncClient(base_url=server.base, timeout=PATIENCE) as http:
        return await http.get("/metrics", headers={"Authorization": f"Bearer {token}"})


async def until(server: RunningServer, fits: Callable[[Scrape], bool]) -> Scrape:
    """Asks until the answer is so: the other processes report every few seconds."""
    async with asyncio.timeout(PATIENCE):
        while True:
            response = await answer(server)
            assert response.status_code == HTTPStatus.OK, response.text
            if fits(scrape := Scrape(response.text)):
                return scrape
            await asyncio.sleep(0.1)


async def test_any_process_answers_for_all(people: People, watched: RunningServer) -> None:
    customer = await people.customer()
    agent = await elsewhere(lambda: people.staff("ann"), customer)
    before = await until(watched, lambda scrape: len(scrape.processes("web")) == 2)
    opened = await open_chat(customer, "Confidential-Parcel", name="Samantha-Secret", topic="Private-Topic")
    ticket = opened["ticket"]
    taken = await agent.call("take_chat", ticket=ticket, n=1)
    for n in range(2, 12):
        await customer.call("post_message", ticket=ticket, n=n, text="Confidential")
        await agent.call("post_message", ticket=ticket, n=n, text="Answer", gen=taken["gen"])
    await agent.call("post_note", ticket=ticket, n=12, text="Aside")
    with pytest.raises(Refused, match="gap"):
        await customer.call("post_message", ticket=ticket, n=99, text="Too soon")
    with pytest.raises(Refused):
        await customer.call("Samantha-Secret")
    await agent.call("close_chat", ticket=ticket, n=13, gen=taken["gen"])
    await customer.until("entry", kind="closed")

    def more(scrape: Scrape, name: str, **labels: str) -> float:
        return scrape.sum(name, **labels) - before.sum(name, **labels)

    def is_all_there(scrape: Scrape) -> bool:
        return (
            more(scrape, "chat_commands_total", op="post_message", outcome="ack") == 20
            and more(scrape, "chat_chats_finalised_total", role="worker") == 1
            and scrape.sum("chat_undurable_chats") == 0
        )

    found = await until(watched, is_all_there)
    assert found.processes("web") | found.processes("worker") == set(watched.children())
    assert found.processes("web") == {customer.process, agent.process}
    assert found.sum("chat_metrics_complete") == 1
    assert more(found, "chat_commands_total", op="post_message", outcome="gap") == 1
    assert more(found, "chat_commands_total", op="unknown", outcome="unknown_command") == 1
    assert [more(found, "chat_commands_total", op=op, outcome="ack") for op in ("open_chat", "post_note")] == [1, 1]
    assert more(found, "chat_command_seconds_count", op="post_message") == 20
    assert more(found, "chat_command_seconds_bucket", op="post_message", le="+Inf") == 20
    assert 0 < more(found, "chat_command_seconds_sum", op="post_message") < PATIENCE
    assert more(found, "chat_entries_delivered_total") == 10 + 10 + 2  # and of the agent: assigned, closed
    assert more(found, "chat_entries_persisted_total", role="worker") == 2 + 1 + 20 + 1 + 1
    assert found.sum("chat_connections", who="customer") == found.sum("chat_connections", who="staff") == 1
    assert found.sum("chat_chats_attached") == 2  # once in each process
    assert found.sum("chat_redis_breaker_open") == 0
    assert found.sum("chat_partitions_held") == 64
    assert found.sum("chat_loop_lag_seconds_count", role="web") > 0
    for word in ("Secret", "Confidential", "Private", "Aside", str(ticket), opened["access_code"]):
        assert word not in found.text


async def test_outsiders_find_nothing_there(people: People, watched: RunningServer) -> None:
    assert (await answer(watched)).status_code == HTTPStatus.OK
    nobody, staff = people.browser(), await people.signed_in("ann")
    customer = await people.customer()
    assert customer.welcome
    nothing = await nobody.http.get("/no-such-address")
    assert nothing.status_code == HTTPStatus.NOT_FOUND
    own = (await nobody.post("/api/v1/customer-sessions", {"site_key": "default"})).json()["customer_token"]
    refused = [await nobody.http.get("/metrics"), await staff.http.get("/metrics")]
    for token in (own, TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ü"):
        refused.append(await nobody.http.get("/metrics", headers={"Authorization": f"Bearer {token}".encode()}))
    refused.append(await nobody.http.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"}))
    refused.append(await nobody.http.get("/metrics", params={"token": TOKEN}))
    for response in refused:
        assert (response.status_code, response.content) == (nothing.status_code, nothing.content)
        assert response.headers.items() >= {"cache-control": "no-store"}.items()


async def test_without_a_token_it_is_not_there_and_nothing_is_reported(
    fragile_server: RunningServer, victims: People
) -> None:
    await start_talk(victims)
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": f"Bearer {TOKEN}"}):
        found = await victims.browser().http.get("/metrics", headers=headers)
        assert found.status_code == HTTPStatus.NOT_FOUND
    with fragile_server.redis() as redis:
        assert redis.exists(routing("reports")) == 0


async def test_a_process_that_was_killed_is_replaced(watched: RunningServer) -> None:
    before = await until(watched, lambda scrape: len(scrape.processes("web")) == 2)
    web = min(before.processes("web"))
    with watched.redis() as redis:
        names = redis.zrange(routing("reports"), 0, -1)
        (name,) = [name for name in names if f":{web}-".encode() in name]
        assert 0 < redis.pttl(routing("report") + b":" + name) <= REPORT_MS  # so it ends without anybody
        os.kill(web, signal.SIGKILL)
        until_gone(web)
        redis.pexpire(routing("report") + b":" + name, 1)  # later
    await until(
        watched, lambda scrape: len(scrape.processes("web") - {web}) == 2 and web not in scrape.processes("web")
    )


async def test_without_redis_a_process_answers_for_itself(watched: RunningServer) -> None:
    await until(watched, lambda scrape: len(scrape.processes("web")) == 2)
    watched.pause()  # the parent would start it again
    watched.kill9_valkey()
    alone = await until(watched, lambda scrape: scrape.sum("chat_metrics_complete") == 0)
    assert len(alone.processes("web")) == 1
    assert alone.processes("worker") == set()
    assert alone.sum("chat_redis_breaker_open") == 1
    watched.go_on()
    again = await until(watched, lambda scrape: len(scrape.processes("web") | scrape.processes("worker")) == 3)
    assert again.sum("chat_metrics_complete") == 1


async def said_by(worker: Worker) -> dict[str, float]:
    """What it says of its own work."""
    return {one.figure: one.value for one in await worker.samples() if isinstance(one.value, int | float)}


async def test_a_worker_says_how_far_it_is_behind(own_valkey: OwnValkey) -> None:
    async with running_node(own_valkey.url, own_valkey.socket) as node:
        worker = node.worker
        idle = await said_by(worker)
        assert idle["chat_partitions_held"] == 0
        assert "chat_unindexed_chats" not in idle  # another worker leads, and says it
        await worker._leases.renew()
        for _ in range(3):
            await node.open(node.customer(), new_chat_key())
        await worker._alarm.run_once()
        behind = await said_by(worker)
        assert (behind["chat_partitions_held"], behind["chat_undurable_chats"]) == (64, 3)
        assert behind["chat_undurable_seconds"] > 0
        await worker._persister.run_once()
        await worker._alarm.run_once()
        durable = await said_by(worker)
        assert (durable["chat_undurable_chats"], durable["chat_undurable_seconds"]) == (0, 0)
        assert (durable["chat_entries_persisted_total"], durable["chat_unindexed_chats"]) == (6, 3)
        assert await worker._search.arrears(2) == 2
        await worker._indexer.run_once()
        assert (await said_by(worker))["chat_unindexed_chats"] == 0
        customer = node.customer()
        ended = await node.open(customer, new_chat_key())
        await node.close(customer, ended.ticket, 2)
        await node.work()
        assert (await said_by(worker))["chat_chats_finalised_total"] == 1


# -- the reports


def report(process: str, entries: int = 1) -> Report:
    return Report("node", process, "web", [figures.DELIVERED(entries)])


async def test_reports_are_for_the_others(valkey: Valkey) -> None:
    async with linked(valkey.url) as link:
        reports = Reports(link)
        assert await reports.others("node", "1") == []
        for one in (report("2"), report("1"), report("2", 5)):
            await reports.put(one)
        assert await reports.others("node", "1") == [report("2", 5)]
        assert await reports.others("node", "2") == [report("1")]
        assert await reports.others("elsewhere", "1") == [report("1"), report("2", 5)]
        await reports.withdraw("node", "2")
        assert await reports.others("node", "1") == []


async def test_what_another_version_writes_is_left_out(valkey: Valkey) -> None:
    async with linked(valkey.url) as link:
        reports = Reports(link)
        await reports.put(report("1"))
        await reports.put(report("2"))
        for nonsense in (b"", b"\xc1", b"\x93\x01\x02\x03", b"\xff" * 50):
            with valkey.redis() as redis:
                redis.set(routing("report") + b":node:2", nonsense)
            assert await reports.others("node", "3") == [report("1")]


async def test_reports_go_on_when_redis_is_full(valkey: Valkey) -> None:
    async with linked(valkey.url) as link:
        with valkey.redis() as redis:
            redis.config_set("maxmemory", 1)
            try:
                with pytest.raises(UnavailableError):
                    await link.call(b"SET", routing("other"), b"1")
                await Reports(link).put(report("1", 9))
                assert report("1", 9) in await Reports(link).others("node", "2")
            finally:
                redis.config_set("maxmemory", 0)
