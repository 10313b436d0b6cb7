"""`close_chat` and `rate_chat`; the worker seals and indexes what has ended."""

from __future__ import annotations

import asyncio

from chatserver.actions.author import Author
from chatserver.actions.text import TextCleaner
from chatserver.actions.waiting import Waiting
from chatserver.broker.draft import Draft
from chatserver.broker.log import Accepted, MissingChat
from chatserver.errors import ChatClosedError, ChatError, GapError, InvalidCommandError
from chatserver.model.chat import ENDED_STATES, OPEN_STATES, LiveChat
from chatserver.model.person import Participant
from chatserver.stores.chats import Chats
from chatserver.wire.commands import CloseChat, RateChat


class Ending:
    """Ends chats.

    Raises (all methods): a `ChatError` that says why not; nothing has happened then, except with UnavailableError.
    """

    def __init__(self, chats: Chats, waiting: Waiting, cleaner: TextCleaner) -> None:
        self._chats, self._waiting, self._cleaner = chats, waiting, cleaner

    async def close_chat(self, author: Author, command: CloseChat) -> Accepted:
        """Ends the chat: nobody writes any more, and it leaves the queue and the agent's list."""
        chat = await self._chats.visible(author.person, command.ticket)
        me = _me(author, chat)
        reason = "customer" if me.role == "customer" else "agent"
        accepted = await self._append(
            author.draft(
                command.ticket,
                "closed",
                me,
                command.n,
                data={"reason": reason},
                right="close",
                states=OPEN_STATES,
                gen=command.gen,
                sets=(("state", "closing"), ("closed_at", "@at"), ("close_reason", reason)),
            ),
            author.origin,
        )
        await self._waiting.agree(command.ticket)
        return accepted

    async def rate_chat(self, author: Author, command: RateChat) -> tuple[Accepted, str | None]:
        """Says how it was, after the end; the last rating counts. The entry, and the text if we changed it."""
        chat = await self._chats.visible(author.person, command.ticket)
        masked = self._cleaner.message(command.text) if command.text and command.text.strip() else None
        draft = author.draft(
            command.ticket,
            "rated",
            _me(author, chat),
            command.n,
            text=masked.text if masked else None,
            masked=tuple(masked.kinds) if masked else (),
            data={"rating": command.rating},
            right="rate",
            states=ENDED_STATES,
            sets=(("rating", str(command.rating)),),
        )
        try:
            accepted = await self._append(draft, author.origin)
        except ChatClosedError as exc:
            raise InvalidCommandError("A chat can be rated once it is closed.") from exc
        return accepted, masked.text if masked and masked.text != command.text else None

    async def _append(self, draft: Draft, origin: bytes) -> Accepted:
        answer = await self._send(draft, origin)
        while isinstance(answer, MissingChat):
            await self._chats.rebase(draft.ticket)
            answer = await self._send(draft, origin)
        if isinstance(answer, GapError):
            await self._chats.settle_gap(draft.ticket, draft.participant, draft.device, answer)
        if isinstance(answer, ChatError):
            raise answer
        if answer.dup and answer.event is None:
            return await self._chats.accepted_before(draft)
        return answer

    async def _send(self, draft: Draft, origin: bytes) -> Accepted | ChatError:
        future: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
        self._chats.log.send(draft, origin, lambda answer: None if future.done() else future.set_result(answer))
        return await future


def _me(author: Author, chat: LiveChat) -> Participant:
    return chat.participant_of(author.person.id) or author.as_participant(chat.ticket)
