"""The life of a chat: open, take, close, rate. Every step may be repeated; a crash between two steps is mended by the
sweeper (worker).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from chatserver.actions.access_code import access_code
from chatserver.actions.author import Author
from chatserver.actions.text import clean, clean_address, clean_line
from chatserver.broker.event import NOBODY, event_at, event_epoch, event_id, event_prev
from chatserver.broker.log import Accepted, ChatLog, Draft, MissingChat
from chatserver.errors import (
    AlreadyAssignedError,
    ChatClosedError,
    ChatError,
    InvalidCommandError,
    NotFoundError,
    UnavailableError,
)
from chatserver.ids import new_epoch, new_id
from chatserver.model.chat import ENDED_STATES, OPEN_STATES, ChatInfo, LiveChat, encode_info, queue_item
from chatserver.model.person import CUSTOMER_RIGHTS, OWNER_RIGHTS, Participant, Person
from chatserver.signing import Signer
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue
from chatserver.stores.tickets import TicketNumbers
from chatserver.wire.commands import CloseChat, OpenChat, RateChat, TakeChat
from transcripts.errors import StoreUnavailableError

CLAIM_SECONDS = 400 * 86_400


@dataclass(frozen=True)
class Opened:
    """A chat that its customer has opened, now or before."""

    ticket: int
    accepted: Accepted
    access_code: str
    claim: str
    text: str | None


@dataclass(frozen=True)
class Taken:
    """A chat that an agent owns."""

    accepted: Accepted
    gen: int


class Lifecycle:
    """Opens, takes, closes and rates chats.

    Raises (all methods): a `ChatError` that says why not; nothing has happened then, except with `UnavailableError`:
    undecided, ask again.
    """

    def __init__(
        self, chats: Chats, queue: Queue, tickets: TicketNumbers, *, signer: Signer, access_key: bytes
    ) -> None:
        self._chats, self._queue, self._tickets = chats, queue, tickets
        self._log: ChatLog = chats.log
        self._signer, self._access_key = signer, access_key

    # -- open

    async def open_chat(self, author: Author, command: OpenChat, *, site: str) -> Opened:
        """One `chat_key` is one ticket, whatever crashes: it is found again in Redis, then in SQL; the script begins
        a chat once.
        """
        info = await self._info(author, command, site)
        ticket, fresh = await self._ticket(author, command)
        participant = Participant(
            author.participant(ticket), author.person.id, "customer", CUSTOMER_RIGHTS, info.customer_name
        )
        masked = clean(command.text, keep=command.keep)
        opened, message = self._first_entries(
            author, command, info, ticket, participant, masked.text, tuple(masked.kinds)
        )
        begun = await self._begin(opened, message, participant, info, author.origin, create=fresh)
        if begun is None:
            accepted = await self._first_message(ticket)
            chat = await self._chats.head(ticket)
            if chat.info.customer_id != author.person.id:
                raise NotFoundError
            since, state, info = chat.opened_at, chat.state, chat.info
        else:
            epoch, at = begun
            accepted = Accepted(2, 1, epoch, at, message.entry_id)
            since, state = at, "queued"
        if state == "queued":
            await self.enqueue(ticket, info, since, masked.text)
        claim = self._signer.sign(
            "claim", {"key": command.chat_key, "ticket": ticket, "sub": author.person.id}, seconds=CLAIM_SECONDS
        )
        code = access_code(self._access_key, ticket, info.access_gen)
        return Opened(ticket, accepted, code, claim, masked.text if masked.text != command.text else None)

    async def enqueue(self, ticket: int, info: ChatInfo, since: int, preview: str | None) -> None:
        """Puts a queued chat on its waiting list, and off the sweeper's."""
        await self._queue.add(
            ticket, department=info.department, since=since, item=queue_item(ticket, since, info, preview)
        )
        await self._log.queued(ticket)

    async def _info(self, author: Author, command: OpenChat, site: str) -> ChatInfo:
        if author.person.role != "customer":
            raise InvalidCommandError("open_chat is for customers.")
        try:
            its_site = await self._chats.directory.site(site)
            departments = await self._chats.directory.departments()
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        if its_site is None:
            raise NotFoundError("This site is no longer there.")
        topic = clean_line(command.topic)
        by_topic = next(
            (one["department"] for one in its_site.topics if one["label"] == topic), its_site.default_department
        )
        department = command.department or by_topic
        if department not in departments:
            raise InvalidCommandError(f"There is no department {department[:40]!r}.")
        return ChatInfo(
            customer_id=author.person.id,
            site=site,
            department=department,
            department_name=departments[department].name,
            chat_key=command.chat_key,
            topic=topic,
            order=clean_line(command.order),
            product=clean_line(command.product),
            locale=command.locale,
            page_url=clean_address(command.page_url),
            regarding=tuple(command.regarding),
            customer_name=clean_line(command.name),
            customer_email=command.email,
        )

    async def _ticket(self, author: Author, command: OpenChat) -> tuple[int, bool]:
        """The ticket of this key, and whether nobody can know it yet."""
        claim = self._signer.check("claim", command.claim)
        if claim and claim["key"] == command.chat_key and claim["sub"] == author.person.id:
            return int(claim["ticket"]), False
        found = await self._log.ticket_for(author.person.id, command.chat_key)
        if found is None:
            try:
                found = await self._chats.store.ticket_of_key(author.person.id, command.chat_key)
            except StoreUnavailableError as exc:
                raise UnavailableError(retry_after_ms=2_000) from exc
        if found is not None:
            return found, False
        mine = await self._tickets.next()
        ticket = await self._log.ticket_for(author.person.id, command.chat_key, fresh=mine)
        assert ticket is not None
        if ticket != mine:
            self._tickets.give_back(mine)
        return ticket, ticket == mine

    async def _begin(
        self, opened: Draft, message: Draft, participant: Participant, info: ChatInfo, origin: bytes, *, create: bool
    ) -> tuple[int, int] | None:
        epoch = new_epoch()
        try:
            at = await self._log.open(
                opened,
                message,
                participant=participant,
                info=encode_info(info),
                epoch=epoch,
                origin=origin,
                create=create,
            )
        except MissingChat:
            # The key is known, the chat is not in Redis: finished long ago, or never begun because somebody crashed in
            # between.
            try:
                await self._chats.rebase(opened.ticket)
            except NotFoundError:
                at = await self._log.open(
                    opened,
                    message,
                    participant=participant,
                    info=encode_info(info),
                    epoch=epoch,
                    origin=origin,
                    create=True,
                )
            else:
                return None
        return None if at is None else (epoch, at)

    def _first_entries(
        self,
        author: Author,
        command: OpenChat,
        info: ChatInfo,
        ticket: int,
        participant: Participant,
        text: str,
        masked: tuple[str, ...],
    ) -> tuple[Draft, Draft]:
        data: dict[str, Any] = {"department": info.department}
        data |= {
            name: value
            for name, value in (("topic", info.topic), ("order", info.order), ("product", info.product))
            if value
        }
        if info.regarding:
            data["regarding"] = list(info.regarding)

        def draft(kind: str, n: int, **more: Any) -> Draft:
            return Draft(
                ticket=ticket,
                kind=kind,
                role="customer",
                entry_id=new_id(),
                person_id=author.person.id,
                participant=participant.id,
                device=author.device,
                n=n,
                name=info.customer_name,
                **more,
            )

        return draft("opened", 0, data=data), draft("message", 1, text=text, masked=masked, keep=tuple(command.keep))

    async def _first_message(self, ticket: int) -> Accepted:
        """The first message of a chat is always its second entry."""
        event = (await self._chats.page(ticket, limit=2)).events[1]
        return Accepted(
            2, event_prev(event), event_epoch(event), event_at(event), event_id(event), dup=True, event=event
        )

    # -- take

    async def take_chat(self, author: Author, command: TakeChat) -> Taken:
        """The queue says who (one script), then the chat's own slot confirms it by `gen`."""
        person, ticket = author.person, command.ticket
        chat = await self._visible(author, ticket)
        if not person.staff:
            raise NotFoundError
        if chat.state in ENDED_STATES.split():
            raise ChatClosedError
        gen = await self._claim(author, chat)
        participant = Participant(author.participant(ticket), person.id, "agent", OWNER_RIGHTS, person.name)
        draft = self._assigned(author, ticket, participant, gen, n=command.n)
        try:
            accepted = await self._assign(draft, gen, participant, author.origin)
        except ChatClosedError:
            await self._queue.remove(ticket, department=chat.info.department)
            raise
        await self._queue.confirm(ticket)
        if accepted.dup and accepted.event is None:
            accepted = await self._chats.accepted_before(ticket, participant.id, author.device, command.n)
        return Taken(accepted, gen)

    async def confirm_assignment(self, ticket: int, agent_id: str, gen: int) -> None:
        """Completes a hand-over whose agent's process ended in between; by `gen`, so that doing it again changes
        nothing.
        """
        agent = await self._chats.directory.agent(agent_id)
        if agent is None:
            raise NotFoundError
        author = Author(agent, f"server-assigned-{gen}", NOBODY)
        participant = Participant(author.participant(ticket), agent.id, "agent", OWNER_RIGHTS, agent.name)
        draft = self._assigned(author, ticket, participant, gen, n=1)
        try:
            await self._assign(draft, gen, participant, author.origin)
        except ChatClosedError:
            chat = await self._chats.head(ticket)
            await self._queue.remove(ticket, department=chat.info.department)
        await self._queue.confirm(ticket)

    def _assigned(self, author: Author, ticket: int, participant: Participant, gen: int, *, n: int) -> Draft:
        name = author.person.name
        return Draft(
            ticket=ticket,
            kind="assigned",
            role="agent",
            entry_id=new_id(),
            person_id=author.person.id,
            participant=participant.id,
            device=author.device,
            n=n,
            name=name,
            data={"owner": participant.id, "name": name, "gen": gen},
        )

    async def _claim(self, author: Author, chat: LiveChat) -> int:
        person, owner = author.person, chat.owner_participant()
        if owner and owner.person_id == person.id:
            return chat.gen
        try:
            return await self._take(person, chat)
        except NotFoundError:
            if chat.state != "queued":
                name = owner.name if owner else None
                raise AlreadyAssignedError(owner=name or "another agent") from None
            # It waits, but the routing slot has lost it.
            await self.enqueue(chat.ticket, chat.info, chat.opened_at, None)
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

    async def _assign(self, draft: Draft, gen: int, participant: Participant, origin: bytes) -> Accepted:
        try:
            return await self._log.assign(draft, gen=gen, participant=participant, origin=origin)
        except MissingChat:
            await self._chats.rebase(draft.ticket)
            return await self._log.assign(draft, gen=gen, participant=participant, origin=origin)

    # -- close, rate

    async def close_chat(self, author: Author, command: CloseChat) -> Accepted:
        """Ends the chat; the worker seals and indexes it."""
        chat = await self._visible(author, command.ticket)
        me = self._me(author, chat)
        reason = "customer" if me.role == "customer" else "agent"
        accepted = await self._append(
            Draft(
                ticket=command.ticket,
                kind="closed",
                role=me.role,
                entry_id=new_id(),
                person_id=author.person.id,
                participant=me.id,
                device=author.device,
                n=command.n,
                name=author.person.name,
                data={"reason": reason},
                right="close",
                states=OPEN_STATES,
                gen=command.gen,
                sets=(("state", "closing"), ("closed_at", "@at"), ("close_reason", reason)),
            ),
            author.origin,
        )
        await self._queue.remove(command.ticket, department=chat.info.department)
        return accepted

    async def rate_chat(self, author: Author, command: RateChat) -> tuple[Accepted, str | None]:
        """Says how it was, once the chat has ended; the last rating counts."""
        chat = await self._visible(author, command.ticket)
        me = self._me(author, chat)
        masked = clean(command.text) if command.text and command.text.strip() else None
        accepted = await self._append(
            Draft(
                ticket=command.ticket,
                kind="rated",
                role=me.role,
                entry_id=new_id(),
                person_id=author.person.id,
                participant=me.id,
                device=author.device,
                n=command.n,
                name=chat.info.customer_name,
                text=masked.text if masked else None,
                masked=tuple(masked.kinds) if masked else (),
                data={"rating": command.rating},
                right="rate",
                states=ENDED_STATES,
                sets=(("rating", str(command.rating)),),
            ),
            author.origin,
        )
        return accepted, masked.text if masked and masked.text != command.text else None

    async def _append(self, draft: Draft, origin: bytes) -> Accepted:
        answer = await self._send(draft, origin)
        if isinstance(answer, MissingChat):
            await self._chats.rebase(draft.ticket)
            answer = await self._send(draft, origin)
        if isinstance(answer, ChatError):
            if isinstance(answer, ChatClosedError) and draft.kind == "rated":
                raise InvalidCommandError("A chat can be rated once it is closed.")
            raise answer
        if answer.dup and answer.event is None:
            return await self._chats.accepted_before(draft.ticket, draft.participant, draft.device, draft.n)
        return answer

    async def _send(self, draft: Draft, origin: bytes) -> Accepted | ChatError:
        future: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
        self._log.send(draft, origin, lambda answer: None if future.done() else future.set_result(answer))
        return await future

    async def _visible(self, author: Author, ticket: int) -> LiveChat:
        chat = await self._chats.head(ticket)
        person = author.person
        if chat.participant_of(person.id) or (person.staff and person.sees_department(chat.info.department)):
            return chat
        raise NotFoundError

    def _me(self, author: Author, chat: LiveChat) -> Participant:
        return chat.participant_of(author.person.id) or author.as_participant(chat.ticket)
