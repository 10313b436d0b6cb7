"""Saying something in a chat: `post_message`, `post_note`, and the signs that somebody reads or types.

The way of a message has no task, queue or future of its own: checked, one script, answered from the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from chatserver.actions.author import Author
from chatserver.actions.text import TextCleaner
from chatserver.broker.draft import Draft
from chatserver.broker.event import transient_event
from chatserver.broker.log import Accepted, ChatLog, MissingChat
from chatserver.errors import ChatError, GapError, NotFoundError
from chatserver.ids import new_id
from chatserver.model.chat import ANY_STATE, OPEN_STATES
from chatserver.model.person import NOTE_RIGHTS, Participant, Person
from chatserver.stores.chats import Chats
from chatserver.wire.commands import PostMessage, PostNote

# Called once with the entry and the text as stored (None where it is the one that was sent), or with the reason why
# not.
Done = Callable[[Accepted | ChatError, str | None], None]


class Messages:
    """Appends what people say."""

    def __init__(self, chats: Chats, cleaner: TextCleaner) -> None:
        self._chats, self._cleaner = chats, cleaner
        self._log: ChatLog = chats.log
        self._tasks: set[asyncio.Task[None]] = set()

    def post_message(self, author: Author, command: PostMessage, participant: Participant, done: Done) -> None:
        """Says something to everybody in the chat.

        Raises:
            TooBigError, InvalidCommandError: at once; `done` is not called then.
        """
        text, masked = self._cleaner.message(command.text, keep=command.keep)
        draft = Draft(  # not by `author.draft`: this is nearly all that a process does, and that takes 0.7 µs more
            ticket=command.ticket,
            kind="message",
            role=participant.role,
            entry_id=new_id(),
            person_id=author.person.id,
            participant=participant.id,
            device=author.device,
            n=command.n,
            name=participant.name,
            text=text,
            keep=tuple(command.keep),
            masked=masked,
            right="post",
            states=OPEN_STATES,
            gen=command.gen,
        )
        self._send(draft, author.origin, command.text, done)

    def post_note(self, author: Author, command: PostNote, participant: Participant, done: Done) -> None:
        """Says something to staff, at any time.

        Raises:
            TooBigError, InvalidCommandError: at once; `done` is not called then.
        """
        masked = self._cleaner.message(command.text, keep=command.keep)
        self._send(
            author.draft(
                command.ticket,
                "note",
                participant,
                command.n,
                text=masked.text,
                audience="staff",
                keep=tuple(command.keep),
                masked=tuple(masked.kinds),
                right="note",
                states=ANY_STATE,
            ),
            author.origin,
            command.text,
            done,
            joins=author.person,
        )

    def read(self, author: Author, ticket: int, participant: Participant, seq: int) -> None:
        """The reader has seen everything up to here."""
        self._log.read(ticket, participant, seq, author.origin)

    def typing(self, author: Author, ticket: int, participant: Participant) -> None:
        """About to say something."""
        fields: dict[str, str | int] = {"ticket": ticket, "type": "typing", "participant": participant.id}
        if participant.name:
            fields["name"] = participant.name
        self._log.publish(ticket, transient_event(**fields), author.origin)

    def _send(
        self,
        draft: Draft,
        origin: bytes,
        sent_text: str,
        done: Done,
        *,
        joins: Person | None = None,
        compared: int | None = None,
    ) -> None:
        """`compared`: the `last_n` of log and record alike, if that was looked up."""
        self._log.send(draft, origin, partial(self._answered, draft, origin, sent_text, done, joins, compared))

    def _answered(
        self,
        draft: Draft,
        origin: bytes,
        sent_text: str,
        done: Done,
        joins: Person | None,
        compared: int | None,
        answer: Accepted | ChatError,
    ) -> None:
        if isinstance(answer, Accepted):
            changed = draft.text if draft.text != sent_text else None
            if answer.dup and answer.event is None:
                self._later(self._remembered(draft, changed, done))
            else:
                done(answer, changed)
        elif isinstance(answer, MissingChat):
            self._later(self._rebased(draft, origin, sent_text, done))
        elif isinstance(answer, NotFoundError) and joins:
            self._later(self._joined(joins, draft, origin, sent_text, done))
        elif isinstance(answer, GapError) and answer.details["last_n"] != compared:
            self._later(self._behind(draft, answer, origin, sent_text, done, joins))
        else:
            done(answer, None)

    def _later(self, work: object) -> None:
        task = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine of ours
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _rebased(self, draft: Draft, origin: bytes, sent_text: str, done: Done) -> None:
        try:
            await self._chats.rebase(draft.ticket)
        except ChatError as error:
            done(error, None)
        else:
            self._send(draft, origin, sent_text, done)

    async def _joined(self, person: Person, draft: Draft, origin: bytes, sent_text: str, done: Done) -> None:
        """Staff of the department may leave notes in a chat that another one owns."""
        try:
            await self._chats.visible(person, draft.ticket)
            if not person.staff:
                raise NotFoundError
            joined = Participant(draft.participant, person.id, person.chat_role, NOTE_RIGHTS, person.name)
            await self._log.join(draft.ticket, joined)
        except ChatError as error:
            done(error, None)
        else:
            self._send(draft, origin, sent_text, done)

    async def _behind(
        self, draft: Draft, gap: GapError, origin: bytes, sent_text: str, done: Done, joins: Person | None
    ) -> None:
        """Either a command before this one is missing, or Redis has forgotten some that SQL has.

        The log is asked once more after the record: while that took its time, commands before this one may have
        arrived, and a client that is told of a gap gives the numbers from `last_n` on to something else.
        """
        last_n = gap.details["last_n"]
        try:
            forgot = await self._chats.forgot_commands(draft.ticket, draft.participant, draft.device, last_n)
        except ChatError as error:
            done(error, None)
        else:
            self._send(draft, origin, sent_text, done, joins=joins, compared=None if forgot else last_n)

    async def _remembered(self, draft: Draft, changed: str | None, done: Done) -> None:
        try:
            done(await self._chats.accepted_before(draft), changed)
        except ChatError as error:
            done(error, None)
