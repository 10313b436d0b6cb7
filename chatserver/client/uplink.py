"""One connection at a time, kept up: gets a pass, says hello, comes back with full jitter, obeys `bye`, and gives up
only when a close code says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Protocol

from chatserver.client.backoff import GOOD_SECONDS, Backoff
from chatserver.client.chat_state import Frame
from chatserver.client.connection import LOST, Connection, HandshakeError, http_base
from chatserver.client.credentials import Credentials, CredentialsError
from chatserver.client.mischief import Mischief
from chatserver.client.observations import Byed, Connected, Lost, Observer, Repeated, Stopped
from chatserver.wire import close_codes

ANSWER_SECONDS = 10.0  # a server that is there has answered by then
CHECK_SECONDS = 5.0
# Close codes that end it, beside all of 44xx; with every other code the client comes back (docs/protocol.md).
STOPS = (1002, 1003, 1007, 1008, 1009)

Addresses = Sequence[str] | Callable[[], Awaitable[str]]
Answered = Callable[[Frame], None]


class Owner(Protocol):
    """Who is told what comes."""

    device: str
    observe: Observer

    def positions(self, most: int) -> list[Frame]:
        """For `hello`: at most so many chats."""

    def welcomed(self, welcome: Frame) -> None:
        """A connection stands."""

    def take(self, frame: Frame) -> None:
        """A frame that is not an answer to `ask`."""

    def turned(self) -> None:
        """Everything that one read of the socket brought has been told, or the client has given up."""


class Uplink:
    """The way to the server."""

    def __init__(
        self,
        owner: Owner,
        *,
        connect: Addresses,
        credentials: Credentials,
        subprotocol: str,
        origin: str | None,
        random: Random,
        mischief: Mischief | None,
    ) -> None:
        self.online = False
        self.stopped: int | None = None  # the close code or HTTP status that ended it
        self._owner, self._connect, self._credentials = owner, connect, credentials
        self._subprotocol, self._origin = subprotocol, origin
        self._random, self._mischief, self._backoff = random, mischief, Backoff(random)
        self._address = ""
        self._connection: Connection | None = None
        self._lost: asyncio.Future[int] | None = None
        self._resume_token: str | None = None
        self._ids = 0
        self._answers: dict[int, Answered] = {}
        self._asked_at = self._heard_at = self._welcomed_at = 0.0
        self._chat_limit, self._ping_every = 4, 25.0
        self._bye_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._bye_timer: asyncio.TimerHandle | None = None
        self._life: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    # -- life

    def start(self) -> None:
        """Connects, and comes back until `stop`."""
        if self._life is None:
            self._life = self._loop.create_task(self._live(), name=f"chat client {self._owner.device}")

    async def stop(self) -> None:
        """Ends the connection and stays away."""
        life, self._life = self._life, None
        if life:
            if self._connection and self.online:
                self._connection.close()
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)

    def cut(self) -> None:
        """Ends the connection without a word."""
        self._on_lost(LOST)

    def forget_device(self) -> None:
        """The device is another one: its next connection begins with a pass."""
        self._resume_token = None
        if self._mischief:
            self._mischief.forget()
        self.cut()

    async def _live(self) -> None:
        refused = False
        while True:
            try:
                code, wait = await self._one_connection(), None
            except CredentialsError as error:
                if not error.temporary:
                    self._give_up(error.status)
                    return
                code, wait = LOST, error.retry_after
            except HandshakeError as error:
                # Another node may be willing; where there is one address only, it has said when.
                alone = callable(self._connect) or len(self._connect) == 1
                code, wait = LOST, error.retry_after if alone else None
            self._owner.observe(Lost(code))
            if code == close_codes.UNAUTHENTICATED and not refused:
                refused, self._resume_token = True, None  # one new pass, then stop
                continue
            if code in STOPS or 4400 <= code < 4500:
                self._give_up(code)
                return
            refused = False
            await asyncio.sleep(self._pause(code, wait))

    def _pause(self, code: int, told: float | None) -> float:
        """How long to stay away."""
        bye, self._bye_at = self._bye_at, None
        if bye is not None and code == close_codes.DRAIN:
            return max(0.0, bye - self._loop.time())  # the server has spread them already
        if told is not None:
            return told + self._random.random()
        return self._backoff.next()

    def _give_up(self, code: int) -> None:
        self.stopped = code
        self._owner.observe(Stopped(code))
        self._owner.turned()

    async def _one_connection(self) -> int:
        """From the handshake to the end; the close code."""
        url = await self._next_address()
        secret = {"resume_token": self._resume_token} if self._resume_token else None
        if secret is None:
            secret = await self._credentials.secret(http_base(url))
        lost: asyncio.Future[int] = self._loop.create_future()
        self._lost = lost
        try:
            self._connection = await Connection.open(
                url, self._subprotocol, on_frames=self._receive, on_lost=self._on_lost, origin=self._origin
            )
            self._heard_at = self._loop.time()
            chats = self._owner.positions(self._chat_limit)
            self.ask({"op": "hello", "device": self._owner.device, "chats": chats, **secret}, self._welcomed)
            self._timer = self._loop.call_later(ANSWER_SECONDS, self._on_lost, LOST)
            return await lost
        finally:
            self._end()

    async def _next_address(self) -> str:
        if callable(self._connect):
            return await self._connect()
        others = [address for address in self._connect if address != self._address]
        self._address = self._random.choice(others or self._connect)
        return self._address

    def _end(self, *, politely: bool = False) -> None:
        """Forgets the connection, and what was asked on it; does not wait for the other side, which may be dead."""
        for timer in (self._timer, self._bye_timer):
            if timer:
                timer.cancel()
        connection, self._connection = self._connection, None
        if connection and politely:
            connection.close()
        elif connection:
            connection.abort()
        if self.online and self._loop.time() - self._welcomed_at > GOOD_SECONDS:
            self._backoff.reset()
        self.online = False
        self._answers.clear()

    def _on_lost(self, code: int) -> None:
        if self._lost and not self._lost.done():
            self._lost.set_result(code)
            self._end(politely=code == close_codes.DRAIN)

    # -- out

    def ask(self, frame: Frame, answered: Answered) -> None:
        """Sends a frame under the next `id`; the answer comes to `answered`, unless the connection ends before."""
        connection = self._connection
        if connection is None:
            return
        if not self._answers:
            self._asked_at = self._loop.time()
        self._ids += 1
        frame["id"] = self._ids
        self._answers[self._ids] = answered
        connection.send(frame)
        if self._mischief:
            self._repeat(frame, answered, connection, self._mischief)

    def _repeat(self, frame: Frame, answered: Answered, connection: Connection, mischief: Mischief) -> None:
        for copy in mischief.copies(frame):
            old = "id" not in copy
            if old:
                self._ids += 1  # nobody waits for it
                copy["id"] = self._ids
            connection.send(copy)
            self._owner.observe(Repeated(old))

        def both(answer: Frame) -> None:
            mischief.answered(frame, answer)
            answered(answer)

        self._answers[frame["id"]] = both

    def signal(self, frame: Frame) -> None:
        """Sends a frame that is not answered, if there is a connection."""
        if self.online and self._connection:
            self._connection.send(frame)

    # -- in

    def _receive(self, frames: list[Frame]) -> None:
        connection, answers = self._connection, self._answers
        self._heard_at = self._loop.time()
        for frame in frames:
            answered = answers.pop(frame["id"], None) if "id" in frame else None
            if answered:
                answered(frame)
            elif frame["op"] == "ping":
                self.signal({"op": "pong"})
            elif frame["op"] == "bye":
                self._take_bye(frame)
            elif "id" not in frame:  # else: the answer to a copy
                self._owner.take(frame)
            if self._connection is not connection:
                return
        self._owner.turned()

    def _welcomed(self, frame: Frame) -> None:
        if frame["op"] != "welcome":
            return  # the server closes the connection now
        assert self._connection
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_later(CHECK_SECONDS, self._check)
        self._welcomed_at, self.online = self._loop.time(), True
        self._resume_token, self._ping_every = frame["resume_token"], frame["ping_every"] / 1_000
        self._chat_limit = frame["limits"]["chats"]
        self._owner.observe(Connected(frame["connection"], self._connection.url, self._owner.device))
        self._owner.welcomed(frame)

    def _take_bye(self, frame: Frame) -> None:
        """The server goes: work on until then, and come back at once."""
        after = frame["after_ms"] / 1_000
        self._owner.observe(Byed(frame["after_ms"]))
        self._backoff.reset()
        self._bye_at = self._loop.time() + after
        code = close_codes.DRAIN if frame["reconnect"] else close_codes.FORBIDDEN
        self._bye_timer = self._loop.call_later(after, self._on_lost, code)

    def _check(self) -> None:
        """No sign of life: something was asked and nothing has come since, or nothing at all for two pings."""
        now = self._loop.time()
        unanswered = self._answers and now - max(self._asked_at, self._heard_at) > ANSWER_SECONDS
        if unanswered or now - self._heard_at > 2 * self._ping_every:
            self._on_lost(LOST)
        else:
            self._timer = self._loop.call_later(CHECK_SECONDS, self._check)
