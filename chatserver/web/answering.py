"""The commands of one connection that wait for Redis or the database, and their answers.

What is said most often does not come by here: `web.session` gives messages and notes to the log at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog

from chatserver.actions.author import Author
from chatserver.broker.log import Accepted
from chatserver.clock import now_ms
from chatserver.errors import NotFoundError, UnavailableError
from chatserver.hub.connection import Connection
from chatserver.hub.feed import Reader
from chatserver.web.lines import Work
from chatserver.web.services import Services
from chatserver.wire import commands
from chatserver.wire.frames import Ack, Page
from transcripts.errors import TranscriptError

# So long a hello may wait for its chats: each that Redis has takes a ms, one that SQL has to give may take seconds.
WELCOME_SECONDS = 2.0
PAGES_AT_ONCE = 8
READING_MS = 3_600_000  # a socket that comes back is not another opening

log = structlog.get_logger()


class Answering:
    """Answers for one connection that has said hello. `work` raises what the command is to be refused with."""

    __slots__ = ("_author", "_connection", "_recording", "_services", "_site")

    def __init__(self, services: Services, connection: Connection, author: Author, site: str) -> None:
        self._services, self._connection, self._author, self._site = services, connection, author, site
        self._recording: set[asyncio.Task[None]] = set()

    def work(self, command: commands.Command) -> Work:
        """What answers the command."""
        return partial(_HANDLERS[type(command)], self, command)

    async def attach_all(self, positions: Sequence[commands.Position]) -> tuple[list[Any], list[Reader]]:
        """The answers for `welcome`. A chat that cannot be had soon is left out, and keeps nobody from the others: its
        client attaches to it afterwards.

        Raises:
            UnavailableError: none can be had, and Redis cannot be reached from here: better somewhere else.
        """
        chats: list[Any] = []
        readers: list[Reader] = []
        missed: UnavailableError | None = None
        deadline = asyncio.get_running_loop().time() + WELCOME_SECONDS
        turns = asyncio.Semaphore(PAGES_AT_ONCE)

        async def attach(position: commands.Position) -> tuple[Page, Reader]:
            async with asyncio.timeout_at(deadline):
                return await self._services.hub.attach(self._connection, position, of=len(positions), turns=turns)

        # All begin in this loop turn: to all of their channels it is subscribed in one write.
        found = await asyncio.gather(*map(attach, positions), return_exceptions=True)
        for position, answer in zip(positions, found, strict=True):
            if isinstance(answer, NotFoundError):
                chats.append({"ticket": position.ticket, "error": answer.code})
            elif isinstance(answer, UnavailableError | TimeoutError):
                missed = answer if isinstance(answer, UnavailableError) else UnavailableError(retry_after_ms=500)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                page, reader = answer
                chats.append(page)
                readers.append(reader)
                if self._is_opening(page):
                    recording = asyncio.ensure_future(self._record_reading(page))
                    self._recording.add(recording)
                    recording.add_done_callback(self._recording.discard)
        if self._recording:  # without SQL that takes seconds: it goes on behind the welcome, and if we go away
            await asyncio.wait(self._recording, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
        if missed and not chats and not self._services.link.ready:
            raise missed
        return chats, readers

    # -- reading

    async def _attach(self, command: commands.Attach) -> None:
        page, reader = await self._services.hub.attach(self._connection, command, id=command.id)
        await self._record_reading(page)
        self._connection.offer_frame(page)
        reader.release()

    async def _pull(self, command: commands.Pull) -> None:
        page = await self._services.hub.pull(self._connection, command)
        await self._record_reading(page)
        self._connection.offer_frame(page)

    def _is_opening(self, page: Page) -> bool:
        """Staff who read a chat that has ended open its transcript, by this way as by any other."""
        return self._author.person.staff and page.state.get("state") in ("closed", "closing")

    async def _record_reading(self, page: Page) -> None:
        if not self._is_opening(page):
            return
        now = now_ms()
        try:
            await self._services.store.record_access(
                page.ticket, self._author.person.id, "agent", now, unless_since=now - READING_MS
            )
        except TranscriptError as error:
            # Work goes on while SQL is away; what is not in Redis any more cannot be read then anyway.
            log.warning("access.not_recorded", ticket=page.ticket, error=str(error))

    # -- opening, taking, ending

    async def _reserve_ticket(self, command: commands.ReserveTicket) -> None:
        reserved = await self._services.opening.reserve_ticket(
            self._author, command.chat_key, before_new=self._take_open
        )
        self._connection.offer_frame(Ack(id=command.id, ticket=reserved.ticket, claim=reserved.claim))

    async def _open_chat(self, command: commands.OpenChat) -> None:
        self._services.hub.check_room(self._connection)
        opened = await self._services.opening.open_chat(
            self._author, command, site=self._site, before_new=self._take_open
        )
        page, reader = await self._services.hub.attach(self._connection, commands.Position(opened.ticket))
        self._connection.offer_frame(
            ack_of(
                command.id,
                opened.ticket,
                1,
                opened.accepted,
                text=opened.text,
                access_code=opened.access_code,
                claim=opened.claim,
                page=page,
            )
        )
        reader.release()

    async def _take_open(self) -> None:
        """Counts a chat that this customer opens."""
        await self._services.secrets.take_open(self._author.person.id)

    async def _take_chat(self, command: commands.TakeChat) -> None:
        self._services.hub.check_room(self._connection, command.ticket)
        taken = await self._services.assigning.take_chat(self._author, command)
        page, reader = await self._services.hub.attach(self._connection, commands.Position(command.ticket))
        self._connection.offer_frame(
            ack_of(command.id, command.ticket, command.n, taken.accepted, gen=taken.gen, page=page)
        )
        reader.release()

    async def _close_chat(self, command: commands.CloseChat) -> None:
        accepted = await self._services.ending.close_chat(self._author, command)
        self._connection.offer_frame(ack_of(command.id, command.ticket, command.n, accepted))

    async def _rate_chat(self, command: commands.RateChat) -> None:
        accepted, text = await self._services.ending.rate_chat(self._author, command)
        self._connection.offer_frame(ack_of(command.id, command.ticket, command.n, accepted, text=text))


_HANDLERS: dict[type, Callable[[Answering, Any], Awaitable[None]]] = {
    commands.Attach: Answering._attach,
    commands.Pull: Answering._pull,
    commands.ReserveTicket: Answering._reserve_ticket,
    commands.OpenChat: Answering._open_chat,
    commands.TakeChat: Answering._take_chat,
    commands.CloseChat: Answering._close_chat,
    commands.RateChat: Answering._rate_chat,
}


def ack_of(id_: int, ticket: int, n: int, accepted: Accepted, text: str | None = None, **more: Any) -> Ack:
    """The ack of a command that is in the log."""
    a = accepted
    return Ack(id_, ticket, n, a.seq, a.prev, a.epoch, a.entry_id, a.at, text, True if a.dup else None, **more)
