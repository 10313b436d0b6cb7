"""Commands of one chat keep the order in which they came: one that takes its time holds up those behind it."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

from chatserver.errors import ChatError, RateLimitedError
from chatserver.wire.commands import Command

MAX_WAITING = 64  # behind a slow one of the same chat

Work = Callable[[], Awaitable[None]]


class Lines:
    """The commands of one connection, a line for each chat.

    `begin(command)` executes it at once and returns None, or returns what takes its time; `run(work, command)` makes
    a task of that; `refuse(command, error)` answers a command that waited and then could not begin.
    """

    def __init__(
        self,
        begin: Callable[[Command], Work | None],
        run: Callable[[Awaitable[None], Command], None],
        refuse: Callable[[Command, ChatError], None],
    ) -> None:
        self._begin, self._run, self._refuse = begin, run, refuse
        self.waiting: dict[int, deque[Command]] = {}  # behind a command of this chat that takes its time
        self._closed = False

    def add(self, command: Command) -> None:
        """Executes the command now, or after those that came before it.

        Raises:
            RateLimitedError: too many wait already.
            ChatError: it could not begin.
        """
        ticket = getattr(command, "ticket", 0)
        line = self.waiting.get(ticket)
        if line is None:
            self._execute(command, ticket)
        elif len(line) >= MAX_WAITING:
            raise RateLimitedError(retry_after_ms=1_000)
        else:
            line.append(command)

    def close(self) -> None:
        """The connection is gone: what still waits is not executed."""
        self._closed = True
        self.waiting.clear()
        del self._begin, self._run, self._refuse  # whoever made us is in them

    def _execute(self, command: Command, ticket: int) -> None:
        work = self._begin(command)
        if work is not None:
            self.waiting[ticket] = deque()
            self._run(self._in_line(work, ticket), command)

    async def _in_line(self, work: Work, ticket: int) -> None:
        try:
            await work()
        finally:
            for waiting in () if self._closed else self.waiting.pop(ticket, ()):
                try:
                    if ticket in self.waiting:
                        self.waiting[ticket].append(waiting)
                    else:
                        self._execute(waiting, ticket)
                except ChatError as error:
                    self._refuse(waiting, error)
