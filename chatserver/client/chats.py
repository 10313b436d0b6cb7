"""The chats of one client, by ticket, and those that have none yet, by `chat_key`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from chatserver.client.chat_state import ChatState, Frame
from chatserver.client.observations import Observation
from chatserver.client.outbox import Command, Line
from chatserver.client.reader import Reader
from chatserver.client.writer import Writer

DURABLE_SECONDS = 10.0  # ten times what it takes

Answered = Callable[[Frame], None]


class Uplink(Protocol):
    """The way to the server, as the chats see it."""

    @property
    def online(self) -> bool:
        """Whether a connection stands and has been welcomed."""

    def ask(self, frame: Frame, answered: Answered) -> None:
        """Sends a frame that is answered; on a lost connection it never is."""


class Chat:
    """One chat: `reader` has its log, `writer` the commands on their way to it."""

    __slots__ = ("chats", "key", "reader", "writer")

    def __init__(self, chats: Chats, ticket: int, key: str | None = None) -> None:
        self.chats, self.key = chats, key
        self.reader = Reader(self, ticket)
        self.writer = Writer(self)

    @property
    def state(self) -> ChatState:
        """The chat as the reader has it."""
        return self.reader.state

    @property
    def line(self) -> Line:
        """What the writer has to send."""
        return self.writer.line

    @property
    def ticket(self) -> int:
        """Its number; 0 while nobody knows."""
        return self.state.ticket

    @property
    def here(self) -> bool:
        """Whether the client still has to do with it: late answers and timers do nothing otherwise."""
        return self.chats.by_ticket.get(self.ticket) is self or (self.key is not None and self.key in self.chats.by_key)


class Chats:
    """What all chats share, and what concerns all of them: a connection that comes or goes."""

    def __init__(
        self,
        uplink: Uplink,
        *,
        device: str,
        kept: int | None,
        observe: Callable[[Observation], None],
        on_conflict: Callable[[], None],
    ) -> None:
        self.uplink, self.device, self.kept = uplink, device, kept
        self.observe, self.on_conflict = observe, on_conflict
        self.staff, self.in_flight = False, 16
        self.loop = asyncio.get_running_loop()
        self.by_ticket: dict[int, Chat] = {}
        self.by_key: dict[str, Chat] = {}
        self._last_n: dict[int, int] = {}  # of chats that were left: whoever comes back counts on from there
        self._ready: list[Chat] = []  # may have something to send
        self._waiting: dict[int, Command] = {}  # what each chat was waiting for when it was last looked at
        self._asking: asyncio.TimerHandle | None = None

    def open(self, key: str, fields: dict[str, Any]) -> Command:
        """A new chat with its first message."""
        chat = self.by_key[key] = Chat(self, 0, key)
        return chat.writer.add("open_chat", fields | {"chat_key": key})

    def get(self, ticket: int) -> Chat:
        """This chat, here from now on."""
        chat = self.by_ticket.get(ticket)
        if chat is None:
            chat = self.by_ticket[ticket] = Chat(self, ticket)
            chat.line.last_n = self._last_n.pop(ticket, 0)
        return chat

    def all(self) -> list[Chat]:
        """Every chat, those without a ticket too."""
        return [*self.by_ticket.values(), *self.by_key.values()]

    def name(self, chat: Chat, ticket: int) -> bool:
        """The chat's ticket is known; False: it was before."""
        if chat.key is None or self.by_key.pop(chat.key, None) is None:
            return False
        known = self.by_ticket.get(ticket)
        if known:  # another device's chat, which this client has been attached to
            chat.reader.state = known.reader.state
        chat.reader.state.ticket = ticket
        self.by_ticket[ticket] = chat
        return True

    def forget(self, chat: Chat) -> None:
        """Nothing more to do with it."""
        chat.reader.calm()
        if self.by_ticket.get(chat.ticket) is chat:
            del self.by_ticket[chat.ticket]
            self._last_n[chat.ticket] = chat.line.last_n
        if chat.key:
            self.by_key.pop(chat.key, None)

    def attach(self, ticket: int) -> Chat:
        """Wants a chat's entries."""
        chat = self.get(ticket)
        chat.reader.attached = True
        chat.reader.fetch("attach")
        return chat

    def detach(self, ticket: int) -> None:
        """Wants them no longer. What is on its way out still goes."""
        chat = self.by_ticket.get(ticket)
        if chat:
            chat.reader.attached = False
            chat.reader.calm()
            if not chat.line.commands:
                self.forget(chat)
            if self.uplink.online:
                self.uplink.ask({"op": "detach", "ticket": ticket}, _nothing)

    def positions(self, most: int) -> list[Frame]:
        """The chats to attach to with `hello`: the newest ones, if there are too many."""
        wanted = [chat.state for chat in self.by_ticket.values() if chat.reader.attached]
        return [{"ticket": state.ticket} | state.position for state in wanted[-most:]]

    @property
    def waiting(self) -> int:
        """How many commands are not durable."""
        return sum(len(chat.line.commands) for chat in self.all())

    # -- from the connection

    def welcomed(self, pages: list[Frame], *, staff: bool) -> None:
        """A connection stands. What was not acknowledged goes out again, in order."""
        self.staff = staff
        for chat in self.all():
            chat.reader.begin()
            chat.writer.begin()
        for page in pages:
            self.get(page["ticket"]).reader.take_attached(page)
        answered = {page["ticket"] for page in pages}
        for ticket, chat in list(self.by_ticket.items()):
            if chat.reader.attached and ticket not in answered:
                chat.reader.fetch("attach")
        self._ready = self.all()
        self.flush()
        if self._asking is None:
            self._asking = self.loop.call_later(DURABLE_SECONDS, self._ask_for_durable)

    def _ask_for_durable(self) -> None:
        """A `durable` may have been lost, or told before a page that was older: the log knows, whoever waits asks."""
        self._asking = None
        if not self.uplink.online:
            return
        waiting: dict[int, Command] = {}
        for ticket, chat in self.by_ticket.items():
            first = chat.line.commands[0] if chat.line.commands else None
            if first and first.place:
                waiting[ticket] = first
                if self._waiting.get(ticket) is first:
                    chat.reader.fetch("pull")
        self._waiting = waiting
        self._asking = self.loop.call_later(DURABLE_SECONDS, self._ask_for_durable)

    def take_entry(self, entry: Frame) -> None:
        """An entry of a chat."""
        chat = self.by_ticket.get(entry["ticket"])
        if chat and chat.reader.attached:
            chat.reader.take_entry(entry)

    def take_page(self, page: Frame) -> None:
        """A page that nobody asked for: the history was rebuilt."""
        chat = self.by_ticket.get(page["ticket"])
        if chat:
            chat.reader.take_page(page)

    def take_durable(self, frame: Frame) -> None:
        """Up to where a chat is in the database."""
        chat = self.by_ticket.get(frame["ticket"])
        if chat:
            chat.reader.take_durable(frame)

    def take_event(self, frame: Frame) -> None:
        """An event of a chat."""
        chat = self.by_ticket.get(frame["ticket"])
        if chat:
            chat.state.take_event(frame)

    # -- sending

    def ready(self, chat: Chat) -> None:
        """It may have something to send; that goes out at the end of this turn of the loop."""
        if not self._ready:
            self.loop.call_soon(self.flush)
        self._ready.append(chat)

    def flush(self) -> None:
        """Sends whatever may go now."""
        ready, self._ready = self._ready, []
        if self.uplink.online:
            for chat in ready:
                chat.writer.send()

    def restart(self, device: str) -> None:
        """Goes on as another device."""
        self.device = device
        self._last_n.clear()
        for chat in self.all():
            chat.writer.restart()


def _nothing(answer: Frame) -> None:
    """Nothing depends on it."""
