"""How the commands of this process were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import get_args

from chatserver import figures
from chatserver.errors import ChatError
from chatserver.wire.commands import BY_OP, FREQUENT, Command

UNKNOWN = "unknown"  # what could not be read; never a name that a client has thought of

# Of these it is told how long they take, at 16 lines each: coming in, beginning a chat, saying something.
TIMED = frozenset({"hello", "open_chat", "post_message"})

# A frequent command has two forms.
_OPS: dict[type[Command], str] = {kind: op for op, kind in BY_OP.items()} | {
    kind: kind.__struct_config__.tag for kind in get_args(FREQUENT)
}


class Answers:
    """Each answered command once: how long it took, or why it was refused."""

    def __init__(self) -> None:
        self._by_op = {op: figures.Times() for op in BY_OP}
        self.times = {kind: self._by_op[op] for kind, op in _OPS.items()}
        self._refused: Counter[tuple[str, str]] = Counter()

    def taken(self, command: Command, seconds: float) -> None:
        """It has its answer."""
        self.times[type(command)].take(seconds)

    def refused(self, command: Command | None, error: ChatError) -> None:
        """It was answered with an error; None: nobody knows what it was."""
        self._refused[_OPS[type(command)] if command else UNKNOWN, error.code] += 1

    def samples(self) -> Iterator[figures.Sample]:
        """What an operator may want to know of it."""
        for op, times in self._by_op.items():
            if count := sum(times.counts):
                yield figures.COMMANDS(count, op, "ack")
                if op in TIMED:
                    yield figures.COMMAND_SECONDS(times.distribution, op)
        for (op, code), count in self._refused.items():
            yield figures.COMMANDS(count, op, code)
