"""The customers and agents of a run: real clients that open, take, talk, note, close, rate, come and go.

Everybody logs what they do and are told. All chance comes from one seed; the order of events does not, of course.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from chatserver.client import observations as o
from chatserver.client.client import ChatClient
from chatserver.client.credentials import AgentSignIn, Credentials, CustomerSession
from chatserver.client.outbox import Command, RefusedError
from tests.chaos import history as h
from tests.support.client import new_address
from tests.support.server import PASSWORD

DEPARTMENT = "department:support"
WAITING = 60  # commands that are not durable: then a person waits before they say more
PATIENCE = 10.0
WORDS = ("the", "parcel", "came", "late", "and", "blue", "is", "not", "what", "we", "said", "on", "monday", "please")


@dataclass
class Run:
    """What all people of a run share."""

    address: str
    writer: h.Writer
    rng: random.Random
    pause: float  # seconds between two messages of one person in one chat, on average
    duplicate: float = 0.02
    replay: float = 0.01
    calm: asyncio.Event = field(default_factory=asyncio.Event)  # nobody begins anything any more
    counts: Counter[str] = field(default_factory=Counter)
    online: set[int] = field(default_factory=set)
    _clients: int = 0
    _texts: int = 0

    def next_client(self) -> int:
        self._clients += 1
        return self._clients

    def next_text(self) -> str:
        """Something that nobody else says."""
        self._texts += 1
        words = " ".join(self.rng.choices(WORDS, k=self.rng.randint(2, 14)))
        return f"{self._texts:x}. {words}"

    async def rest(self, seconds: float) -> None:
        """Waits about so long."""
        await asyncio.sleep(self.rng.uniform(0.2, 1.8) * seconds)


class Scribe:
    """Writes down what one client is told."""

    def __init__(self, run: Run, person: str, role: str) -> None:
        self._run, self._person, self._role = run, person, role
        self.who = run.next_client()
        self.device = ""
        self._openings: dict[str, str] = {}

    def __call__(self, it: o.Observation) -> None:
        now, who, write, counts = time.monotonic(), self.who, self._run.writer.write, self._run.counts
        match it:
            case o.Seen():
                rest = (it.kind, it.text or "", it.participant, it.device or "", it.n or 0)
                write(h.Seen(who, now, it.ticket, it.epoch, it.seq, it.prev, it.entry_id, *rest))
            case o.Acked():
                counts["acked"] += 1
                write(h.Acked(who, now, it.ticket, it.n, it.epoch, it.seq if it.entry_id else 0, it.entry_id, it.dup))
            case o.Durable():
                write(h.Durable(who, now, it.ticket, it.epoch, it.seq))
            case o.Sent():
                if it.chat_key:
                    self._openings[it.chat_key] = it.text or ""
                write(h.Sent(who, now, it.ticket, it.n, it.kind, it.text or ""))
            case o.Opened():
                write(h.Opened(who, now, it.chat_key, it.ticket))
                write(h.Sent(who, now, it.ticket, 1, "message", self._openings.get(it.chat_key, "")))
            case o.Reset():
                write(h.Reset(who, now, it.ticket, it.epoch))
            case o.Refused():
                counts[f"refused: {it.code}"] += 1
                write(h.Refused(who, now, it.ticket, it.n, it.code, it.kind, it.text or ""))
            case o.Connected():
                if it.device != self.device:
                    self.device = it.device
                    write(h.Joined(who, now, self._person, self._role, it.device))
                self._run.online.add(who)
                write(h.Connected(who, now))
            case o.Lost():
                self._run.online.discard(who)
                counts[f"lost: {it.code}"] += 1
                write(h.Lost(who, now, it.code))
            case o.Stopped():
                counts[f"stopped: {it.code}"] += 1
            case o.Repeated():
                counts["replayed" if it.old else "sent twice"] += 1
            case o.Byed():
                counts["bye"] += 1
                write(h.Byed(who, now, it.after_ms))
            case _:
                pass

    def forget(self, ticket: int) -> None:
        """This client left a chat, and begins at its beginning if it ever comes back."""
        self._run.writer.write(h.Reset(self.who, time.monotonic(), ticket, 0))

    def finish(self, tickets: list[int]) -> None:
        """This client stayed to the end and still reads these chats."""
        self._run.writer.write(h.Finished(self.who, time.monotonic(), tuple(tickets)))


class Person:
    """Somebody with at least one device."""

    role = "customer"

    def __init__(self, run: Run, name: str, credentials: Credentials) -> None:
        self.run, self.name, self.credentials = run, name, credentials
        self.scribe, self.client = self.new_client()
        self.tickets: list[int] = []  # which this person reads at the main device
        self._said: dict[int, list[Command]] = {}  # as long as this person reads the chat

    async def come_again(self) -> bool:
        """Whoever was told to stop (a pass or sign-in that Redis lost twice) begins anew, as another device."""
        if self.client.stopped is None:
            return False
        self.run.counts["came again"] += 1
        await self.client.stop()
        self.tickets.clear()
        self._said.clear()
        self.scribe, self.client = self.new_client()
        self.client.start()
        return True

    async def leave(self, ticket: int) -> None:
        """Reads the chat no longer, once all that was said there is durable."""
        for command in self._said.pop(ticket, ()):
            with contextlib.suppress(RefusedError):
                await command.durable()
        if not self.run.calm.is_set():
            if ticket in self.tickets:
                self.tickets.remove(ticket)
            self.client.detach(ticket)
            self.scribe.forget(ticket)

    def keep(self, ticket: int, command: Command) -> Command:
        """Remembers what was said in a chat."""
        self._said.setdefault(ticket, []).append(command)
        return command

    def new_client(self) -> tuple[Scribe, ChatClient]:
        """Another device."""
        scribe = Scribe(self.run, self.name, self.role)
        client = ChatClient(
            connect=[self.run.address],
            credentials=self.credentials,
            observer=scribe,
            kept=20,
            duplicate=self.run.duplicate,
            replay=self.run.replay,
            random=random.Random(self.run.rng.random()),
        )
        return scribe, client

    async def say(self, client: ChatClient, ticket: int, *, count: int) -> None:
        """So many messages, while the chat is open; stops when it has ended, for this person at least."""
        last = None
        for _ in range(count):
            if self.run.calm.is_set() or not self.may_speak(client, ticket):
                return
            if client.waiting < WAITING:
                last = self.keep(ticket, client.post_message(ticket, self.run.next_text()))
                if self.run.rng.random() < 0.05:
                    client.read(ticket)
            await self.run.rest(self.run.pause)
            if last and last.error:
                return

    def may_speak(self, client: ChatClient, ticket: int) -> bool:
        """Whether there is somebody to speak to."""
        state = client.state(ticket)
        return state is not None and state.phase not in ("closing", "closed")


class Customer(Person):
    """Opens chats, one after the other."""

    def __init__(self, run: Run, name: str) -> None:
        super().__init__(run, name, CustomerSession(local_address=new_address()))
        self.chats = 0

    async def live(self) -> None:
        """Until it is calm."""
        self.client.start()
        while not self.run.calm.is_set():
            chat = asyncio.ensure_future(self._one_chat())
            while not chat.done() and self.client.stopped is None:
                await asyncio.wait([chat], timeout=1.0)
            chat.cancel()
            with contextlib.suppress(RefusedError, asyncio.CancelledError):
                await chat
            await self.come_again()
            await self.run.rest(0.5)

    async def _one_chat(self) -> None:
        run, rng = self.run, self.run.rng
        opened = await self.client.open_chat(run.next_text(), topic="A parcel", name=self.name).acked()
        run.counts["chats"] += 1
        self.chats += 1
        ticket = opened["ticket"]
        self.tickets.append(ticket)
        second = rng.random() < 0.15 and asyncio.ensure_future(self._second_device(ticket))
        await self.say(self.client, ticket, count=rng.randint(40, 200))
        if second:
            await second
        if run.calm.is_set():
            return
        if rng.random() < 0.5 and self.may_speak(self.client, ticket):
            await self.keep(ticket, self.client.close_chat(ticket)).acked()
        if not self.may_speak(self.client, ticket) and rng.random() < 0.6:
            await self.keep(ticket, self.client.rate_chat(ticket, rng.randint(1, 5))).acked()
        if len(self.tickets) > 2:
            await self.leave(self.tickets[0])

    async def _second_device(self, ticket: int) -> None:
        """Another tab: says something, then is closed, sometimes for good with things that nobody has heard of."""
        scribe, client = self.new_client()
        client.start()
        try:
            async with asyncio.timeout(PATIENCE):
                client.attach(ticket)
                await client.until(lambda: client.state(ticket) is not None and client.state(ticket).phase is not None)
            await self.say(client, ticket, count=self.run.rng.randint(5, 40))
            if self.run.rng.random() < 0.5:
                async with asyncio.timeout(PATIENCE):
                    await client.settled()
        except TimeoutError:
            pass
        finally:
            await client.stop()
            self.run.online.discard(scribe.who)


class Agent(Person):
    """Takes what waits, and answers."""

    role = "agent"

    def __init__(self, run: Run, number: int, capacity: int) -> None:
        super().__init__(run, f"agent{number}", AgentSignIn(f"agent{number}@shop.example", PASSWORD))
        self.capacity = capacity
        self._talks: dict[int, asyncio.Task[None]] = {}
        self._known: list[int] = []  # chats that were waiting lately

    async def live(self) -> None:
        """Until it is calm."""
        self.client.start()
        topic = self.client.watch(DEPARTMENT)
        while not self.run.calm.is_set():
            if await self.come_again():
                topic = self.client.watch(DEPARTMENT)
                for talk in self._talks.values():
                    talk.cancel()
                self._talks.clear()
            wanted = list(topic.items)
            self._known = [*dict.fromkeys([*self._known, *wanted])][-30:]
            if self._known and self.run.rng.random() < 0.05:
                wanted.append(self.run.rng.choice(self._known))  # from an old screen: somebody may have it
            for ticket in wanted:
                if len(self._talks) < self.capacity and ticket not in self._talks:
                    self._talks[ticket] = asyncio.ensure_future(self._talk(ticket))
            if self.run.rng.random() < 0.002:
                await self._go_away()
            await self.run.rest(0.2)
        await asyncio.gather(*self._talks.values(), return_exceptions=True)

    async def _go_away(self) -> None:
        """Loses the network for a while, shorter or longer than the chats wait for their agent."""
        self.run.counts["agent away"] += 1
        await self.client.stop()
        self.run.online.discard(self.scribe.who)
        await self.run.rest(5)
        self.client.start()

    async def _talk(self, ticket: int) -> None:
        try:
            with contextlib.suppress(RefusedError):
                await self._serve(ticket)
            if not self.run.calm.is_set():
                await self.run.rest(2)
            await self.leave(ticket)
        finally:
            self._talks.pop(ticket, None)

    async def _serve(self, ticket: int) -> None:
        run = self.run
        await self.keep(ticket, self.client.take_chat(ticket)).acked()
        run.counts["taken"] += 1
        self.tickets.append(ticket)
        for _ in range(run.rng.randint(2, 6)):
            await self.say(self.client, ticket, count=run.rng.randint(10, 40))
            if not self.may_speak(self.client, ticket) or run.calm.is_set():
                break
            if run.rng.random() < 0.5:
                self.keep(ticket, self.client.post_note(ticket, run.next_text()))
        else:
            await self.keep(ticket, self.client.close_chat(ticket)).acked()
        self._go_on_regardless(ticket)

    def _go_on_regardless(self, ticket: int) -> None:
        """Has not noticed that the chat is somebody else's now; the server has."""
        state = self.client.state(ticket)
        if state is not None and state.phase == "active" and not state.is_mine:
            for _ in range(3):
                self.keep(ticket, self.client.post_message(ticket, self.run.next_text()))

    def may_speak(self, client: ChatClient, ticket: int) -> bool:
        """While the chat is ours."""
        state = client.state(ticket)
        return state is not None and super().may_speak(client, ticket) and state.is_mine


def reads_all(people: list[Person]) -> dict[str, Any]:
    """Whether all who read a chat have come to the same end; what is open otherwise."""
    top: dict[tuple[int, bool], int] = {}
    for person in people:
        for ticket in person.tickets:
            state = person.client.state(ticket)
            if state:
                place = ticket, state.staff
                top[place] = max(top.get(place, 0), state.seq)
    behind = 0
    for person in people:
        for ticket in person.tickets:
            state = person.client.state(ticket)
            behind += state is None or state.seq < top[ticket, state.staff]
    unsettled = sum(person.client.waiting for person in people)
    offline = sum(not person.client.online for person in people)
    return {"behind": behind, "unsettled": unsettled, "offline": offline}


def unsettled(people: list[Person]) -> list[str]:
    """What has not come to an end, for who looks into it."""
    found = []
    for person in people:
        for chat in person.client._chats.all():
            where = f"#{chat.ticket} {chat.state.phase} at {chat.state.position} durable {chat.state.durable}"
            found += [f"{person.client.device} {where}: {one.op} n={one.n} {one.place}" for one in chat.line.commands]
    return found[:10]
