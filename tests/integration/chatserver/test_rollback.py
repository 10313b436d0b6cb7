"""Redis goes back in time, again and again, while people write and the persister works: nothing that was reported
durable changes, and what was acknowledged is there once when its sender has come back.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatserver.actions.messages import Messages
from chatserver.actions.text import TextCleaner
from chatserver.broker.event import event_epoch, event_id, event_seq
from chatserver.broker.log import Accepted
from chatserver.errors import ChatError, ConflictError, GapError, UnavailableError
from chatserver.ids import new_token
from chatserver.stores.chats import Chats
from chatserver.wire.commands import PostMessage
from chatserver.worker.persister import Persister
from tests.support.backstage import AllLeases, Backstage, Valkey, Writer, backstage
from tests.support.client import new_device
from tests.support.sqlite import SqliteFile
from transcripts.append import Appended
from transcripts.entry import ChatBatch
from transcripts.masking import Masker
from transcripts.store import Store


@dataclass
class Item:
    """A message in a client's outbox."""

    n: int
    text: str
    acked: tuple[int, int] | None = None


@dataclass
class Client:
    """The rules that docs/protocol.md has for a client's outbox, and nothing else."""

    stage: Backstage
    ticket: int
    writer: Writer
    last_n: int
    outbox: list[Item] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    durable: dict[str, int] = field(default_factory=dict)  # texts that are out of its hands, and their numbers
    position: dict[str, Any] = field(default_factory=dict)
    cut_off: bool = False
    names: dict[tuple[int, int], set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )  # entries seen, by epoch and number

    def say(self, text: str) -> None:
        self.last_n += 1
        self.outbox.append(Item(self.last_n, text))
        self.said.append(text)

    async def flush(self) -> None:
        while item := next((one for one in self.outbox if not one.acked), None):
            answer = await self._post(item)
            if isinstance(answer, Accepted):
                item.acked = (answer.epoch, answer.seq)
                assert answer.entry_id
                self.names[item.acked].add(answer.entry_id)
                self.position = {"epoch": answer.epoch, "seq": answer.seq, "entry_id": answer.entry_id}
            elif isinstance(answer, GapError):
                self._go_back(answer.details["last_n"])
            elif isinstance(answer, UnavailableError):
                await self.stage.persister().run_once()  # what is not in the record yet may be why
            else:
                assert type(answer) is ConflictError, answer
                self._take_new_device()

    async def come_back(self) -> None:
        """Resumes with its position; what is not durable goes out again after a reset."""
        self.cut_off = False
        page = await self.stage.chats.page(self.ticket, **self.position)
        for event in page.events:
            self.names[event_epoch(event), event_seq(event)].add(event_id(event))
        if page.reset:
            for item in self.outbox:
                item.acked = None
            self.position = {}
        await self.flush()

    async def hear(self) -> None:
        """What `durable` says. Whoever was cut off is shown the log first: the hub holds it back until then."""
        if self.cut_off:
            await self.come_back()
        live = await self.stage.live(self.ticket)
        self.heard(live.epoch, live.durable)

    def heard(self, epoch: int, seq: int) -> None:
        for item in list(self.outbox):
            if item.acked and item.acked[0] == epoch and item.acked[1] <= seq:
                self.durable[item.text] = item.acked[1]
                self.outbox.remove(item)

    async def _post(self, item: Item) -> Accepted | ChatError:
        answer: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
        Messages(self.stage.chats, TextCleaner(Masker())).post_message(
            self.writer.author,
            PostMessage(id=1, ticket=self.ticket, n=item.n, text=item.text, gen=self.writer.gen),
            self.writer.participant,
            lambda found, _: answer.set_result(found),
        )
        return await answer

    def _go_back(self, last_n: int) -> None:
        for item in self.outbox:
            if item.acked and item.n > last_n:
                item.acked = None
        self.last_n = last_n
        for item in self.outbox:
            if not item.acked:
                self.last_n += 1
                item.n = self.last_n

    def _take_new_device(self) -> None:
        author = self.writer.author
        self.writer = Writer(type(author)(author.person, new_device(), author.origin), self.writer.participant)
        self.outbox = [item for item in self.outbox if not item.acked]
        for number, item in enumerate(self.outbox, start=1):
            item.n = number
        self.last_n = len(self.outbox)


