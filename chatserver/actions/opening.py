"""`open_chat`: one key is one ticket, whatever crashes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from chatserver.actions.access_code import access_code
from chatserver.actions.author import Author
from chatserver.actions.text import TextCleaner
from chatserver.actions.waiting import Waiting
from chatserver.broker.draft import Draft
from chatserver.broker.event import event_at, event_epoch, event_id, event_prev
from chatserver.broker.log import Accepted, MissingChat
from chatserver.errors import InvalidCommandError, NotFoundError, UnavailableError
from chatserver.ids import new_epoch
from chatserver.model.chat import ChatInfo, encode_info
from chatserver.model.person import CUSTOMER_RIGHTS, Participant
from chatserver.signing import Signer
from chatserver.stores.chats import Chats
from chatserver.stores.tickets import TicketNumbers
from chatserver.wire.commands import OpenChat
from transcripts.errors import StoreUnavailableError
from transcripts.masking import Masked

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
class Reserved:
    """The number that a chat has or will have."""

    ticket: int
    claim: str


class Opening:
    """Opens chats, and puts them on their waiting list."""

    def __init__(
        self,
        chats: Chats,
        waiting: Waiting,
        tickets: TicketNumbers,
        cleaner: TextCleaner,
        *,
        signer: Signer,
        access_key: bytes,
    ) -> None:
        self._chats, self._waiting, self._tickets, self._cleaner = chats, waiting, tickets, cleaner
        self._signer, self._access_key = signer, access_key

    async def reserve_ticket(
        self, author: Author, chat_key: str, *, before_new: Callable[[], Awaitable[None]]
    ) -> Reserved:
        """Gives the chat of this key its number before it begins. Whoever opens it with the claim gets this number,
        whatever Redis forgets in between, and however often and late the command is executed. Nothing else happens:
        a number that is not used is left out.

        Raises:
            ChatError: why not.
        """
        _check_customer(author)
        ticket, _ = await self._ticket(author, chat_key, before_new)
        return Reserved(ticket, self._claim(author, chat_key, ticket))

    async def open_chat(
        self, author: Author, command: OpenChat, *, site: str, before_new: Callable[[], Awaitable[None]]
    ) -> Opened:
        """Begins the chat, or finds the one that this `chat_key` has begun before.

        Args:
            author: the customer.
            command: what they say.
            site: where.
            before_new: is awaited before a key gets its ticket, and may raise. Not for a repetition: while something
                is away, clients repeat more often than anybody may open chats.

        Raises:
            ChatError: why not; nothing has happened then, except with UnavailableError: undecided, ask again.
        """
        masked = self._cleaner.message(command.text, keep=command.keep)
        info = await self._info(author, command, site)
        ticket, fresh = self._claimed(author, command), False
        if ticket is None:
            ticket, fresh = await self._ticket(author, command.chat_key, before_new)
        participant = Participant(
            author.participant(ticket), author.person.id, "customer", CUSTOMER_RIGHTS, info.customer_name
        )
        begun = await self._begin(author, command, participant, info, masked, ticket, create=fresh)
        if begun is None:
            accepted = await self._first_message(ticket)
            chat = await self._chats.head(ticket)
            if chat.info.customer_id != author.person.id:
                raise NotFoundError
            state, info = chat.state, chat.info
        else:
            accepted, state = begun, "queued"
        if state == "queued":
            await self._waiting.agree(ticket, preview=masked.text)
        return Opened(
            ticket,
            accepted,
            access_code(self._access_key, ticket, info.access_gen),
            self._claim(author, command.chat_key, ticket),
            masked.text if masked.text != command.text else None,
        )

    def _claim(self, author: Author, chat_key: str, ticket: int) -> str:
        claim = {"key": chat_key, "ticket": ticket, "sub": author.person.id}
        return self._signer.sign("claim", claim, seconds=CLAIM_SECONDS)

    def _claimed(self, author: Author, command: OpenChat) -> int | None:
        claim = self._signer.check("claim", command.claim)
        if claim and claim["key"] == command.chat_key and claim["sub"] == author.person.id:
            return int(claim["ticket"])
        return None

    async def _info(self, author: Author, command: OpenChat, site: str) -> ChatInfo:
        _check_customer(author)
        try:
            its_site = await self._chats.directory.site(site)
            departments = await self._chats.directory.departments()
        except StoreUnavailableError as exc:
            raise UnavailableError(retry_after_ms=2_000) from exc
        if its_site is None:
            raise NotFoundError("This site is no longer there.")
        topic = self._cleaner.line(command.topic)
        of_topic = (one["department"] for one in its_site.topics if one["label"] == topic)
        department = command.department or next(of_topic, its_site.default_department)
        if department not in departments:
            raise InvalidCommandError(f"There is no department {department[:40]!r}.")
        return ChatInfo(
            customer_id=author.person.id,
            site=site,
            department=department,
            department_name=departments[department].name,
            chat_key=command.chat_key,
            topic=topic,
            order=self._cleaner.line(command.order),
            product=self._cleaner.line(command.product),
            locale=command.locale,
            page_url=self._cleaner.address(command.page_url),
            regarding=tuple(command.regarding),
            customer_name=self._cleaner.line(command.name),
            customer_email=command.email,
        )

    async def _ticket(
        self, author: Author, chat_key: str, before_new: Callable[[], Awaitable[None]]
    ) -> tuple[int, bool]:
        """The ticket of this key, and whether nobody can know it yet."""
        log = self._chats.log
        found = await log.ticket_for(author.person.id, chat_key)
        if found is None:
            try:
                found = await self._chats.store.ticket_of_key(author.person.id, chat_key)
            except StoreUnavailableError as exc:
                raise UnavailableError(retry_after_ms=2_000) from exc
        if found is not None:
            return found, False
        await before_new()
        mine = await self._tickets.next()
        ticket = await log.ticket_for(author.person.id, chat_key, fresh=mine)
        assert ticket is not None
        if ticket != mine:
            self._tickets.give_back(mine)
        return ticket, ticket == mine

    async def _begin(
        self,
        author: Author,
        command: OpenChat,
        participant: Participant,
        info: ChatInfo,
        masked: Masked,
        ticket: int,
        *,
        create: bool,
    ) -> Accepted | None:
        """The first message's entry; None when the chat is there already."""
        epoch, raw_info = new_epoch(), encode_info(info)
        opened = author.draft(ticket, "opened", participant, 0, data=_opening_data(info))
        message = author.draft(
            ticket, "message", participant, 1, text=masked.text, masked=tuple(masked.kinds), keep=tuple(command.keep)
        )

        async def begin(*, create: bool) -> int | None:
            return await self._chats.log.open(
                opened,
                message,
                participant=participant,
                info=raw_info,
                epoch=epoch,
                origin=author.origin,
                create=create,
            )

        try:
            at = await begin(create=create)
        except MissingChat:
            # The key is known, the chat is not in Redis: finished long ago, or somebody crashed before it began.
            try:
                await self._chats.rebase(ticket)
            except NotFoundError:
                at = await begin(create=True)
            else:
                return None
        return None if at is None else _accepted(message, epoch, at)

    async def _first_message(self, ticket: int) -> Accepted:
        """The first message of a chat is always its second entry."""
        event = (await self._chats.page(ticket, limit=2)).events[1]
        return Accepted(
            2, event_prev(event), event_epoch(event), event_at(event), event_id(event), dup=True, event=event
        )


def _check_customer(author: Author) -> None:
    if author.person.role != "customer":
        raise InvalidCommandError("Chats are opened by customers.")


def _accepted(message: Draft, epoch: int, at: int) -> Accepted:
    return Accepted(2, 1, epoch, at, message.entry_id)


def _opening_data(info: ChatInfo) -> dict[str, Any]:
    fields = {"department": info.department, "topic": info.topic, "order": info.order, "product": info.product}
    data: dict[str, Any] = {name: value for name, value in fields.items() if value}
    if info.regarding:
        data["regarding"] = list(info.regarding)
    return data
