"""A customer's own chats over HTTP: the way into the inbox, the list, the search in it, and their transcripts.

Which chats are a customer's own is said in one place: `stores.same_person`.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.errors import NotFoundError, UnauthenticatedError
from chatserver.web.auth import INBOX_SECONDS, own_customer
from chatserver.web.requests import address_prefix, check_same_origin, read_body
from chatserver.web.searching import search
from chatserver.web.services import Services
from chatserver.web.transcript_api import TranscriptApi, ticket_of_path
from transcripts.search import Scope

ENTRIES_PER_MINUTE = 120  # of one address prefix
SEARCHES_PER_MINUTE = 120  # of one person: each pause in typing is one
VIEWS_PER_MINUTE = 60  # of one person


class EnterInbox(msgspec.Struct):
    """Body of inbox-sessions."""

    secret: str = msgspec.field(name="pass")


class Nothing(msgspec.Struct):
    """An empty body."""


class OwnChatsApi:
    """Handlers of a customer's own chats."""

    def __init__(self, services: Services, origins: frozenset[str], transcripts: TranscriptApi) -> None:
        self._services, self._origins, self._transcripts = services, origins, transcripts

    def routes(self) -> list[Route]:
        """Paths under /api/v1."""
        return [
            Route("/api/v1/inbox-sessions", self.enter, methods=["POST"]),
            Route("/api/v1/own-chats", self.find, methods=["GET"]),
            Route("/api/v1/own-chats/{ticket}/views", self.open_view, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """From the panel to the inbox, which is a page of its own: a customer's pass becomes a token of the inbox.

        It ends with the token of the panel that asked for the pass, or after 12 hours.
        """
        check_same_origin(request, self._origins)
        services, secrets, body = self._services, self._services.secrets, await read_body(request, EnterInbox)
        await secrets.take("inbox-session", address_prefix(request), limit=ENTRIES_PER_MINUTE, seconds=60)
        holder = await secrets.use_pass(body.secret)
        if holder is None or holder.role != "customer" or await secrets.is_revoked(holder.session, holder.person_id):
            raise UnauthenticatedError("This link has been used or is too old: open your chats from the chat window.")
        fields = {"sub": holder.person_id, "jti": holder.session, "site": holder.site}
        return _json({"inbox_token": services.signer.sign("inbox", fields, seconds=INBOX_SECONDS)})

    async def find(self, request: Request) -> Response:
        """The customer's chats that the query finds; without words all of them, the newest first."""
        customer = await own_customer(request, self._services)
        await self._services.secrets.take("own-search", customer["sub"], limit=SEARCHES_PER_MINUTE, seconds=60)
        return _json(await search(request, self._services, await self._own(customer)))

    async def open_view(self, request: Request) -> Response:
        """The transcript of an own chat, as with its access code. Not there or not yours: one answer."""
        check_same_origin(request, self._origins)
        customer = await own_customer(request, self._services)
        await read_body(request, Nothing)
        await self._services.secrets.take("own-view", customer["sub"], limit=VIEWS_PER_MINUTE, seconds=60)
        own, ticket = await self._own(customer), ticket_of_path(request)
        chat = await self._services.store.chat(ticket or 0)
        if chat is None or not own.has(chat):
            raise NotFoundError("There is no such chat, or it is not yours.")
        return await self._transcripts.opened(chat, how="inbox", session=customer["jti"])

    async def _own(self, customer: dict[str, str]) -> Scope:
        return Scope.customer(*await self._services.directory.same_person(customer["sub"]))


def _json(body: dict[str, object]) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