STEPS = st.lists(
    st.sampled_from(
        ["customer says", "agent says", "persist", "persist", "hear", "hear", "copy", "go back", "go back", "come back"]
    ),
    min_size=8,
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_redis_forgets_nothing_is_lost_doubled_or_renumbered(valkey: Valkey, steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(valkey, Path(folder), steps))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_number_names_one_entry_in_an_epoch_whatever_a_restart_takes_back(valkey: Valkey, steps: list[str]) -> None:
    """Redis says by its replication ID that it was started again or promoted; nothing is appended before that is
    compared with the record.
    """
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live_through(valkey, Path(folder), steps, noticed=True))


async def live_through(valkey: Valkey, folder: Path, steps: list[str], *, noticed: bool = False) -> None:
    async with backstage(valkey, SqliteFile(folder)) as stage:
        ticket, writer = await stage.open()
        agent = await stage.assign(ticket)
        clients = Client(stage, ticket, writer, 1), Client(stage, ticket, agent, 1)
        clients[1].names = clients[0].names
        copy = valkey.copy()
        for step in steps:
            match step:
                case "customer says" | "agent says":
                    client = clients[step == "agent says"]
                    client.say(new_token())
                    await client.flush()
                case "persist":
                    await stage.persister().run_once()
                case "hear":
                    for client in clients:
                        await client.hear()
                case "come back":
                    for client in clients:
                        await client.come_back()
                case "copy":
                    copy = valkey.copy()
                case "go back":
                    valkey.go_back(copy)
                    if noticed:
                        valkey.begin_history()
                        await stage.answered()
                    for client in clients:
                        client.cut_off = True
        for _ in range(3):
            for client in clients:
                await client.come_back()
            await stage.persist()
            await stage.reconciler().run_once()  # finds what nobody touches any more
        await check(stage, ticket, clients)
        if noticed:
            assert {name: ids for name, ids in clients[0].names.items() if len(ids) > 1} == {}


async def check(stage: Backstage, ticket: int, clients: tuple[Client, ...]) -> None:
    entries = await stage.entries(ticket)
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry.entry_id for entry in entries}) == len(entries)
    texts = [entry.text for entry in entries if entry.kind == "message"][1:]
    assert sorted(map(str, texts)) == sorted(text for client in clients for text in client.said)
    for client in clients:
        mine = [text for text in texts if text in client.said]
        assert mine == client.said
        for text, seq in client.durable.items():
            assert entries[seq - 1].text == text
    live = await stage.live(ticket)
    assert (live.seq, live.durable) == (len(entries), len(entries))


# -- one by one


async def forked(stage: Backstage) -> tuple[int, Writer, Writer]:
    """SQL has n = 2 and 3 of the customer; Redis knows nothing of them any more."""
    ticket, customer = await stage.open()
    agent = await stage.assign(ticket)
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(customer, ticket, 2, "two")
    await stage.send(customer, ticket, 3, "three")
    await stage.persist()
    stage.valkey.go_back(copy)
    return ticket, customer, agent


@pytest.mark.anyio
async def test_new_message_under_an_n_that_sql_has_is_kept_and_known_again(stage: Backstage) -> None:
    """A server that did not look has told of a gap; what the customer says under the old number is something new."""
    ticket, customer, _ = await forked(stage)
    with pytest.raises(GapError):
        await stage.send(customer, ticket, 4, "four")
    accepted = await stage.send(customer, ticket, 2, "four")
    await stage.persist()
    entries = await stage.entries(ticket)
    assert [entry.text for entry in entries][3:] == ["two", "three", "four"]
    assert [entry.n for entry in entries][3:] == [2, 3, None]
    assert entries[-1].entry_id == accepted.entry_id
    assert entries[-1].device == customer.author.device

    again = await stage.send(customer, ticket, 2, "four")
    assert (again.dup, again.seq, again.entry_id) == (True, 6, accepted.entry_id)
    assert (await stage.send(customer, ticket, 3, "three")).seq == 5
    assert (await stage.send(customer, ticket, 4, "five")).seq == 7
    await stage.persist()
    assert len(await stage.entries(ticket)) == 7


