"""Old snapshot + everything that came since = fresh snapshot, for both reducers and every kind of reader.

A state machine on the real server; the seed is printed when it fails: REDUCER_SEED=… runs the same again.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.support.client import PATIENCE
from tests.support.log import until_durable
from tests.support.people import People, add_staff, open_chat
from tests.support.reducer import Reducer
from tests.support.replay import Reader, disturbed, page_view, python_view
from tests.support.server import RunningServer

SEED = int(os.environ.get("REDUCER_SEED", "1"))
EXAMPLES = int(os.environ.get("REDUCER_EXAMPLES", "12"))
STEPS = 14
NAMES = ("customer", "phone", "ann", "sue")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        add_staff(running, "ann", "sue")
        yield running


@pytest.fixture(scope="module")
def reducer() -> Iterator[Reducer]:
    with Reducer() as running:
        yield running


@dataclass
class Shared:
    """What outlives an example."""

    cookies: dict[str, str] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)


class OneChat(RuleBasedStateMachine):
    """A customer at two devices, the agent, and a supervisor who looks on."""

    def __init__(self, server: RunningServer, reducer: Reducer, runner: asyncio.Runner, shared: Shared) -> None:
        super().__init__()
        self.server, self.reducer, self.runner = server, reducer, runner
        self.people, self.failures = People(server, cookies=shared.cookies), shared.failures
        self.readers: dict[str, Reader] = {}
        self.owned = self.ended = self.rated = self.wiped = False
        self.texts = 0

    def run(self, work: Awaitable[object]) -> None:
        self.runner.run(self._soon(work))

    async def _soon(self, work: Awaitable[object]) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await work
        except BaseException as error:
            self.failures.append(error)
            raise

    def teardown(self) -> None:
        try:
            if self.readers:
                self.run(self._all_agree(random.Random(self.texts)))
        finally:
            self.runner.run(self.people.close())

    def next_text(self) -> str:
        self.texts += 1
        return f"text {self.texts}" + (" 4111 1111 1111 1111" if self.texts % 5 == 0 else "")

    # -- steps

    @initialize()
    def open(self) -> None:
        self.run(self._open())

    async def _open(self) -> None:
        customer = await self.people.customer()
        opened = await open_chat(customer, self.next_text(), name="Sam")
        ticket = opened["ticket"]
        self.readers["customer"] = Reader(customer, ticket, staff=False)
        self.readers["customer"].took(opened["page"])
        self.readers["customer"].n = 1
        self.token = customer.welcome["customer_token"]
        phone = await self.people.customer_at(self.token)
        for name, socket in (
            ("phone", phone),
            ("ann", await self.people.staff("ann")),
            ("sue", await self.people.staff("sue")),
        ):
            self.readers[name] = Reader(socket, ticket, staff=name in ("ann", "sue"))
            await self.readers[name].attach()

    @rule(name=st.sampled_from(("customer", "phone", "ann")), count=st.integers(1, 3))
    @precondition(lambda self: not self.ended)
    def say(self, name: str, count: int) -> None:
        for _ in range(count if name != "ann" or self.owned else 0):
            self.run(self.readers[name].do("post_message", text=self.next_text()))

    @rule(name=st.sampled_from(("ann", "sue")))
    def note_down(self, name: str) -> None:
        """Also by who is not in the chat yet: the first note makes them a participant."""
        self.run(self._note_down(self.readers[name]))

    async def _note_down(self, reader: Reader) -> None:
        await reader.do("post_note", text=self.next_text())
        if reader.state().needs_pull:
            await reader.attach()

    @rule()
    @precondition(lambda self: not self.owned and not self.ended)
    def take(self) -> None:
        self.owned = True
        self.run(self._take())

    async def _take(self) -> None:
        ann = self.readers["ann"]
        ann.n += 1
        taken = await ann.socket.call("take_chat", ticket=ann.ticket, n=ann.n)
        ann.took(taken["page"])

    @rule(name=st.sampled_from(("customer", "ann")))
    @precondition(lambda self: not self.ended)
    def close(self, name: str) -> None:
        if name == "ann" and not self.owned:
            name = "customer"
        self.ended = True
        self.run(self.readers[name].do("close_chat"))

    @rule(rating=st.integers(1, 5))
    @precondition(lambda self: self.ended and not self.rated)
    def rate(self, rating: int) -> None:
        self.rated = True
        self.run(self.readers["customer"].do("rate_chat", rating=rating))

    @rule(name=st.sampled_from(NAMES))
    def read(self, name: str) -> None:
        speaks = name in ("customer", "phone") or (name == "ann" and self.owned)  # nobody keeps where others are
        if speaks and self.readers[name].state().me:
            self.run(self.readers[name].read())

    @rule(name=st.sampled_from(NAMES))
    def type(self, name: str) -> None:
        reader = self.readers[name]
        self.run(reader.socket.send({"op": "typing", "ticket": reader.ticket}))

    @rule(name=st.sampled_from(NAMES))
    def attach_again(self, name: str) -> None:
        self.run(self.readers[name].attach())

    @rule(name=st.sampled_from(NAMES))
    def begin_from_now(self, name: str) -> None:
        """The old snapshot is a newer one from here on."""
        self.run(self._begin_from_now(self.readers[name]))

    async def _begin_from_now(self, reader: Reader) -> None:
        reader.take_in()
        reader.tape = []  # what comes while the page is on its way may be newer than that
        pages = await reader.fresh()
        reader.tape = pages + reader.tape

    @rule(name=st.sampled_from(NAMES))
    def drop_connection(self, name: str) -> None:
        self.run(self._come_back(name))

    async def _come_back(self, name: str) -> None:
        """By a pass: sign-ins of staff do not outlive an empty Redis."""
        reader = self.readers[name]
        reader.take_in()
        await reader.socket.cut()
        where, device = {"ticket": reader.ticket} | reader.state().position, reader.socket.device
        if reader.staff:
            reader.socket = await self.people.staff(name, device=device, chats=[where])
        else:
            reader.socket = await self.people.customer_at(self.token, device=device, chats=[where])
        reader.took(reader.socket.welcome["chats"][0])
        await reader.pull_rest()

    @rule(name=st.sampled_from(("customer", "ann")))
    @precondition(lambda self: self.owned and not self.ended)
    def lose_the_ack(self, name: str) -> None:
        self.run(self._lose_the_ack(name))

    async def _lose_the_ack(self, name: str) -> None:
        reader = self.readers[name]
        command = reader.command("post_message", text=self.next_text())
        gen = reader.state().gen
        await reader.socket.start("post_message", **command, **({} if gen is None else {"gen": gen}))
        await self._come_back(name)
        await reader.finish("post_message", command)

    @rule()
    @precondition(lambda self: not self.ended and not self.wiped)
    def empty_redis(self) -> None:
        self.wiped = True
        self.run(self._empty_redis())

    async def _empty_redis(self) -> None:
        customer, ann = self.readers["customer"], self.readers["ann"]
        await until_durable(ann.socket, ann.ticket)  # customers do not see a note at the end
        with self.server.redis() as redis:
            redis.flushall()
        self.people.cookies.clear()
        await customer.do("post_message", text=self.next_text())

    # -- what has to be true

    @rule(chance=st.integers(0, 2**32))
    def all_agree(self, chance: int) -> None:
        self.run(self._all_agree(random.Random(chance)))

    async def _all_agree(self, chance: random.Random) -> None:
        for name, reader in self.readers.items():
            await self._agrees(name, reader, chance)

    async def _agrees(self, name: str, reader: Reader, chance: random.Random) -> None:
        """What is on its way comes sooner or later; then no order of it may matter."""
        deadline = time.monotonic() + PATIENCE / 2
        while True:
            await reader.socket.round_trip()
            reader.take_in()
            if reader.state().needs_pull:
                await reader.pull()  # as every client does after a moment
            snapshot = python_view(reader, await reader.fresh())
            if python_view(reader, reader.tape) == snapshot or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        for number, tape in enumerate([reader.tape, *(disturbed(reader.tape, chance) for _ in range(3))]):
            for which, view in (
                ("client", python_view(reader, tape)),
                ("pages", page_view(reader, tape, self.reducer)),
            ):
                wrong = {part: (view[part], snapshot[part]) for part in snapshot if view[part] != snapshot[part]}
                assert not wrong, f"{which}, {name}, tape {number}: {wrong}\n{tape}"


def test_old_snapshot_and_events_are_a_fresh_snapshot(server: RunningServer, reducer: Reducer) -> None:
    shared = Shared()
    some = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    with asyncio.Runner() as runner:
        try:
            run_state_machine_as_test(seed(SEED)(lambda: OneChat(server, reducer, runner, shared)), settings=some)
        except BaseException:
            # Hypothesis tries a failure again, with another chat: what went wrong first is what counts.
            print(f"REDUCER_SEED={SEED}")
            if shared.failures:
                raise shared.failures[0] from None
            raise
