"""A client of the chat server that comes back: `ChatClient` connects, resumes, repeats, and gives up only when told to.

What it promises is the client's half of docs/protocol.md: commands go out in order and are repeated until they are
durable; each chat's log is kept in the server's one order. The outbox lives in memory: it ends with the process.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from random import Random
from typing import Any

from chatserver.client.chat_state import ChatState, Frame
from chatserver.client.chats import Chats
from chatserver.client.connection import MSGPACK
from chatserver.client.credentials import Credentials
from chatserver.client.mischief import Mischief
from chatserver.client.observations import Observation, Observer
from chatserver.client.outbox import Command
from chatserver.client.topics import Topic, Topics
from chatserver.client.uplink import Addresses, Uplink


class StoppedError(Exception):
    """The client has given up, with this close code or HTTP status."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with {code}")
        self.code = code


class ChatClient:
    """One person at one device, over one connection at a time. Made and used inside one event loop.

    Args:
        connect: the nodes' addresses (`ws://HOST:PORT/ws`), each time another one at random; or who names the next.
        credentials: who this is.
        device: 16 to 64 characters of `[A-Za-z0-9_-]`; random by default.
        subprotocol: `chat.v1.msgpack` or `chat.v1.json`.
        observer: is told everything that happens, in order, from within: it has to be quick and must not raise.
        origin: the `Origin` to show, if the server is reached under another name than its own.
        kept: how many entries of a chat stay in memory (all by default).
        duplicate: share of commands that are sent twice, and `replay`: share that is followed by an old one once more;
            both to try a server.
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
        random: Random | None = None,
    ) -> None:
        random = random or Random()
        self.device = device or _new_device()
        self.observe: Observer = observer or _nobody
        self.person: dict[str, Any] | None = None
        mischief = Mischief(duplicate=duplicate, replay=replay, random=random) if duplicate or replay else None
        self._uplink = Uplink(
            self,
            connect=connect,
            credentials=credentials,
            subprotocol=subprotocol,
            origin=origin,
            random=random,
            mischief=mischief,
        )
        self._chats = Chats(
            self._uplink, device=self.device, kept=kept, observe=self.observe, on_conflict=self._change_device
        )
        self._topics = Topics(self._uplink)
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    # -- life

    async def __aenter__(self) -> ChatClient:
        self.start()
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Connects, and comes back until `stop`."""
        self._uplink.start()

    async def stop(self) -> None:
        """Ends the connection and stays away. What is not durable stays in the outbox."""
        await self._uplink.stop()

    def cut(self) -> None:
        """Ends the connection without a word, as a lost network does; the client comes back."""
        self._uplink.cut()

    @property
    def online(self) -> bool:
        """Whether a connection stands and has been welcomed."""
        return self._uplink.online

    @property
    def stopped(self) -> int | None:
        """The close code or HTTP status after which the client gave up."""
        return self._uplink.stopped

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
        await self.until(lambda: self.waiting == 0)

    # -- commands: sent in order, repeated until they are durable

    def open_chat(self, text: str, *, chat_key: str | None = None, **fields: Any) -> Command:
        """Opens a chat with its first message (customers); the ack has its `ticket`. Attaches to it."""
        return self._chats.open(chat_key or secrets.token_hex(16), {"text": text} | fields)

    def take_chat(self, ticket: int) -> Command:
        """Becomes the owner of a waiting chat (agents). Attaches to it."""
        return self._post(ticket, "take_chat")

    def post_message(self, ticket: int, text: str, **fields: Any) -> Command:
        """Says something to everybody in the chat."""
        return self._post(ticket, "post_message", text=text, **fields)

    def post_note(self, ticket: int, text: str, **fields: Any) -> Command:
        """Notes something down for staff."""
        return self._post(ticket, "post_note", text=text, **fields)

    def close_chat(self, ticket: int) -> Command:
        """Ends the chat."""
        return self._post(ticket, "close_chat")

    def rate_chat(self, ticket: int, rating: int, text: str | None = None) -> Command:
        """Says how it was, 1 to 5 (customers, once it is closed)."""
        return self._post(ticket, "rate_chat", rating=rating, **({"text": text} if text else {}))

    def _post(self, ticket: int, op: str, **fields: Any) -> Command:
        return self._chats.get(ticket).writer.add(op, fields)

    @property
    def waiting(self) -> int:
        """How many commands are not durable yet."""
        return self._chats.waiting

    # -- chats and topics

    def attach(self, ticket: int) -> ChatState:
        """Wants this chat's entries, now and after each reconnect; the state fills as they come."""
        return self._chats.attach(ticket).state

    def detach(self, ticket: int) -> None:
        """Wants them no longer."""
        self._chats.detach(ticket)

    def pull(self, ticket: int) -> None:
        """Asks for what is missing in a chat; it is done without being told when an entry leaves a hole."""
        self._chats.get(ticket).reader.fetch("pull")

    def state(self, ticket: int) -> ChatState | None:
        """The chat as this client has it; None when it has nothing to do with it."""
        chat = self._chats.by_ticket.get(ticket)
        return chat.state if chat else None

    @property
    def tickets(self) -> list[int]:
        """The chats that it has to do with."""
        return list(self._chats.by_ticket)

    def watch(self, topic: str) -> Topic:
        """A waiting list or an agent's chats, now and after each reconnect; it fills as they come."""
        return self._topics.watch(topic)

    def unwatch(self, topic: str) -> None:
        """No more of it."""
        self._topics.unwatch(topic)

    # -- signals: lost with the connection

    def read(self, ticket: int, seq: int | None = None) -> None:
        """Everything up to here (by default the last entry) was seen."""
        state = self.state(ticket)
        if state and state.me and self.online:
            seq = state.seq if seq is None else seq
            self._uplink.signal({"op": "read", "ticket": ticket, "seq": seq})
            state.take_event({"type": "read", "participant": state.me, "seq": seq})  # the server tells the others only

    def typing(self, ticket: int) -> None:
        """About to say something; at most every 3 s."""
        self._uplink.signal({"op": "typing", "ticket": ticket})

    # -- from the uplink

    def positions(self, most: int) -> list[Frame]:
        """For `hello`: what this client has of the chats it is attached to."""
        return self._chats.positions(most)

    def welcomed(self, welcome: Frame) -> None:
        """A connection stands: everything that was wanted is wanted again."""
        self.person = welcome["person"]
        self._chats.in_flight = welcome["limits"]["in_flight"]
        self._chats.welcomed(welcome["chats"], staff=welcome["person"]["role"] != "customer")
        self._topics.welcomed()

    def take(self, frame: Frame) -> None:
        """A frame that nobody asked for."""
        match frame["op"]:
            case "entry":
                self._chats.take_entry(frame)
            case "durable":
                self._chats.take_durable(frame)
            case "event" if frame["topic"] == "chat":
                self._chats.take_event(frame)
            case "event" | "snapshot":
                self._topics.take(frame)
            case "page":
                self._chats.take_page(frame)

    def turned(self) -> None:
        """Sends what is due now, and wakes who waits."""
        self._chats.flush()
        if self._waiters:
            still = []
            for condition, future in self._waiters:
                if future.done():
                    continue
                if condition():
                    future.set_result(None)
                else:
                    still.append((condition, future))
            self._waiters = still

    def _change_device(self) -> None:
        """The server knows other commands under this device's numbers: another one begins at 1."""
        self.device = _new_device()
        self._chats.restart(self.device)
        self._uplink.forget_device()


def _new_device() -> str:
    return secrets.token_hex(16)


def _nobody(observation: Observation) -> None:
    """Nobody watches."""
