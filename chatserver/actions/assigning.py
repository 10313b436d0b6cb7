"""`take_chat`: two agents never own one chat. The queue says who (one script), the chat's slot confirms it by `gen`."""

from __future__ import annotations

from dataclasses import dataclass

from chatserver.actions.author import Author
from chatserver.actions.waiting import Waiting
from chatserver.broker.event import NOBODY
from chatserver.broker.log import Accepted, Draft, MissingChat
from chatserver.errors import AlreadyAssignedError, ChatClosedError, ConflictError, GapError, NotFoundError
from chatserver.model.chat import ENDED_STATES, LiveChat
from chatserver.model.person import OWNER_RIGHTS, Participant, Person
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue
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
        if chat.state in ENDED_STATES.split():
            await self._queue.remove(ticket, department=chat.info.department)  # should it still be listed
            raise ChatClosedError
        if chat.owner != owner.id:
            _check_n(chat, owner, author.device, command.n)
        gen = await self._claim(person, chat)
        try:
            accepted = await self._assign(_assigned(author, ticket, owner, gen, n=command.n), gen, owner, author.origin)
        except ChatClosedError:
            await self._queue.remove(ticket, department=chat.info.department)
            raise
        await self._queue.confirm(ticket)
        if accepted.dup and accepted.event is None:
            accepted = await self._chats.accepted_before(ticket, owner.id, author.device, command.n)
        return Taken(accepted, gen)

    async def confirm(self, ticket: int, agent_id: str, gen: int) -> None:
        """Completes a hand-over whose agent's process ended in between; by `gen`, so again changes nothing.

        Raises:
            NotFoundError: there is no such agent or chat.
        """
        agent = await self._chats.directory.agent(agent_id)
        if agent is None:
            raise NotFoundError
        author = Author(agent, f"server-assigned-{gen}", NOBODY)
        owner = _owner(author, ticket)
        try:
            await self._assign(_assigned(author, ticket, owner, gen, n=1), gen, owner, author.origin)
        except ChatClosedError:
            chat = await self._chats.head(ticket)
            await self._queue.remove(ticket, department=chat.info.department)
        await self._queue.confirm(ticket)

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
            # It waits, but the routing slot has lost it.
            await self._waiting.enqueue(chat.ticket, chat.info, chat.opened_at, None)
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

    async def _assign(self, draft: Draft, gen: int, owner: Participant, origin: bytes) -> Accepted:
        try:
            return await self._chats.log.assign(draft, gen=gen, participant=owner, origin=origin)
        except MissingChat:
            await self._chats.rebase(draft.ticket)
            return await self._chats.log.assign(draft, gen=gen, participant=owner, origin=origin)


def _check_n(chat: LiveChat, owner: Participant, device: str, n: int) -> None:
    """Before the queue hands the chat over: an error has to mean that nothing happened."""
    last = chat.last_n.get(f"{owner.id}:{device}", 0)
    if n > last + 1:
        raise GapError(last_n=last)
    if n <= last:
        raise ConflictError


def _owner(author: Author, ticket: int) -> Participant:
    return Participant(author.participant(ticket), author.person.id, "agent", OWNER_RIGHTS, author.person.name)


def _assigned(author: Author, ticket: int, owner: Participant, gen: int, *, n: int) -> Draft:
    return author.draft(ticket, "assigned", owner, n, data={"owner": owner.id, "name": author.person.name, "gen": gen})
