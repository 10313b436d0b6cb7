"""Two workers believe that a chat is theirs: the slower one does no harm, whatever happened to the chat meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from chatserver.stores.chats import Chats
from chatserver.worker.persister import Persister
from tests.support.backstage import AllLeases, Backstage, Writer
from tests.support.client import PATIENCE
from tests.support.log import assert_one_order, until_durable, whole_log
from tests.support.people import People, add_staff, start_talk
from tests.support.server import RunningServer, clean_environment
from transcripts.append import Appended
from transcripts.entry import ChatBatch
from transcripts.store import Store

pytestmark = pytest.mark.anyio


class Sleeper(Store):
    """A worker's database that is asleep between what was read of the log and what is written of it."""

    meanwhile: Callable[[], Awaitable[None]]

    async def append(self, batches: Sequence[ChatBatch]) -> Appended:
        await self.meanwhile()
        return await super().append(batches)


def slow_worker(stage: Backstage, meanwhile: Callable[[], Awaitable[None]]) -> Persister:
    store = Sleeper(stage.engine)
    store.meanwhile = meanwhile
    return Persister(stage.link, Chats(stage.log, store, stage.chats.directory), AllLeases(stage.link))


async def texts(stage: Backstage, ticket: int) -> list[str | None]:
    entries = await stage.entries(ticket)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry.entry_id for entry in entries}) == len(entries)
    return [entry.text for entry in entries if entry.kind == "message"]


async def begun(stage: Backstage) -> tuple[int, Writer]:
    """A durable chat, and an entry after it that is not."""
    ticket, customer = await stage.open("one")
    await stage.persist()
    await stage.send(customer, ticket, 2, "two")
    return ticket, customer


async def test_batch_read_before_the_chat_was_rebuilt_is_not_written(stage: Backstage) -> None:
    ticket, customer = await begun(stage)

    async def flushed_and_rebuilt() -> None:
        with stage.valkey.redis() as redis:
            redis.flushall()
        await stage.chats.rebase(ticket)
        await stage.send(customer, ticket, 2, "two")  # its sender has it in the outbox
        await stage.send(customer, ticket, 3, "three")

    await slow_worker(stage, flushed_and_rebuilt).run_once()
    assert await texts(stage, ticket) == ["one"]
    await stage.persist()
    assert await texts(stage, ticket) == ["one", "two", "three"]


async def test_batch_read_before_the_chat_was_rebuilt_and_written_is_not_written_again(stage: Backstage) -> None:
    ticket, customer = await begun(stage)

    async def rebuilt_and_written() -> None:
        with stage.valkey.redis() as redis:
            redis.flushall()
        await stage.chats.rebase(ticket)
        await stage.send(customer, ticket, 2, "another two")
        await stage.persist()

    await slow_worker(stage, rebuilt_and_written).run_once()
    await stage.persist()
    assert await texts(stage, ticket) == ["one", "another two"]
    live = await stage.live(ticket)
    assert (live.seq, live.durable) == (3, 3)


async def test_both_write_the_same_batch(stage: Backstage) -> None:
    ticket, customer = await begun(stage)

    async def written_and_more() -> None:
        await stage.persist()
        await stage.send(customer, ticket, 3, "three")
        await stage.persist()

    await slow_worker(stage, written_and_more).run_once()
    live = await stage.live(ticket)
    assert (live.seq, live.durable) == (4, 4)  # not told to go back
    await stage.persist()
    assert await texts(stage, ticket) == ["one", "two", "three"]


async def test_log_that_went_back_before_the_slow_one_writes_what_it_had_read(stage: Backstage) -> None:
    """The same epoch, so its batch is taken: what Redis has forgotten comes back, and what it took instead follows."""
    ticket, customer = await stage.open("one")
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(customer, ticket, 2, "two")

    async def gone_back() -> None:
        stage.valkey.go_back(copy)
        await stage.send(customer, ticket, 2, "two")  # again, under another entry_id
        await stage.send(customer, ticket, 3, "three")

    await slow_worker(stage, gone_back).run_once()
    await stage.persist()
    assert await texts(stage, ticket) == ["one", "two", "three"]
    assert (await stage.send(customer, ticket, 3, "three")).dup


async def test_rebase_that_lost_its_lock_while_another_took_the_chat(stage: Backstage) -> None:
    """The slow one has set its epoch in SQL, and may not fill: the epoch in Redis is another's then."""
    ticket, customer = await stage.open("one")
    await stage.persist()
    assert await stage.store.rebase(ticket, 4711)  # as far as the slow one came
    await stage.send(customer, ticket, 2, "two")
    await stage.persist()
    assert await texts(stage, ticket) == ["one", "two"]
    live, recorded = await stage.live(ticket), await stage.store.chat(ticket)
    assert recorded is not None
    assert live.epoch == recorded.epoch != 4711


# -- with real processes


@contextmanager
def worker_of(server: RunningServer) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "chatserver", "worker", "--data", str(server.data)]
    with subprocess.Popen(
        command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == b"worker is ready\n"
        try:
            yield worker
        finally:
            worker.send_signal(signal.SIGCONT)
            worker.terminate()
            assert worker.wait(2 * PATIENCE) == 0


async def test_worker_that_was_stopped_beyond_its_lease() -> None:
    with RunningServer("--no-worker") as server, ExitStack() as workers:
        add_staff(server, "ann")
        people = People(server)
        try:
            talk = await start_talk(people)
            first = workers.enter_context(worker_of(server))
            await until_durable(talk.agent, talk.ticket)
            said = [await talk.say(n, f"message {n}") for n in range(2, 20)]
            os.kill(first.pid, signal.SIGSTOP)  # with some of it read, perhaps
            workers.enter_context(worker_of(server))
            said += [await talk.say(n, f"message {n}") for n in range(20, 40)]
            await until_durable(talk.agent, talk.ticket)  # the other one has taken over
            with server.redis() as redis:
                redis.flushall()
            os.kill(first.pid, signal.SIGCONT)
            again = await people.resume(talk.customer)
            more = [await again.call("post_message", ticket=talk.ticket, n=n, text=f"{n}") for n in range(40, 60)]
            await until_durable(again, talk.ticket)
            log = await whole_log(again, talk.ticket)
            assert_one_order(log, *more)
            kept = [(entry["seq"], entry["entry_id"]) for entry in log]
            assert [(ack["seq"], ack["entry_id"]) for ack in said] == kept[3:41]
            assert len(log) == 3 + 58
        finally:
            await people.close()
