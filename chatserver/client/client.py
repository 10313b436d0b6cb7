"""A client of the chat server that comes back: `ChatClient` connects, resumes, repeats, and gives up only when told to.

    async with ChatClient(connect=["ws://127.0.0.1:8000/ws"], credentials=CustomerSession()) as client:
        opened = client.open_chat("Where is my parcel?")
        ticket = (await opened.acked())["ticket"]
        await client.post_message(ticket, "It is the blue one.").durable()

What it promises is the client's half of docs/protocol.md: commands go out in order and are repeated until they are
durable; each chat's log is kept in the server's one order. The outbox lives in memory: it does not survive the process.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chatserver.client.backoff import GOOD_SECONDS, Backoff
from chatserver.client.chat_state import ChatState, Frame
from chatserver.client.chats import Answered, Chats
from chatserver.client.connection import LOST, MSGPACK, Connection, HandshakeError, http_base
from chatserver.client.credentials import Credentials, CredentialsError
from chatserver.client.observations import Byed, Connected, Lost, Observation, Observer, Stopped
from chatserver.client.outbox import Command
from chatserver.client.topics import Topic
from chatserver.wire import close_codes

HELLO_SECONDS = 10.0
CHECK_SECONDS = 5.0
REPLAYED = 64  # how many of the last frames may be repeated on purpose
# Close codes that end it; with every other code the client comes back (docs/protocol.md).
STOPS = {
    close_codes.BAD_FRAME,
    close_codes.UNAUTHENTICATED,
    close_codes.FORBIDDEN,
    close_codes.SUPERSEDED,
    close_codes.ABUSE,
    *(1002, 1003, 1007, 1008, 1009),
}

Addresses = Sequence[str] | Callable[[], Awaitable[str]]


class ChatClient:
    """One person at one device, over one connection at a time.

    Args:
        connect: the nodes' addresses (`ws://HOST:PORT/ws`), tried in turn from a random one on; or who names the next.
        credentials: who this is.
        device: 16 to 64 characters of `[A-Za-z0-9_-]`; random by default.
        subprotocol: `chat.v1.msgpack` or `chat.v1.json`.
        observer: is told everything that happens, in order, from within: it must be quick and must not raise.
        kept: how many entries of a chat stay in memory (all by default).
        duplicate: share of commands that are sent twice, and `replay`: share that is followed by one sent long ago;
            both for tests of the server.
        random: where chance comes from.
    """

    def __init__(
        self,
        *,
        connect: Addresses,
        credentials: Credentials,
        device: str | None = None,
        subprotocol: str = MSGPACK,
        observer: Observer | None = None,
        origin: str | None = None,
        kept: int | None = None,
        duplicate: float = 0.0,
        replay: float = 0.0,
        random: random.Random = random.Random(),  # noqa: B008  # one source of chance for all is meant
    ) -> None:
        self.device = device or new_device()
        self.person: dict[str, Any] | None = None
        self.topics: dict[str, Topic] = {}
        self.stopped: int | None = None  # the code that ended it
        self.online = False
        self.observe: Observer = observer or _nobody
        self._chats = Chats(self, device=self.device, kept=kept)
        self._connect, self._credentials = connect, credentials
        self._subprotocol, self._origin = subprotocol, origin
        self._random, self._duplicate, self._replay = random, duplicate, replay
        self._backoff = Backoff(random)
        self._turn = random.randrange(1_000_000)
        self._connection: Connection | None = None
        self._resume_token: str | None = None
        self._ids = 0
        self._answers: dict[int, Answered] = {}
        self._recent: deque[Frame] = deque(maxlen=REPLAYED)
        self._chat_limit = 4
        self._ping_every = 25.0
        self._heard_at = self._asked_at = 0.0
        self._bye_at: float | None = None
        self._welcomed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._bye_timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[int] | None = None
        self._life: asyncio.Task[None] | None = None
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # -- life

    async def __aenter__(self) -> ChatClient:
        self.start()
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Connects, and comes back until `stop`."""
        if self._life is None:
            self._life = asyncio.create_task(self._live(), name=f"chat client {self.device}")

    async def stop(self) -> None:
        """Ends the connection and stays away. What is not durable stays in the outbox."""
        life, self._life = self._life, None
        if life:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)
        self._drop(close=True)

    def cut(self) -> None:
        """Ends the connection without a word, as a lost network does; the client comes back."""
        if self._connection:
            self._connection.abort()
            self._on_lost(LOST)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Waits until it is so; looked at whenever something has come."""
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._waiters.append((condition, future))
            await future

    async def connected(self) -> None:
        """Waits for a welcome.

        Raises:
            StoppedError: the client has given up.
        """
        await self.until(lambda: self.online or self.stopped is not None)
        if self.stopped is not None:
            raise StoppedError(self.stopped)

    async def settled(self) -> None:
        """Waits until everything that was said is durable, or refused."""
        await self.until(lambda: self._chats.waiting == 0)

    # -- commands

    def open_chat(self, text: str, **fields: Any) -> Command:
        """Opens a chat with its first message (customers); its ack has the `ticket`. The chat is attached then."""
        return self._chats.open(fields.pop("chat_key", None) or secrets.token_hex(16), {"text": text} | fields)

    def take_chat(self, ticket: int) -> Command:
        """Becomes the owner of a waiting chat (agents), and attaches to it."""
        return self._chats.post(ticket, "take_chat", {})

    def post_message(self, ticket: int, text: str, **fields: Any) -> Command:
        """Says something to everybody in the chat."""
        return self._chats.post(ticket, "post_message", {"text": text} | fields)

    def post_note(self, ticket: int, text: str, **fields: Any) -> Command:
        """Notes something down for staff."""
        return self._chats.post(ticket, "post_note", {"text": text} | fields)

    def close_chat(self, ticket: int) -> Command:
        """Ends the chat."""
        return self._chats.post(ticket, "close_chat", {})

    def rate_chat(self, ticket: int, rating: int, text: str | None = None) -> Command:
        """Says how it was, 1 to 5 (customers, once it is closed)."""
        return self._chats.post(ticket, "rate_chat", {"rating": rating} | ({"text": text} if text else {}))

    # -- what one has, and asks for

    def attach(self, ticket: int) -> ChatState:
        """Wants this chat's entries, now and after each reconnect; the state fills as they come."""
        return self._chats.attach(ticket)

    def detach(self, ticket: int) -> None:
        """Wants them no longer."""
        self._chats.detach(ticket)

    def pull(self, ticket: int) -> None:
        """Asks for what is missing in a chat; not needed in normal life."""
        self._chats.pull(ticket)

    def state(self, ticket: int) -> ChatState | None:
        """The chat as this client has it."""
        chat = self._chats.by_ticket.get(ticket)
        return chat.state if chat else None

    @property
    def tickets(self) -> list[int]:
        """The chats that this client has something to do with."""
        return list(self._chats.by_ticket)

    @property
    def waiting(self) -> int:
        """How many commands are not durable yet."""
        return self._chats.waiting

    def watch(self, topic: str) -> Topic:
        """A waiting list or an agent's chats, now and after each reconnect; it fills as it comes."""
        known = self.topics.setdefault(topic, Topic(topic))
        self._watch(topic)
        return known

    def unwatch(self, topic: str) -> None:
        """No more of it."""
        if self.topics.pop(topic, None) and self.online:
            self.ask({"op": "unwatch", "topic": topic}, _nothing)

    def read(self, ticket: int, seq: int | None = None) -> None:
        """Everything up to here (by default the last entry) was seen. Lost with the connection, as all signals are."""
        state = self.state(ticket)
        self._signal({"op": "read", "ticket": ticket, "seq": seq or (state.seq if state else 0)})

    def typing(self, ticket: int) -> None:
        """About to say something; at most every 3 s."""
        self._signal({"op": "typing", "ticket": ticket})

    # -- the way to the server (Uplink)

    def ask(self, frame: Frame, answered: Answered) -> None:
        """Sends a frame that is answered by `id`."""
        connection = self._connection
        if connection is None:
            return
        if not self._answers:
            self._asked_at = asyncio.get_running_loop().time()
        self._ids += 1
        frame["id"] = self._ids
        self._answers[self._ids] = answered
        connection.send(frame)
        if "n" in frame and (self._duplicate or self._replay):
            self._misbehave(frame, connection)

    def change_device(self) -> None:
        """Goes on as another device: the server knows other commands under this one's numbers."""
        self.device = new_device()
        self._resume_token = None  # it belongs to the device
        self._recent.clear()
        self._chats.restart(self.device)
        self.cut()

    def _misbehave(self, frame: Frame, connection: Connection) -> None:
        """What a client must not do and a server must bear: the same frame twice; an old command once more."""
        if self._random.random() < self._duplicate:
            connection.send(frame)
        if self._recent and self._random.random() < self._replay:
            self._ids += 1  # nobody waits for the answer
            connection.send(self._random.choice(self._recent) | {"id": self._ids})
        if self._replay and frame["op"] in ("post_message", "post_note"):
            answered = self._answers[frame["id"]]
            self._answers[frame["id"]] = lambda answer: self._remember(frame, answered, answer)

    def _remember(self, frame: Frame, answered: Answered, answer: Frame) -> None:
        if answer["op"] == "ack":
            self._recent.append(frame)
        answered(answer)

    def _signal(self, frame: Frame) -> None:
        if self.online and self._connection:
            self._connection.send(frame)

    def _watch(self, topic: str) -> None:
        if self.online:
            self.ask({"op": "watch", "topic": topic}, lambda answer: self._watched(topic, answer))

    def _watched(self, topic: str, answer: Frame) -> None:
        known = self.topics.get(topic)
        if answer["op"] == "snapshot" and known:
            known.take_snapshot(answer)
        elif answer["op"] == "error" and answer["code"] in ("unavailable", "rate_limited") and known:
            wait = answer.get("retry_after_ms", 1_000) / 1_000
            asyncio.get_running_loop().call_later(wait, self._watch_again, topic)

    def _watch_again(self, topic: str) -> None:
        if topic in self.topics:
            self._watch(topic)

    # -- the connection

    async def _live(self) -> None:
        refused = False
        while True:
            wait: float | None = None
            try:
                code = await self._one_connection()
            except CredentialsError as error:
                if not error.temporary:
                    return self._give_up(error.status)
                code, wait = LOST, error.retry_after
            except HandshakeError as error:
                code, wait = LOST, error.retry_after
                if not callable(self._connect) and len(self._connect) > 1:
                    wait = None  # another node may be willing
            self.observe(Lost(code))
            if code == close_codes.UNAUTHENTICATED and not refused:
                refused, self._resume_token = True, None
                continue
            if code in STOPS or 4400 <= code < 4500:
                return self._give_up(code)
            refused = False
            bye, self._bye_at = self._bye_at, None
            now = asyncio.get_running_loop().time()
            if bye is not None and code == close_codes.DRAIN:
                wait = max(0.0, bye - now)
            if wait is not None:
                await asyncio.sleep(wait * (1 + self._random.random() / 2) if bye is None else wait)
            else:
                await asyncio.sleep(self._backoff.next())

    async def _one_connection(self) -> int:
        """From the handshake to the end; the close code."""
        loop = asyncio.get_running_loop()
        url = await self._next_address()
        secret = {"resume_token": self._resume_token} if self._resume_token else None
        if secret is None:
            secret = await self._credentials.secret(http_base(url))
        self._lost = loop.create_future()
        self._bye_at = None
        try:
            self._connection = await Connection.open(
                url, self._subprotocol, on_frames=self._receive, on_lost=self._on_lost, origin=self._origin
            )
            self._heard_at = loop.time()
            chats = self._chats.positions(self._chat_limit)
            self.ask({"op": "hello", "device": self.device, "chats": chats, **secret}, self._welcomed)
            self._timer = loop.call_later(HELLO_SECONDS, self._no_welcome)
            code = await self._lost
        finally:
            good = self.online and loop.time() - self._welcomed_at > GOOD_SECONDS
            self._drop()
        if good:
            self._backoff.reset()
        return code

    async def _next_address(self) -> str:
        if callable(self._connect):
            return await self._connect()
        self._turn += 1
        return self._connect[self._turn % len(self._connect)]

    def _drop(self, *, close: bool = False) -> None:
        for timer in (self._timer, self._bye_timer):
            if timer:
                timer.cancel()
        connection, self._connection = self._connection, None
        if connection:
            connection.close() if close else connection.abort()
        self.online = False
        self._answers.clear()
        self._chats.lost()

    def _on_lost(self, code: int) -> None:
        self.online = False
        if self._lost and not self._lost.done():
            self._lost.set_result(code)

    def _give_up(self, code: int) -> None:
        self.stopped = code
        self.observe(Stopped(code))
        self._wake()

    def _no_welcome(self) -> None:
        if not self.online:
            self._on_lost(LOST)

    def _check(self) -> None:
        """No sign of life: asked and not answered, or silent for two pings."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        silence = now - self._heard_at
        asked = self._answers and now - max(self._asked_at, self._heard_at) > HELLO_SECONDS
        if silence > 2 * self._ping_every or asked:
            self._on_lost(LOST)
        else:
            self._timer = loop.call_later(CHECK_SECONDS, self._check)

    # -- frames

    def _receive(self, frames: list[Frame]) -> None:
        connection = self._connection
        self._heard_at = asyncio.get_running_loop().time()
        for frame in frames:
            handler = _HANDLERS.get(frame["op"])
            if handler:
                handler(self, frame)
            if self._connection is not connection or (self._lost and self._lost.done()):
                return
        self._chats.flush()
        if self._waiters:
            self._wake()

    def _wake(self) -> None:
        for waiter in list(self._waiters):
            condition, future = waiter
            if future.done() or condition():
                self._waiters.remove(waiter)
                if not future.done():
                    future.set_result(None)

    def _take_answer(self, frame: Frame) -> None:
        answered = self._answers.pop(frame.get("id", 0), None)
        if answered:
            answered(frame)
        elif frame["op"] == "page" and "id" not in frame:
            self._chats.take_page(frame)
        elif frame["op"] == "snapshot" and "id" not in frame and frame["topic"] in self.topics:
            self.topics[frame["topic"]].take_snapshot(frame)

    def _welcomed(self, frame: Frame) -> None:
        if frame["op"] != "welcome":
            return  # the server closes the connection now
        loop = asyncio.get_running_loop()
        if self._timer:
            self._timer.cancel()
        self._timer = loop.call_later(CHECK_SECONDS, self._check)
        self._welcomed_at = loop.time()
        self.online, self.person = True, frame["person"]
        self._resume_token, self._ping_every = frame["resume_token"], frame["ping_every"] / 1_000
        self._chat_limit = frame["limits"]["chats"]
        self._chats.in_flight = frame["limits"]["in_flight"]
        assert self._connection
        self.observe(Connected(frame["connection"], self._connection.url, self.device))
        self._chats.welcomed(frame["chats"], staff=self.person["role"] != "customer")
        for topic in self.topics:
            self._watch(topic)

    def _take_event(self, frame: Frame) -> None:
        if frame["topic"] == "chat":
            self._chats.take_event(frame)
        elif frame["topic"] in self.topics and not self.topics[frame["topic"]].take_event(frame):
            self._watch(frame["topic"])

    def _take_bye(self, frame: Frame) -> None:
        """The server goes: work on until then, and come back at once."""
        loop, after = asyncio.get_running_loop(), frame["after_ms"] / 1_000
        self._bye_at = loop.time() + after
        self._backoff.reset()
        self.observe(Byed(frame["after_ms"]))
        if not frame.get("reconnect", True):
            self._on_lost(close_codes.FORBIDDEN)
        else:
            self._bye_timer = loop.call_later(after, self._on_lost, close_codes.DRAIN)

    def _take_ping(self, frame: Frame) -> None:
        assert self._connection
        self._connection.send({"op": "pong"})


class StoppedError(Exception):
    """The client has given up, with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with {code}")
        self.code = code


def new_device() -> str:
    """A random one."""
    return secrets.token_hex(16)


def _nobody(observation: Observation) -> None:
    """Nobody watches."""


def _nothing(answer: Frame) -> None:
    """Nothing depends on it."""


_HANDLERS: dict[str, Callable[[ChatClient, Frame], None]] = {
    "ack": ChatClient._take_answer,
    "error": ChatClient._take_answer,
    "page": ChatClient._take_answer,
    "snapshot": ChatClient._take_answer,
    "welcome": ChatClient._take_answer,
    "entry": lambda client, frame: client._chats.take_entry(frame),
    "durable": lambda client, frame: client._chats.take_durable(frame),
    "event": ChatClient._take_event,
    "ping": ChatClient._take_ping,
    "bye": ChatClient._take_bye,
}
