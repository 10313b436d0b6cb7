"""One WebSocket from its first frame to its end: says who it is, then its commands are parsed, called and answered.

A bad command is answered and never closes the connection; a frame that is not the protocol does. Commands of one chat
are executed in the order in which they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

import structlog

from chatserver.actions.author import Author
from chatserver.broker.log import Accepted
from chatserver.errors import (
    BadFrameError,
    ChatError,
    InvalidCommandError,
    RateLimitedError,
    UnauthenticatedError,
    UnavailableError,
)
from chatserver.hub.connection import Connection, Transport
from chatserver.model.limits import Meter, Rate
from chatserver.web.answering import Answering, ack_of
from chatserver.web.greeting import Greeting
from chatserver.web.lines import Lines, Work
from chatserver.web.services import Services
from chatserver.wire import close_codes, commands
from chatserver.wire.codec import Codec
from chatserver.wire.frames import Ack, Error, Pong
from transcripts.errors import TranscriptError

HELLO_SECONDS = 10
TYPING_SECONDS = 2.0  # clients say it every 3 s
SIGNAL_RATE = Rate(1_000, 100)  # signs of life, and commands that cannot be executed
ABUSE_REFUSALS = 200  # commands in a row that were too fast

log = structlog.get_logger()


class Session:
    """The protocol's server side on one connection. The transport calls `on_frame` and `on_closed`."""

    def __init__(self, services: Services, transport: Transport, codec: Codec) -> None:
        self._services, self._transport, self._codec = services, transport, codec
        self._connection: Connection | None = None
        self._author: Author | None = None
        self._answering: Answering | None = None
        self._meter: Meter | None = None
        self._signals = Meter(SIGNAL_RATE)
        self._typed_at: dict[int, float] = {}
        self._read_to: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines = Lines(self._begin, self._run, self._refuse)
        self._greeting = False
        self._closed = False  # by either side: nothing more is heard
        loop = asyncio.get_running_loop()
        self._hello_timer = loop.call_later(HELLO_SECONDS, self._close, close_codes.NO_HELLO, "no hello")

    # -- from the transport

    def on_frame(self, data: bytes | str) -> None:
        """A whole message has arrived."""
        connection = self._connection
        if self._closed or (connection and connection.leaving):
            return
        now = time.monotonic()
        if connection:
            connection.heard_at = now
        id_: int | None = None
        command: commands.Command | None = None
        try:
            command = self._codec.decode_frequent(data)
            if command.__class__ is commands.PlainPost and connection:  # nearly all are
                id_ = command.id
                self._count(now)
                if command.ticket in self._lines.waiting:
                    self._lines.add(command)
                else:
                    self._post_message(connection, command)
                return
            if command is None:
                frame = self._codec.decode(data)
                id_ = _id_of(frame)
                command = commands.parse(frame)
            self._dispatch(command)
        except BadFrameError as error:
            self._services.answers.refused(command, error)
            self._reply(Error.of(error, id=id_))
            self._close(close_codes.BAD_FRAME, error.message)
        except ChatError as error:
            if not isinstance(error, RateLimitedError):
                self._signal()
            self._services.answers.refused(command, error)
            self._reply(Error.of(error, id=id_))
        except Exception:
            log.exception("session.failed")
            self._services.answers.refused(command, UnavailableError())
            self._reply(Error.of(UnavailableError(retry_after_ms=1_000), id=id_))

    def on_stalled(self) -> None:
        """The peer takes nothing of what was sent."""
        if self._connection:
            self._connection.too_slow()
        else:
            self._closed = True
            self._transport.cut(close_codes.SLOW, "too slow")

    def on_closed(self) -> None:
        """The connection is gone."""
        self._closed = True
        if self._author:
            self._author.gone = True
        self._hello_timer.cancel()
        self._lines.close()
        for task in self._tasks:
            task.cancel()
        if self._connection:
            self._services.hub.remove(self._connection)

    # -- dispatch

    def _dispatch(self, command: commands.Command) -> None:
        if self._connection is None:
            if not isinstance(command, commands.Hello) or self._greeting:
                raise BadFrameError("Say hello first, once.")
            self._greeting = True
            self._run(self._hello(command), command)
        elif isinstance(command, commands.Read):
            self._read(command)
        elif isinstance(command, commands.Ping | commands.Pong | commands.Typing):
            if self._signal():
                self._signalled(command)
        elif isinstance(command, commands.Detach):
            self._count_signal()
            self._services.hub.detach(self._connection, command.ticket)
            self._reply(Ack(id=command.id, ticket=command.ticket))
            self._services.answers.taken(command, time.monotonic() - self._connection.heard_at)
        elif isinstance(command, commands.Unwatch):
            self._count_signal()
            self._services.hub.unwatch(self._connection, command.topic)
            self._reply(Ack(id=command.id, topic=command.topic))
            self._services.answers.taken(command, time.monotonic() - self._connection.heard_at)
        elif isinstance(command, commands.Watch):
            self._count()
            self._run(self._services.hub.watch(self._connection, command.topic, id=command.id), command)
        elif isinstance(command, commands.Hello):
            raise InvalidCommandError("hello was said before.")
        else:
            self._line_up(command)

    def _signalled(self, command: commands.Command) -> None:
        if isinstance(command, commands.Typing):
            self._typing(command)
        elif isinstance(command, commands.Ping):
            self._reply(Pong())

    def _line_up(self, command: commands.Command) -> None:
        self._count()
        self._lines.add(command)

    def _begin(self, command: commands.Command) -> Work | None:
        if isinstance(command, commands.PostMessage):
            assert self._connection
            self._post_message(self._connection, command)
            return None
        if isinstance(command, commands.PostNote):
            assert self._connection
            self._post_note(self._connection, command)
            return None
        assert self._answering
        return self._answering.work(command)

    def _run(self, work: Awaitable[None], command: commands.Command) -> None:
        if self._connection:
            self._connection.began()
        task = asyncio.ensure_future(self._guard(work, command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Awaitable[None], command: commands.Command) -> None:
        began = time.monotonic()
        try:
            await work
        except UnauthenticatedError as error:
            self._services.answers.refused(command, error)
            self._close(close_codes.UNAUTHENTICATED, error.message)
        except ChatError as error:
            self._refuse(command, error)
        except TranscriptError as error:
            log.warning("session.store_unavailable", error=str(error))
            self._refuse(command, UnavailableError(retry_after_ms=2_000))
        except Exception:
            log.exception("session.failed", command=type(command).__name__)
            self._refuse(command, UnavailableError(retry_after_ms=1_000))
        else:
            self._services.answers.taken(command, time.monotonic() - began)
        finally:
            if self._connection:
                self._connection.answered()

    def _refuse(self, command: commands.Command, error: ChatError) -> None:
        if isinstance(error, UnavailableError):
            error.details.setdefault("retry_after_ms", 1_000)
        self._services.answers.refused(command, error)
        self._reply(
            Error.of(
                error,
                id=getattr(command, "id", None),
                ticket=getattr(command, "ticket", None),
                n=getattr(command, "n", None),
            )
        )
        if isinstance(command, commands.Hello):
            self._close(
                close_codes.UNAVAILABLE if isinstance(error, UnavailableError) else close_codes.BAD_FRAME, error.message
            )

    def _count(self, now: float | None = None) -> None:
        meter = self._meter
        assert meter
        if wait := meter.take(now or time.monotonic()):
            self._refused(meter)
            raise RateLimitedError(retry_after_ms=wait)

    def _signal(self) -> bool:
        """Counts what has no rate of its own: signs of life, and commands that cannot be executed. Whether it is not
        too much; nobody is told, but who goes on is closed.
        """
        return not self._take_signal()

    def _count_signal(self) -> None:
        """The same for what is answered, and costs so little that it does not count as a command."""
        if wait := self._take_signal():
            raise RateLimitedError(retry_after_ms=wait)

    def _take_signal(self) -> int:
        wait = self._signals.take(time.monotonic())
        if wait:
            self._refused(self._signals)
        return wait

    def _refused(self, meter: Meter) -> None:
        if meter.refused > ABUSE_REFUSALS:
            self._close(close_codes.ABUSE, "far too many commands")

    # -- commands

    async def _hello(self, command: commands.Hello) -> None:
        services = self._services
        greeting = await Greeting.of(services, command)
        if self._closed:
            return  # its device may have a newer connection by now
        person = greeting.person
        connection = Connection(
            self._transport,
            self._codec,
            person,
            command.device,
            on_ready=services.hub.ready,
            counters=services.hub.counters,
        )
        if len(command.chats) > greeting.most_chats:
            raise InvalidCommandError("These are more chats than a connection may be attached to.")
        author = Author(person, command.device, connection.origin)
        answering = Answering(services, connection, author, greeting.site)
        self._connection, self._author, self._answering = connection, author, answering
        self._meter = Meter(services.agent_rate if person.staff else services.customer_rate)
        self._hello_timer.cancel()
        services.hub.add(connection)
        chats, readers = await answering.attach_all(command.chats)
        self._reply(greeting.welcome(command, connection, chats))
        for reader in readers:
            reader.release()
        services.hub.welcomed(connection)

    def _post_message(self, connection: Connection, command: commands.PostMessage) -> None:
        author = self._author
        assert author
        reader = connection.chats.get(command.ticket)
        participant = (reader and reader.me) or author.as_participant(command.ticket)
        connection.began()
        try:
            done = partial(self._posted, command, connection.heard_at)
            self._services.messages.post_message(author, command, participant, done)
        except BaseException:
            connection.answered()
            raise

    def _post_note(self, connection: Connection, command: commands.PostNote) -> None:
        author = self._author
        assert author
        known = self._services.hub.participant(connection, command.ticket)
        participant = known or author.as_participant(command.ticket)
        connection.began()
        try:
            done = partial(self._posted, command, connection.heard_at)
            self._services.messages.post_note(author, command, participant, done)
        except BaseException:
            connection.answered()
            raise

    def _posted(
        self,
        command: commands.PostMessage | commands.PostNote,
        heard_at: float,
        answer: Accepted | ChatError,
        text: str | None,
    ) -> None:
        connection = self._connection
        assert connection
        if isinstance(answer, Accepted):
            self._services.answers.times[command.__class__].take(time.monotonic() - heard_at)
            if connection.open:
                connection.offer(connection.codec.encode(ack_of(command.id, command.ticket, command.n, answer, text)))
        else:
            self._refuse(command, answer)
        connection.answered()

    def _read(self, command: commands.Read) -> None:
        assert self._author and self._connection
        participant = self._services.hub.participant(self._connection, command.ticket)
        top = self._services.hub.read_to(self._connection, command.ticket)
        if participant and participant.speaks and self._read_to.get(command.ticket, 0) < command.seq <= top:
            self._read_to[command.ticket] = command.seq
            self._services.messages.read(self._author, command.ticket, participant, command.seq)

    def _typing(self, command: commands.Typing) -> None:
        assert self._author and self._connection
        participant = self._services.hub.participant(self._connection, command.ticket)
        now = time.monotonic()
        if participant and participant.speaks and now - self._typed_at.get(command.ticket, 0) >= TYPING_SECONDS:
            self._typed_at[command.ticket] = now
            self._services.messages.typing(self._author, command.ticket, participant)

    # -- to the transport

    def _reply(self, frame: Any) -> None:
        if self._connection:
            self._connection.offer_frame(frame)
        else:
            self._transport.send(self._codec.encode(frame), binary=self._codec.binary)

    def _close(self, code: int, reason: str) -> None:
        self._closed = True
        if self._connection:
            self._connection.close(code, reason)
            self._services.hub.remove(self._connection)
        else:
            with contextlib.suppress(ConnectionError):
                self._transport.close(code, reason)


def _id_of(frame: Any) -> int | None:
    """The command's `id`, so that even a command that cannot be parsed is answered to it."""
    found = frame.get("id") if type(frame) is dict else None
    return found if type(found) is int and 0 <= found < 2**32 else None