@pytest.mark.anyio
async def test_gap_is_told_only_when_sql_agrees(stage: Backstage) -> None:
    ticket, customer, _ = await forked(stage)
    client = Client(stage, ticket, customer, 3)
    client.say("four")
    await client.flush()
    await stage.persist()
    assert [(entry.text, entry.n) for entry in await stage.entries(ticket)][3:] == [
        ("two", 2),
        ("three", 3),
        ("four", 4),
    ]


@pytest.mark.anyio
async def test_settled_numbers_never_run_ahead_of_the_log(stage: Backstage) -> None:
    """The log went back to where SQL agrees with it, and SQL has more: what comes next must not count as durable."""
    ticket, customer = await stage.open()
    await stage.send(customer, ticket, 2, "two")
    copy = stage.valkey.copy()
    await stage.send(customer, ticket, 3, "three")
    await stage.persist()
    stage.valkey.go_back(copy)
    await stage.persister().run_once()
    live = await stage.live(ticket)
    assert (live.seq, live.durable) == (4, 4)
    await stage.send(customer, ticket, 4, "four")
    assert (await stage.live(ticket)).durable == 4
    await stage.persist()
    assert [entry.text for entry in await stage.entries(ticket)] == [None, "Hello", "two", "three", "four"]


@pytest.mark.anyio
async def test_log_that_went_back_while_sql_was_writing_is_not_told_that_it_is_durable(stage: Backstage) -> None:
    ticket, customer = await stage.open()
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(customer, ticket, 2, "two")

    class Slow(Store):
        async def append(self, batches: Sequence[ChatBatch]) -> Appended:
            appended = await super().append(batches)
            stage.valkey.go_back(copy)
            await stage.send(customer, ticket, 2, "another two")
            return appended

    chats = Chats(stage.log, Slow(stage.engine), stage.chats.directory)
    await Persister(stage.link, chats, AllLeases(stage.link)).run_once()
    assert (await stage.live(ticket)).durable == 2
    await stage.persist()
    assert [entry.text for entry in await stage.entries(ticket)] == [None, "Hello", "two", "another two"]


@pytest.mark.anyio
async def test_two_agents_who_took_one_chat_before_and_after_the_loss(stage: Backstage) -> None:
    """SQL has given it to Ann, the log that forgot it to Ben, under the same `gen`: one of them owns it."""
    ticket, _ = await stage.open()
    await stage.persist()
    copy = stage.valkey.copy()
    ann = await stage.assign(ticket, name="Ann")
    await stage.persist()
    stage.valkey.go_back(copy)
    ben = await stage.assign(ticket, name="Ben")
    await stage.persist()
    live, recorded = await stage.live(ticket), await stage.store.chat(ticket)
    assert recorded is not None
    assert (live.owner, live.gen) == (recorded.owner_participant, recorded.gen) == (ben.participant.id, 2)
    gens = [entry.data["gen"] for entry in await stage.entries(ticket) if entry.kind == "assigned" and entry.data]
    assert gens == [1, 2]
    for writer in (ann, ben):
        with pytest.raises(ChatError, match=r"Another agent|not yours"):
            await stage.send(writer, ticket, 2, "It is mine")


@pytest.mark.anyio
async def test_chat_that_sql_closed_stays_closed(stage: Backstage) -> None:
    ticket, customer = await stage.open()
    agent = await stage.assign(ticket)
    await stage.persist()
    copy = stage.valkey.copy()
    await stage.send(agent, ticket, 2, None, "closed")
    await stage.persist()
    await stage.finaliser().run_once()
    stage.valkey.go_back(copy)
    await stage.send(customer, ticket, 2, "One more thing")
    await stage.assign(ticket, name="Ben", gen=2)
    await stage.persist()
    await stage.finaliser().run_once()
    entries = await stage.entries(ticket)
    assert [entry.kind for entry in entries][3:] == ["closed", "message", "assigned"]
    live, recorded = await stage.live(ticket), await stage.store.chat(ticket)
    assert recorded is not None
    assert live.state == recorded.state == "closed"
    assert recorded.sealed_seq == recorded.last_seq == 6
