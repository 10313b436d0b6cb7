"""The chats of one client: what comes in is put in order, what goes out is repeated until it is durable.

Knows no sockets: it hands frames to an `Uplink` and is told what comes, when a connection stands and when it is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from chatserver.client.chat_state import ChatState, Entry, Frame
from chatserver.client.observations import (
    Acked,
    Durable,
    Missing,
    Observation,
    Opened,
    Refused,
    Reset,
    Seen,
    Sent,
)
from chatserver.client.outbox import Command, Line, RefusedError

HOLE_SECONDS, HOLE_TOP_SECONDS = 0.3, 10.0  # how long an entry may wait for its predecessor; doubled with each pull
RETRY_SECONDS = 1.0
# A chat that Redis lost is not there until its customer has opened it again; the agent's own commands wait for that.
MISSING_SECONDS = 30.0

Answered = Callable[[Frame], None]


class Uplink(Protocol):
    """The way to the server."""

    @property
    def online(self) -> bool:
        """Whether a connection stands and has been welcomed."""

    def ask(self, frame: Frame, answered: Answered) -> None:
        """Sends a frame that is answered; on a lost connection it never is."""

    def observe(self, observation: Observation) -> None:
        """Tells who watches."""

    def change_device(self) -> None:
        """The counters of this device are worthless: connect as another one."""


class Chat:
    """One chat: its log here, and the commands on their way to it."""

    __slots__ = ("attached", "key", "line", "missing_since", "owned_gen", "patience", "pulling", "rebuilding", "state")

    def __init__(self, state: ChatState, key: str | None = None) -> None:
        self.state, self.key = state, key
        self.line = Line()
        self.attached = False  # we want its entries, now and after each reconnect
        self.owned_gen: int | None = None  # under which `gen` this agent owned it last
        self.pulling = False
        self.rebuilding = False  # a reset's pages are still coming: what they hold need not be sent again
        self.patience: asyncio.TimerHandle | None = None
        self.missing_since: float | None = None

    @property
    def opening(self) -> Command | None:
        """Its `open_chat`, while that is not durable."""
        first = self.line.commands[0] if self.line.commands else None
        return first if first and first.op == "open_chat" else None


class Chats:
    """All chats of one client, by ticket, and those that have none yet, by `chat_key`."""

    def __init__(self, uplink: Uplink, *, device: str, kept: int | None) -> None:
        self.device, self.in_flight = device, 16
        self.by_ticket: dict[int, Chat] = {}
        self.by_key: dict[str, Chat] = {}
        self.staff = False
        self._uplink, self._kept = uplink, kept
        self._observe = uplink.observe
        self._loop = asyncio.get_running_loop()
        self._ready: list[Chat] = []  # may have something to send

    # -- from the client

    def open(self, key: str, fields: dict[str, Any]) -> Command:
        """A new chat with its first message."""
        chat = self.by_key[key] = Chat(self._state(0), key)
        return self._add(chat, Command("open_chat", fields | {"chat_key": key}))

    def post(self, ticket: int, op: str, fields: dict[str, Any]) -> Command:
        """A command for a chat."""
        return self._add(self.chat(ticket), Command(op, fields))

    def chat(self, ticket: int) -> Chat:
        """This chat, here from now on."""
        chat = self.by_ticket.get(ticket)
        if chat is None:
            chat = self.by_ticket[ticket] = Chat(self._state(ticket))
        return chat

    def attach(self, ticket: int) -> ChatState:
        """Wants a chat's entries."""
        chat = self.chat(ticket)
        chat.attached = True
        self._fetch(chat, "attach")
        return chat.state

    def detach(self, ticket: int) -> None:
        """Wants them no longer."""
        chat = self.by_ticket.get(ticket)
        if chat:
            chat.attached = False
            self._calm(chat)
            if not chat.line:
                del self.by_ticket[ticket]
            if self._uplink.online:
                self._uplink.ask({"op": "detach", "ticket": ticket}, _ignore)

    def pull(self, ticket: int) -> None:
        """Asks for what is missing now."""
        self._fetch(self.chat(ticket), "pull")

    def positions(self, most: int) -> list[Frame]:
        """The chats to attach to with `hello`, the newest ones first to stay."""
        wanted = [chat for chat in self.by_ticket.values() if chat.attached]
        return [{"ticket": chat.state.ticket} | chat.state.position for chat in wanted[-most:]]

    @property
    def waiting(self) -> int:
        """How many commands are not durable."""
        return sum(len(chat.line) for chat in [*self.by_ticket.values(), *self.by_key.values()])

    # -- from the connection

    def lost(self) -> None:
        """No answer to anything that is on its way will come."""
        for chat in self.by_ticket.values():
            chat.pulling = chat.rebuilding = False

    def welcomed(self, pages: list[Frame], *, staff: bool) -> None:
        """A connection stands. What was not acknowledged goes out again, in order."""
        self.staff = staff
        for chat in [*self.by_ticket.values(), *self.by_key.values()]:
            chat.state.staff = staff
            chat.line.again()
        for page in pages:
            if "error" in page:
                self._is_missing(self.chat(page["ticket"]))
            else:
                self.take_page(page)
        answered = {page["ticket"] for page in pages}
        for chat in list(self.by_ticket.values()):
            if chat.attached and chat.state.ticket not in answered:
                self._fetch(chat, "attach")
        self._ready = [*self.by_ticket.values(), *self.by_key.values()]
        self.flush()

    def flush(self) -> None:
        """Sends whatever may go now."""
        ready, self._ready = self._ready, []
        if not self._uplink.online:
            return
        for chat in ready:
            while not chat.rebuilding and (command := chat.line.to_send(self.in_flight)):
                self._send(chat, command)

    def restart(self, device: str) -> None:
        """Goes on as another device. Whatever may have been executed for the old one is not sent again."""
        self.device = device
        for chat in [*self.by_ticket.values(), *self.by_key.values()]:
            line = chat.line
            for command in list(line.commands):
                if command.place or command.told_n:
                    line.commands.remove(command)
                    if not command.place:
                        self._refuse(chat, command, "conflict", "It was sent as another device; nobody knows.")
            line.renumber()

    def take_entry(self, entry: Entry) -> None:
        """An entry of an attached chat."""
        chat = self.by_ticket.get(entry["ticket"])
        if chat and chat.attached:
            if entry.get("device") == self.device:
                self._find_own(chat, entry)
            self._see(chat, chat.state.take_entry(entry))
            self._look_for_holes(chat)

    def take_durable(self, frame: Frame) -> None:
        """Up to where a chat is in the database."""
        chat = self.by_ticket.get(frame["ticket"])
        if chat:
            if chat.state.take_durable(frame):
                self._observe(Durable(frame["ticket"], frame["epoch"], frame["seq"]))
            if chat.line.durable(frame["epoch"], frame["seq"]):
                self._ready.append(chat)

    def take_event(self, frame: Frame) -> None:
        """An event of a chat."""
        chat = self.by_ticket.get(frame["ticket"])
        if chat:
            chat.state.take_event(frame)

    def take_page(self, page: Frame) -> None:
        """A part of a chat's log, asked for or not."""
        chat = self.by_ticket.get(page["ticket"])
        if chat is None:
            return
        self._begin_again(chat, page)
        self._take_page(chat, page)

    # -- commands

    def _add(self, chat: Chat, command: Command) -> Command:
        chat.line.add(command)
        if not self._ready:
            self._loop.call_soon(self.flush)
        self._ready.append(chat)
        return command

    def _send(self, chat: Chat, command: Command) -> None:
        ticket, fields = chat.state.ticket, command.fields
        if command.op == "open_chat":
            frame = {"op": "open_chat", **fields}
        else:
            frame = {"op": command.op, "ticket": ticket, "n": command.n, **fields}
            if chat.owned_gen is not None and command.op in ("post_message", "close_chat"):
                frame.setdefault("gen", chat.owned_gen)
        if command.told_n != command.n:
            command.told_n = command.n
            self._observe(Sent(ticket, command.n, command.kind, command.text, fields.get("chat_key")))
        self._uplink.ask(frame, partial(self._answered, chat, command))

    def _answered(self, chat: Chat, command: Command, answer: Frame) -> None:
        chat.line.flying -= 1
        if command.error is None:
            if answer["op"] == "ack":
                self._accepted(chat, command, answer)
            elif not command.place:
                self._failed(chat, command, answer)
        self._go_on(chat)

    def _go_on(self, chat: Chat) -> None:
        """Once every answer of a held line is in and its time has come, it goes on from where it stopped."""
        line = chat.line
        if line.held and line.flying <= 0:
            wait = line.held - self._loop.time()
            if wait > 0:
                self._loop.call_later(wait, self._go_on, chat)
                return
            line.again()
        self._ready.append(chat)
        if len(self._ready) == 1:
            self._loop.call_soon(self.flush)

    def _accepted(self, chat: Chat, command: Command, ack: Frame) -> None:
        page = ack.get("page")
        if command.op == "open_chat":
            self._opened(chat, command, ack)
        elif command.op == "take_chat":
            chat.owned_gen, chat.attached = ack["gen"], True
        if page:
            self._begin_again(chat, page)
        self._place(chat, command, ack)
        if page:
            self._take_page(chat, page)
        elif chat.attached and ack.get("entry_id"):
            self._see(chat, chat.state.take_entry(self._own_entry(chat, command, ack)))
            self._look_for_holes(chat)
        elif chat.attached:
            chat.state.hole = True  # accepted so long ago that only the log knows its place
            self._look_for_holes(chat)

    def _opened(self, chat: Chat, command: Command, ack: Frame) -> None:
        """Its ticket is known: from now on the chat has its name."""
        ticket = ack["ticket"]
        command.fields["claim"] = ack["claim"]
        if chat.key in self.by_key:
            del self.by_key[chat.key]
            chat.state.ticket = ticket
            known = self.by_ticket.get(ticket)
            if known and known is not chat:  # another device's chat, which this client has been attached to
                chat.state = known.state
            self.by_ticket[ticket] = chat
            self._observe(Opened(chat.key, ticket))
        chat.attached, chat.missing_since = True, None
        first = next((entry for entry in ack["page"]["entries"] if entry["seq"] == ack["seq"]), None)
        if ack.get("dup") and first and first.get("device") != self.device:
            chat.line.drop(command)  # another device of this customer had opened it: ours has not used a number

    def _place(self, chat: Chat, command: Command, ack: Frame) -> None:
        if not command.place:
            if not ack.get("entry_id"):
                ack = ack | {"epoch": chat.state.epoch, "seq": chat.state.top, "entry_id": ""}
            command.accept(ack)
            dup = bool(ack.get("dup"))
            self._observe(Acked(ack["ticket"], command.n, ack["seq"], ack["epoch"], ack["entry_id"], dup))

    def _find_own(self, chat: Chat, entry: Entry) -> None:
        """An entry that this device wrote is as good as an ack, which may have been lost."""
        command = chat.line.find(entry.get("n", 0))
        if command and not command.place:
            self._place(chat, command, entry | {"op": "ack", "dup": True})

    def _own_entry(self, chat: Chat, command: Command, ack: Frame) -> Entry:
        """The ack stands for our own entry, which does not come a second time: this is that entry."""
        state = chat.state
        me = state.me or ""
        self_ = next((one for one in state.info.get("participants", ()) if one["participant"] == me), None)
        entry = {name: ack[name] for name in ("ticket", "epoch", "seq", "prev", "at", "entry_id", "n")} | {
            "audience": "staff" if command.kind == "note" else "all",
            "kind": command.kind,
            "role": self_["role"] if self_ else ("agent" if self.staff else "customer"),
            "participant": me,
            "device": self.device,
        }
        if self_ and "name" in self_:
            entry["name"] = self_["name"]
        text = ack.get("text", command.text)
        if text is not None:
            entry["text"] = text
        if command.kind == "closed":
            entry["data"] = {"reason": "agent" if self.staff else "customer"}
        elif command.kind == "rated":
            entry["data"] = {"rating": command.fields["rating"]}
        return entry

    # -- refusals

    def _failed(self, chat: Chat, command: Command, error: Frame) -> None:
        now, code, line = self._loop.time(), error["code"], chat.line
        if code in ("unavailable", "rate_limited"):
            line.hold(now + error.get("retry_after_ms", 1_000) / 1_000)
        elif code == "gap":
            line.hold(now, rewind_to=error.get("last_n", command.n - 1))
        elif code == "reset":
            line.hold(now + HOLE_SECONDS)
            self._fetch(chat, "attach")
        elif code == "not_found" and chat.opening and command.op != "open_chat":
            line.hold(now)
            line.reset()  # the chat was lost before it was durable: it is opened again, with its claim
        else:
            line.hold(now)
            if command.op == "open_chat":
                for one in list(line.commands):
                    self._drop(chat, one, error)
                self.by_key.pop(chat.key or "", None)
            else:
                self._drop(chat, command, error)
            if code == "stale_gen":
                self._fetch(chat, "attach")
            elif code == "conflict":
                self._uplink.change_device()

    def _drop(self, chat: Chat, command: Command, error: Frame) -> None:
        n = command.n
        chat.line.drop(command)
        command.n = n
        self._refuse(chat, command, error["code"], error.get("message", ""))

    def _refuse(self, chat: Chat, command: Command, code: str, message: str) -> None:
        command.refuse(RefusedError(code, message))
        key = command.fields.get("chat_key")
        self._observe(Refused(chat.state.ticket, command.n, code, command.kind, command.text, key))

    def _is_missing(self, chat: Chat) -> None:
        """The server has no such chat for us."""
        now = self._loop.time()
        if chat.opening:
            chat.line.reset()
            self._ready.append(chat)
        elif chat.line and now - (chat.missing_since or now) < MISSING_SECONDS:
            chat.missing_since = chat.missing_since or now
            chat.line.hold(now + RETRY_SECONDS)
            chat.line.reset()
            self._loop.call_later(RETRY_SECONDS, self._fetch, chat, "attach")
        else:
            for command in list(chat.line.commands):
                self._drop(chat, command, {"code": "not_found"})
            self._calm(chat)
            self.by_ticket.pop(chat.state.ticket, None)
            self._observe(Missing(chat.state.ticket))

    # -- the log

    def _begin_again(self, chat: Chat, page: Frame) -> None:
        if chat.state.begins_again(page):
            self._observe(Reset(page["ticket"], page["epoch"], page["top"]))
            chat.line.hold(self._loop.time())
            chat.line.reset()
            chat.rebuilding = True

    def _take_page(self, chat: Chat, page: Frame) -> None:
        state, before = chat.state, chat.state.durable
        chat.missing_since = None
        new = state.take_page(page)
        for entry in page["entries"]:
            if entry.get("device") == self.device:
                self._find_own(chat, entry)
        self._see(chat, new)
        if state.durable != before and state.durable[1]:
            self._observe(Durable(page["ticket"], *state.durable))
        chat.line.durable(*state.durable)
        if state.is_mine:
            chat.owned_gen = state.gen
        if not page["more"]:
            chat.rebuilding = False
            self._go_on(chat)
        self._look_for_holes(chat)

    def _see(self, chat: Chat, new: list[Entry]) -> None:
        observe = self._observe
        for entry in new:
            observe(
                Seen(
                    entry["ticket"],
                    entry["epoch"],
                    entry["seq"],
                    entry["prev"],
                    entry["entry_id"],
                    entry["kind"],
                    entry.get("text"),
                    entry["participant"],
                    entry.get("device"),
                    entry.get("n"),
                )
            )
            if entry["kind"] == "assigned" and chat.state.is_mine:
                chat.owned_gen = chat.state.gen

    def _look_for_holes(self, chat: Chat) -> None:
        if chat.state.more:
            self._fetch(chat, "pull")
        elif not chat.state.needs_pull:
            self._calm(chat)
        elif chat.patience is None:
            self._wait(chat, HOLE_SECONDS)

    def _wait(self, chat: Chat, seconds: float) -> None:
        chat.patience = self._loop.call_later(seconds, self._out_of_patience, chat, seconds)

    def _out_of_patience(self, chat: Chat, waited: float) -> None:
        chat.patience = None
        if chat.state.needs_pull and chat.attached:
            self._fetch(chat, "pull")
            self._wait(chat, min(2 * waited, HOLE_TOP_SECONDS))

    def _calm(self, chat: Chat) -> None:
        if chat.patience:
            chat.patience.cancel()
            chat.patience = None

    def _fetch(self, chat: Chat, op: str) -> None:
        if (
            not self._uplink.online
            or (op == "pull" and chat.pulling)
            or self.by_ticket.get(chat.state.ticket) is not chat
        ):
            return
        chat.pulling = True
        frame = {"op": op, "ticket": chat.state.ticket} | chat.state.position
        self._uplink.ask(frame, partial(self._fetched, chat, op))

    def _fetched(self, chat: Chat, op: str, answer: Frame) -> None:
        chat.pulling = False
        if answer["op"] == "page":
            self.take_page(answer)
        elif answer["code"] == "not_found":
            self._is_missing(chat)
        elif answer["code"] == "reset":
            self._fetch(chat, "attach")
        elif answer["code"] in ("unavailable", "rate_limited"):
            wait = answer.get("retry_after_ms", 1_000) / 1_000
            self._loop.call_later(wait, self._fetch, chat, op)

    def _state(self, ticket: int) -> ChatState:
        return ChatState(ticket, staff=self.staff, kept=self._kept)


def _ignore(answer: Frame) -> None:
    """Nothing depends on it."""
