"""Saying something in a chat: `post_message`, `post_note`, and the signs that somebody reads or types.

The way of a message has no task, queue or future of its own: checked, one script, answered from the reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from chatserver.actions.author import Author
from chatserver.actions.text import TextCleaner
from chatserver.broker.asking import is_forgotten_script
from chatserver.broker.draft import Draft
from chatserver.broker.event import numbers_of, transient_event
from chatserver.broker.link import Link
from chatserver.broker.log import Accepted, ChatLog, MissingChat, answer_of
from chatserver.errors import ChatError, GapError, NotFoundError, UnavailableError
from chatserver.ids import new_id
from chatserver.model.chat import ANY_STATE, OPEN_STATES
from chatserver.model.person import NOTE_RIGHTS, Participant
from chatserver.stores.chats import Chats
from chatserver.wire.commands import PostMessage, PostNote

# Called once with the entry and the text as stored (None where it is the one that was sent), or with the reason why
# not.
Done = Callable[[Accepted | ChatError, str | None], None]

log = structlog.get_logger()


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
        if not masked and not command.keep:  # nearly all that a process does
            said = _Said(self, author, participant, command, text, done)
            said.send(self._log.link)
            return
        draft = author.draft(
            command.ticket,
            "message",
            participant,
            command.n,
            text=text,
            keep=tuple(command.keep),
            masked=masked,
            right="post",
            states=OPEN_STATES,
            gen=command.gen,
        )
        self._send(draft, author, command.text, done)

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
            author,
            command.text,
            done,
            joins=True,
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

    def _send(self, draft: Draft, author: Author, sent_text: str, done: Done, *, joins: bool = False) -> None:
        self._log.send(draft, author.origin, partial(self._answered, draft, author, sent_text, done, joins))

    def _not_at_once(self, said: _Said, reply: Any) -> None:
        """A message was not simply appended: all that there may be to it begins with its draft."""
        draft = said.draft()
        if is_forgotten_script(reply):
            self._send(draft, said.author, said.command.text, said.done)
        else:
            answer = answer_of(reply, draft.entry_id)
            self._answered(draft, said.author, said.command.text, said.done, False, answer)

    def _answered(
        self,
        draft: Draft,
        author: Author,
        sent_text: str,
        done: Done,
        joins: bool,
        answer: Accepted | ChatError,
    ) -> None:
        if isinstance(answer, Accepted):
            changed = draft.text if draft.text != sent_text else None
            if answer.dup and answer.event is None:
                self._later(self._remembered(draft, changed, done), done)
            else:
                done(answer, changed)
        elif isinstance(answer, MissingChat):
            self._later(self._again(self._chats.rebase(draft.ticket), draft, author, sent_text, done, joins), done)
        elif isinstance(answer, NotFoundError) and joins:
            self._later(self._again(self._join(draft, author), draft, author, sent_text, done, False), done)
        elif isinstance(answer, GapError):
            self._later(self._chats.settle_gap(draft.ticket, draft.participant, draft.device, answer), done)
        else:
            done(answer, None)

    def _later(self, work: Coroutine[None, None, None], done: Done) -> None:
        task = asyncio.ensure_future(self._guarded(work, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Coroutine[None, None, None], done: Done) -> None:
        try:
            await work
        except ChatError as error:
            done(error, None)
        except Exception:
            log.exception("message.failed")
            done(UnavailableError(retry_after_ms=1_000), None)  # who waits for it would wait for ever

    async def _again(
        self,
        first: Coroutine[None, None, None],
        draft: Draft,
        author: Author,
        sent_text: str,
        done: Done,
        joins: bool,
    ) -> None:
        """Sends the command once more when what it needed `first` is done, unless its connection went meanwhile: its
        sender will send it over another, perhaps under another number, so this copy could say the same twice.
        """
        await first
        if author.gone:
            raise UnavailableError(retry_after_ms=100)
        self._send(draft, author, sent_text, done, joins=joins)

    async def _join(self, draft: Draft, author: Author) -> None:
        """Staff of the department may leave notes in a chat that another one owns."""
        person = author.person
        await self._chats.visible(person, draft.ticket)
        if not person.staff:
            raise NotFoundError
        joined = Participant(draft.participant, person.id, person.chat_role, NOTE_RIGHTS, person.name)
        await self._log.join(draft.ticket, joined)

    async def _remembered(self, draft: Draft, changed: str | None, done: Done) -> None:
        done(await self._chats.accepted_before(draft), changed)


class _Said:
    """A message on its way, from the command to its answer. An object of its own, so that the usual way is three calls
    and makes nothing for what may follow.
    """

    __slots__ = ("_entry_id", "_messages", "_text", "_voice", "author", "command", "done")

    def __init__(
        self, messages: Messages, author: Author, me: Participant, command: PostMessage, text: str, done: Done
    ) -> None:
        self._messages, self.author, self.command, self._text, self.done = messages, author, command, text, done
        self._voice = author.voice(command.ticket, me)
        self._entry_id = new_id()

    def send(self, link: Link) -> None:
        command, voice = self.command, self._voice
        shard = link.by_tag[voice.tag]
        packed = voice.message(self._entry_id, command.n, self._text, command.gen, shard.replid, shard.now_ms())
        shard.send_packed(packed, self._replied)

    def draft(self) -> Draft:
        return self._voice.draft(self._entry_id, self.command.n, self._text, self.command.gen)

    def _replied(self, reply: Any) -> None:
        if reply.__class__ is bytes:  # the numbers of the entry
            epoch, seq, prev, at = numbers_of(reply)
            text = self._text
            changed = text if text != self.command.text else None
            self.done(Accepted(seq, prev, epoch, at, self._entry_id), changed)
        else:
            self._messages._not_at_once(self, reply)
