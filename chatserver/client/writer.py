"""The writing half of a chat: sends its commands in order, and does with each answer what docs/protocol.md asks for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from chatserver.client.chat_state import ChatState, Entry, Frame
from chatserver.client.observations import Acked, Missing, Opened, Refused, Sent
from chatserver.client.outbox import Command, Line, RefusedError
from chatserver.client.reader import HOLE_SECONDS, UNDECIDED

if TYPE_CHECKING:
    from chatserver.client.chats import Chat

RETRY_SECONDS = 1.0
# A chat that Redis lost is not there until its customer has opened it again; an agent's commands wait that long for it.
MISSING_SECONDS = 30.0
# Redis may have lost the very entry that gave us the right: the log is looked at before such a refusal is believed.
DOUBTFUL = ("not_found", "stale_gen")
OWNERS = ("post_message", "close_chat")  # commands that carry `gen`


class Writer:
    """A chat's outbox on its way out."""

    __slots__ = ("_chat", "_gen", "_missing_since", "line")

    def __init__(self, chat: Chat) -> None:
        self.line = Line()
        self._chat = chat
        self._gen: int | None = None  # under which this agent owned the chat last
        self._missing_since: float | None = None

    def begin(self) -> None:
        """A new connection: whatever was not acknowledged goes out once more."""
        self.line.again()

    def add(self, op: str, fields: dict[str, Any]) -> Command:
        """One more command, under the next number."""
        command = Command(op, fields)
        self.line.add(command)
        self._chat.chats.ready(self._chat)
        return command

    def send(self) -> None:
        """Everything that may go now."""
        chat = self._chat
        while not chat.reader.rebuilding and (command := self.line.to_send(chat.chats.in_flight)):
            if command.op == "open_chat" and "claim" not in command.fields:
                question = {"op": "reserve_ticket", "chat_key": command.fields["chat_key"]}
                chat.chats.uplink.ask(question, partial(self._reserved, command))
                continue
            if command.told_n != command.n:
                command.told_n = command.n
                key = command.fields.get("chat_key")
                chat.chats.observe(Sent(chat.ticket, command.n, command.kind, command.text, key))
            chat.chats.uplink.ask(self._frame(command), partial(self._answered, command))

    def _frame(self, command: Command) -> Frame:
        if command.op == "open_chat":
            return {"op": "open_chat"} | command.fields
        frame = {"op": command.op, "ticket": self._chat.ticket, "n": command.n} | command.fields
        if self._gen is not None and command.op in OWNERS:
            frame.setdefault("gen", self._gen)
        return frame

    # -- answers

    def _reserved(self, command: Command, answer: Frame) -> None:
        """The chat's number is known before it begins: however often it is opened, it is this one."""
        self.line.flying -= 1
        if answer["op"] == "ack":
            command.fields["claim"] = answer["claim"]
            self.line.next = 0
        elif command.error is None:
            self._failed(command, answer)
        self.go_on()

    def _answered(self, command: Command, answer: Frame) -> None:
        self.line.flying -= 1
        if command.error is None:
            if answer["op"] == "ack":
                self._accepted(command, answer)
            elif command.place is None:
                self._failed(command, answer)
        self.go_on()

    def go_on(self) -> None:
        """Once every answer of a held line is in and its time has come, it goes on from the first that is missing."""
        line, chats = self.line, self._chat.chats
        if line.held and line.flying <= 0:
            wait = line.held - chats.loop.time()
            if wait > 0:
                chats.loop.call_later(wait, self.go_on)
                return
            line.again()
        chats.ready(self._chat)

    def _accepted(self, command: Command, ack: Frame) -> None:
        reader, page = self._chat.reader, ack.get("page")
        self.line.arrived(ack["n"])
        if command.op == "open_chat":
            self._opened(command, ack)
        elif command.op == "take_chat":
            self._gen, reader.attached = ack["gen"], True
        if page:
            reader.begin_again(page)
        self._place(command, ack)
        if page:
            reader.fill(page)
        elif reader.attached:
            entry = reader.state.own_entry(
                ack, kind=command.kind, fields=command.fields, device=self._chat.chats.device
            )
            if entry:
                reader.take_own(entry)
            else:
                reader.look()

    def _opened(self, command: Command, ack: Frame) -> None:
        """From now on the chat has its name, and its claim to that."""
        chat, ticket = self._chat, ack["ticket"]
        command.fields["claim"] = ack["claim"]
        if chat.chats.name(chat, ticket):
            chat.chats.observe(Opened(command.fields["chat_key"], ticket))
        chat.reader.attached = True
        first = next((entry for entry in ack["page"]["entries"] if entry["seq"] == ack["seq"]), None)
        if ack.get("dup") and first and first.get("device") != chat.chats.device:
            self.line.give_away(command)  # another device of this customer had opened it

    def _place(self, command: Command, ack: Frame) -> None:
        if command.place is None:
            if not ack.get("entry_id"):  # accepted so long ago that only the log knows where
                state = self._chat.reader.state
                ack = ack | {"epoch": state.epoch, "seq": state.top, "entry_id": ""}
            command.accept(ack)
            dup = bool(ack.get("dup"))
            told = Acked(ack["ticket"], command.n, ack["seq"], ack["epoch"], ack["entry_id"], dup)
            self._chat.chats.observe(told)

    def find_own(self, entry: Entry) -> None:
        """An entry that this device wrote is as good as its ack, which may have been lost."""
        if entry.get("device") == self._chat.chats.device:
            command = self.line.find(entry.get("n", 0))
            if command is None or (command.place is None and not command.says(entry)):
                # None: its number is another's. The server will refuse ours, and it is not taken for what it is not.
                command = self.line.take_back(entry)
            if command and command.place is None:
                self._place(command, entry | {"op": "ack", "dup": True})

    # -- refusals

    def _failed(self, command: Command, error: Frame) -> None:
        chat, line, code = self._chat, self.line, error["code"]
        now = chat.chats.loop.time()
        if code in UNDECIDED:
            line.hold(now + error.get("retry_after_ms", 1_000) / 1_000)
        elif code == "gap":
            line.hold(now, rewind_to=error.get("last_n", command.n - 1))
        elif code == "reset":
            line.hold(now + HOLE_SECONDS)
            chat.reader.fetch("attach")
        elif code in DOUBTFUL and not command.doubted:
            command.doubted = True
            line.hold(now)
            chat.reader.check()
        else:
            # Those behind it are on their way under numbers that no longer fit, and come back as `gap`.
            line.hold(now)
            self._drop(command, error)
            if command.op == "open_chat":
                self._drop_all(error)
                chat.chats.forget(chat)
            elif code == "conflict":
                chat.chats.on_conflict()

    def missing(self) -> None:
        """The server has no such chat for us."""
        chat, line = self._chat, self.line
        now = chat.chats.loop.time()
        since = self._missing_since = self._missing_since or now
        if line.opens:
            line.reset()
            self.go_on()
        elif line.commands and now - since < MISSING_SECONDS:
            line.hold(now + RETRY_SECONDS)
            line.reset()
            chat.chats.loop.call_later(RETRY_SECONDS, chat.reader.fetch, "attach")
        else:
            self._drop_all({"code": "not_found"})
            chat.chats.forget(chat)
            chat.chats.observe(Missing(chat.ticket))

    def _drop_all(self, error: Frame) -> None:
        for command in list(self.line.commands):
            self._drop(command, error)

    def _drop(self, command: Command, error: Frame) -> None:
        self.line.drop(command)
        command.refuse(RefusedError(error["code"], error.get("message", "")))
        key, ticket = command.fields.get("chat_key"), self._chat.ticket
        told = Refused(ticket, command.n, error["code"], command.kind, command.text, key)
        self._chat.chats.observe(told)

    # -- what the log says

    def learn(self, state: ChatState) -> None:
        """Who owns it, and what is durable."""
        self._missing_since = None
        if state.is_mine:
            self._gen = state.gen
        self.line.durable(*state.durable)

    def durable(self, epoch: int, seq: int) -> None:
        """What is in the database needs no repeating."""
        self.line.durable(epoch, seq)

    def reset(self) -> None:
        """The history was rebuilt: what its pages do not show goes out again, once the answers on the way are in."""
        self.line.hold(self._chat.chats.loop.time())
        self.line.reset()
        for command in list(self.line.commands):
            if command.n < 1 and command.op != "open_chat":
                self._drop(command, {"code": "conflict", "message": "It was lost, and its device is no more."})

    def restart(self) -> None:
        """As another device, from 1. What may have been executed for the old one is not sent again."""
        for command in list(self.line.commands):
            if command.place is None and command.told_n:
                self._drop(command, {"code": "conflict", "message": "It was sent as another device: nobody knows."})
        self.line.restart()
