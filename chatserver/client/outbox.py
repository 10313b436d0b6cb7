"""What one device has said in one chat and is not durable yet, in order, with the numbers (`n`) it goes under.

No I/O and no clock. Invariant: the numbers of a line's commands follow each other without a hole, and a command keeps
its number from the first time it is sent until it is durable, unless the server has refused one before it.
"""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

KINDS = {
    "open_chat": "message",  # its first message: `opened` has no number of ours
    "post_message": "message",
    "post_note": "note",
    "take_chat": "assigned",
    "close_chat": "closed",
    "rate_chat": "rated",
}

REFUSED_KEPT = 16  # as many as a device may have in flight


class RefusedError(Exception):
    """The server refused a command: it has not happened."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Command:
    """One command that changes a chat, from the call to the time when it is durable."""

    __slots__ = ("_acked", "_durable", "ack", "doubted", "error", "fields", "is_durable", "n", "op", "place", "told_n")

    def __init__(self, op: str, fields: dict[str, Any]) -> None:
        self.op, self.fields = op, fields
        self.n = 0
        self.told_n = 0  # under which number it has gone out
        self.place: tuple[int, int] | None = None  # (epoch, seq) in the log, once it is there
        self.ack: dict[str, Any] | None = None
        self.error: RefusedError | None = None
        self.is_durable = False
        self.doubted = False  # refused once, and not believed
        self._acked: asyncio.Future[None] | None = None
        self._durable: asyncio.Future[None] | None = None

    @property
    def kind(self) -> str:
        """The kind of the entry that it makes."""
        return KINDS[self.op]

    @property
    def text(self) -> str | None:
        """What it says, as it was given."""
        text: str | None = self.fields.get("text")
        return text

    def says(self, entry: dict[str, Any]) -> bool:
        """Whether the entry is this command's. Masking changes a text; besides, the server only tidies it."""
        if self.kind != entry["kind"]:
            return False
        said, stored = self.text, entry.get("text")
        return bool(entry.get("masked")) or said == stored or _bare(said) == _bare(stored)

    async def acked(self) -> dict[str, Any]:
        """Waits until it is in the log; the ack (or its own entry, when the ack was lost).

        Raises:
            RefusedError: the server does not want it.
        """
        if self.ack is None and self.error is None:
            self._acked = self._acked or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._acked)
        if self.error:
            raise self.error
        assert self.ack is not None
        return self.ack

    async def durable(self) -> dict[str, Any]:
        """Waits until it is in the database; the ack as it was last given.

        Raises:
            RefusedError: the server does not want it.
        """
        if self.error is None and not self.is_durable:
            self._durable = self._durable or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._durable)
        return await self.acked()

    def accept(self, ack: dict[str, Any]) -> None:
        """It is in the log."""
        self.ack, self.place = ack, (ack["epoch"], ack["seq"])
        _wake(self._acked)

    def refuse(self, error: RefusedError) -> None:
        """It will never be."""
        self.error = error
        _wake(self._acked)
        _wake(self._durable)

    def settle(self) -> None:
        """It is in the database."""
        self.is_durable = True
        _wake(self._durable)


