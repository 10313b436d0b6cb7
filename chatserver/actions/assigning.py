"""`take_chat`: two agents never own one chat. The queue says who (one script), the chat's slot confirms it by `gen`."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from chatserver.actions.author import Author
from chatserver.actions.waiting import Waiting
from chatserver.broker.draft import Draft
from chatserver.broker.event import NOBODY, decode_event, event_at, event_epoch, event_id, event_prev, event_seq
from chatserver.broker.log import Accepted, MissingChat
from chatserver.errors import (
    AlreadyAssignedError,
    ChatClosedError,
    GapError,
    NotFoundError,
    StaleGenError,
    UnavailableError,
)
from chatserver.model.chat import ENDED_STATES, LiveChat
from chatserver.model.person import OWNER_RIGHTS, Participant, Person
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue, Step
from chatserver.wire.commands import TakeChat


@dataclass(frozen=True)
class Taken:
    """A chat that an agent owns."""

    accepted: Accepted
    gen: int


class Assigning:
    """Gives chats to agents."""

    def __init__(self, chats: Chats, queue: Queue, waiting: Waiting) -> None:
        self._chats, self._queue, self._waiting = chats, queue, waiting

    async def take_chat(self, author: Author, command: TakeChat) -> Taken:
        """Makes the agent the owner of a waiting chat.

        Raises:
            AlreadyAssignedError: another agent was quicker; `details["owner"]` is their name.
            ChatError: why not; nothing has happened then, except with UnavailableError: undecided, ask again.
        """
        person, ticket = author.person, command.ticket
        chat = await self._chats.visible(person, ticket)
        if not person.staff:
            raise NotFoundError
        owner = _owner(author, ticket)
        last = chat.last_n.get(f"{owner.id}:{author.device}", 0)
        if command.n <= last:
            return await self._taken_before(author, command, owner)
        # Before the queue hands the chat over: an error has to mean that nothing happened.
        if command.n > last + 1:
            await self._chats.settle_gap(ticket, owner.id, author.device, GapError(last_n=last))
        if chat.state in ENDED_STATES.split():
            await self._waiting.agree(ticket)  # should it still be listed
            raise ChatClosedError
        gen = await self._claim(person, chat)
        try:
            accepted = await self._assign(_assigned(author, ticket, owner, gen, n=command.n), gen, owner, author.origin)
        except (ChatClosedError, StaleGenError):
            await self._waiting.agree(ticket)
            raise
        await self._queue.confirm(Step(ticket, person.id, gen))
        if accepted.dup and accepted.event is None:
            accepted = await self._assigned_before(author, command, owner)
        return Taken(accepted, gen)

    async def _taken_before(self, author: Author, command: TakeChat, owner: Participant) -> Taken:
        """The answer to a retry: that of the first time, also if the chat has ended since or is another's.

        Raises:
            ConflictError: this `n` was another command's.
        """
        ticket, n = command.ticket, command.n
        accepted = await self._assign(_assigned(author, ticket, owner, 0, n=n), 0, owner, author.origin)
        if accepted.event is None:
            accepted = await self._assigned_before(author, command, owner)
        assert accepted.event
        return Taken(accepted, int(decode_event(accepted.event)["data"]["gen"]))

    async def confirm(self, step: Step) -> None:
        """Completes a hand-over whose agent's process ended in between; by `gen`, so again changes nothing.

        Raises:
            NotFoundError: there is no such chat.
        """
        agent, ticket = await self._chats.directory.agent(step.agent_id), step.ticket
        if agent is None:
            await self._queue.undo(step)
        else:
            author = Author(agent, f"server-assigned-{step.gen}", NOBODY)
            owner = _owner(author, ticket)
            with contextlib.suppress(ChatClosedError, StaleGenError):
                await self._assign(_assigned(author, ticket, owner, step.gen, n=1), step.gen, owner, author.origin)
        await self._waiting.agree(ticket)

    async def _claim(self, person: Person, chat: LiveChat) -> int:
        owner = chat.owner_participant()
        if owner and owner.person_id == person.id:
            return chat.gen
        try:
            return await self._take(person, chat)
        except NotFoundError:
            if chat.state != "queued":
                name = owner.name if owner else None
                raise AlreadyAssignedError(owner=name or "another agent") from None
            await self._waiting.agree(chat.ticket)  # it waits, but the routing slot has lost it
            return await self._take(person, chat)

    async def _take(self, person: Person, chat: LiveChat) -> int:
        try:
            return await self._queue.take(
                chat.ticket,
                department=chat.info.department,
                agent_id=person.id,
                agent_name=person.name or "",
                gen=chat.gen,
            )
        except AlreadyAssignedError as error:
            owner = await self._chats.directory.agent(error.details["agent"])
            raise AlreadyAssignedError(owner=(owner.name if owner else None) or "another agent") from error

    async def _assigned_before(self, author: Author, command: TakeChat, owner: Participant) -> Accepted:
        """The entry that made them the owner, where the log does not remember which one it was: this command's, or
        else the last.

        Raises:
            UnavailableError: neither log nor record have it yet.
        """
        found, after, epoch, entry_id = None, 0, 0, ""
        while (page := await self._chats.page(command.ticket, epoch=epoch, seq=after, entry_id=entry_id)).events:
            for event in page.events:
                entry = decode_event(event)
                if entry["kind"] != "assigned" or entry["participant"] != owner.id:
                    continue
                found = event
                if (entry.get("device"), entry.get("n")) == (author.device, command.n):
                    return _accepted(event)
            last = page.events[-1]
            after, epoch, entry_id = event_seq(last), page.chat.epoch, event_id(last)
        if found is None:
            raise UnavailableError(retry_after_ms=1_000)
        return _accepted(found)

    async def _assign(self, draft: Draft, gen: int, owner: Participant, origin: bytes) -> Accepted:
        while True:
            try:
                return await self._chats.log.assign(draft, gen=gen, participant=owner, origin=origin)
            except MissingChat:
                await self._chats.rebase(draft.ticket)


def _owner(author: Author, ticket: int) -> Participant:
    return Participant(author.participant(ticket), author.person.id, "agent", OWNER_RIGHTS, author.person.name)


def _assigned(author: Author, ticket: int, owner: Participant, gen: int, *, n: int) -> Draft:
    return author.draft(ticket, "assigned", owner, n, data={"owner": owner.id, "name": author.person.name, "gen": gen})


def _accepted(event: bytes) -> Accepted:
    return Accepted(
        event_seq(event), event_prev(event), event_epoch(event), event_at(event), event_id(event), dup=True, event=event
    )