class Line:
    """The commands of one chat."""

    __slots__ = ("commands", "flying", "held", "last_n", "next", "refused", "rewind_to")

    def __init__(self) -> None:
        self.commands: list[Command] = []
        self.last_n = 0
        self.next = 0  # index of the next command to send
        self.flying = 0  # sent on this connection and not answered
        self.held = 0.0  # nothing goes out before this time, and before every answer is in
        self.refused: list[Command] = []  # the last ones, with the numbers that they had
        self.rewind_to: int | None = None  # the last `n` that the server has, as it said

    @property
    def opens(self) -> bool:
        """Whether it begins with an `open_chat` that is not durable."""
        return bool(self.commands) and self.commands[0].op == "open_chat"

    def add(self, command: Command) -> None:
        """A new command, under the next number."""
        self.last_n += 1
        command.n = self.last_n
        self.commands.append(command)

    def to_send(self, in_flight: int) -> Command | None:
        """The next one whose turn it is, if it may go now; it counts as sent."""
        if self.held:
            return None
        commands = self.commands
        while self.next < len(commands) and commands[self.next].place:
            self.next += 1
        if self.flying >= in_flight or self.next >= len(commands):
            return None
        if self.next and self.opens and not commands[0].place:
            return None  # an `open_chat` goes out alone
        command = commands[self.next]
        self.next += 1
        self.flying += 1
        return command

    def find(self, n: int) -> Command | None:
        """The command with this number."""
        at = n - self.commands[0].n if self.commands else -1
        return self.commands[at] if 0 <= at < len(self.commands) else None

    def again(self) -> None:
        """Another connection, or every answer is in: what is not in the log goes out once more, in order."""
        self.next = self.flying = 0
        self.held = 0.0
        if self.rewind_to is not None:
            self._go_back(self.rewind_to)
            self.rewind_to = None

    def hold(self, until: float, rewind_to: int | None = None) -> None:
        """Nothing more until then, and until every answer is in."""
        self.held = max(self.held, until)
        if rewind_to is not None:
            self.rewind_to = rewind_to

    def arrived(self, n: int) -> None:
        """The server has the command with this number, so it was not there yet when the server spoke of a gap before
        it: numbers that are in use are not given away."""
        if self.rewind_to is not None:
            self.rewind_to = max(self.rewind_to, n)

    def drop(self, command: Command) -> None:
        """The server refused it: its number goes to the one behind it."""
        at = self.commands.index(command)
        del self.commands[at]
        n = command.n
        self.refused = [*self.refused, command][-REFUSED_KEPT:]
        for behind in self.commands[at:]:
            behind.n = n
            n += 1
        self.last_n = n - 1
        self.next = min(self.next, at)

    def durable(self, epoch: int, seq: int) -> None:
        """Takes out what is in the database now."""
        count = 0
        for command in self.commands:
            if not command.place or command.place[0] != epoch or command.place[1] > seq:
                break
            command.settle()
            count += 1
        if count:
            del self.commands[:count]
            self.next = max(0, self.next - count)

    def is_of_another_epoch(self, epoch: int) -> bool:
        """Whether something was acknowledged in another history of the chat: its place says nothing in this one."""
        return any(command.place and command.place[0] != epoch for command in self.commands)

    def reset(self) -> None:
        """The history was rebuilt: nothing of this is known to be in it."""
        for command in self.commands:
            command.place, command.doubted = None, False
        self.next = 0

    def _go_back(self, last_n: int) -> None:
        for command in self.commands:
            if command.n > last_n:
                command.place = None
        if self.commands and self.commands[0].n > last_n + 1:
            self._number(last_n + 1)

    def take_back(self, entry: dict[str, Any]) -> Command | None:
        """A command that was refused is in the log after all (Redis had lost it, SQL had not): it has its number, and
        what had got that number goes under the next ones. None: the entry is not of a refused one.
        """
        n, commands = entry.get("n", 0), self.commands  # `opened` has none
        refused = next((one for one in self.refused if one.n == n and one.says(entry)), None)
        first_open = next((one.n for one in commands if one.place is None), self.last_n + 1)
        if refused is None or not first_open <= n <= self.last_n + 1:
            return None
        at = self.refused.index(refused)
        del self.refused[at]
        for behind in self.refused[at:]:
            if behind.n == n:  # refused one after the other, they had the same number
                behind.n += 1
        command = Command(refused.op, refused.fields)
        first = commands[0].n if commands else n
        commands.insert(n - first, command)
        self._number(first)
        self.next = min(self.next, n - first)
        return command

    def give_away(self, command: Command) -> None:
        """Another device's `open_chat` made this chat: number 0, and the next command is this device's first."""
        command.n = self.last_n = 0

    def restart(self) -> None:
        """Another device begins at 1 with what is not in the log; what is there stays, below, until it is durable."""
        self._number(1 - sum(command.place is not None for command in self.commands))

    def _number(self, first: int) -> None:
        for n, command in enumerate(self.commands, first):
            command.n = n
        self.last_n = first + len(self.commands) - 1


def _bare(text: str | None) -> str:
    """What the server's tidying leaves as it is: composed characters without white space and control characters."""
    composed = unicodedata.normalize("NFC", text or "")
    return "".join(one for one in composed if not one.isspace() and not unicodedata.category(one).startswith("C"))


def _wake(future: asyncio.Future[None] | None) -> None:
    if future and not future.done():
        future.set_result(None)
