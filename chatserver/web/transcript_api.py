"""Transcripts over HTTP: the inbox by ticket number and access code, staff by search and department. Every opening is
recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.actions import access_code
from chatserver.clock import now_ms
from chatserver.errors import InvalidCommandError, NotFoundError, UnauthenticatedError
from chatserver.model.person import Person
from chatserver.stores.history import frame_of_entry
from chatserver.stores.same_person import kept_with
from chatserver.web.auth import signed_in_agent
from chatserver.web.requests import address_prefix, bearer, check_same_origin, read_body
from chatserver.web.searching import department_fields, search
from chatserver.web.services import Services
from transcripts.chat import Chat
from transcripts.database import read
from transcripts.errors import UnknownZoneError
from transcripts.export import as_json
from transcripts.formats import MEDIA_TYPES, file_name, render
from transcripts.holds import HoldOn, standing
from transcripts.public_keys import published
from transcripts.search import Scope
from transcripts.store import BY_CUSTOMER, TAKEN, Access
from transcripts.ticket import is_ticket, parse_ticket

PAGE = 200
VIEW_SECONDS = 3600
# A PDF of a long chat takes seconds of a core, beside everybody's messages.
EXPORTS_PER_MINUTE = 20  # of one chat, by its customer
STAFF_EXPORTS_PER_MINUTE = 60  # of one agent


class OpenView(msgspec.Struct):
    """Body of transcript-views; as typed by a person."""

    ticket: str | int
    access_code: str


class TranscriptApi:
    """Handlers of transcripts."""

    def __init__(self, services: Services, origins: frozenset[str]) -> None:
        self._services, self._origins = services, origins

    def routes(self) -> list[Route]:
        """Paths of transcripts."""
        return [
            Route("/api/v1/transcript-views", self.open_view, methods=["POST"]),
            Route("/api/v1/transcript-views/{ticket}", self.view, methods=["GET"]),
            Route("/api/v1/transcript-views/{ticket}/export.{form}", self.view_export, methods=["GET"]),
            Route("/api/v1/transcripts", self.search, methods=["GET"]),
            Route("/api/v1/transcripts/{ticket}", self.staff_view, methods=["GET"]),
            Route("/api/v1/transcripts/{ticket}/export.{form}", self.staff_export, methods=["GET"]),
            Route("/.well-known/chat-seal-keys.json", self.seal_keys, methods=["GET"]),
        ]

    # -- with ticket number and access code

    async def open_view(self, request: Request) -> Response:
        """The transcript for ticket and code. Whatever is wrong with them, the answer and its work are the same."""
        check_same_origin(request, self._origins)
        services, body = self._services, await read_body(request, OpenView)
        address = address_prefix(request)
        ticket = parse_ticket(str(body.ticket)[:40])
        name = str(ticket) if ticket else access_code.as_typed(str(body.ticket))
        await services.secrets.take_access_try(name, address)
        chat = await services.store.chat(ticket or 0)
        erased = await services.directory.is_erased(chat.customer_id if chat else "")  # asked for unknown ones, too
        right = access_code.matches(services.access_key, ticket or 0, chat.access_gen if chat else 0, body.access_code)
        if chat is None or erased or not right:
            raise NotFoundError("This ticket number and access code do not belong together. Check both.")
        await services.secrets.give_back_access_try(name, address)
        return await self.opened(chat, how="access_code")

    async def opened(self, chat: Chat, *, how: str, session: str | None = None) -> Response:
        """The transcript for its customer, and the token of a view that goes on for an hour, or until the `session` of
        whoever opened it ends. Recorded.
        """
        services = self._services
        await services.store.record_access(chat.ticket, "customer", how, now_ms())
        fields = {"ticket": chat.ticket, "access_gen": chat.access_gen, "session": session}
        token = services.signer.sign("view", fields, seconds=VIEW_SECONDS)
        return _json({"view_token": token, "transcript": await self._transcript(chat, after=0, staff=False)})

    async def view(self, request: Request) -> Response:
        """A page of an open view."""
        chat = await self._viewed(request)
        return _json({"transcript": await self._transcript(chat, after=_after(request), staff=False)})

    async def view_export(self, request: Request) -> Response:
        """The file in one of its formats, without anything of staff."""
        _form(request)
        chat = await self._viewed(request)
        await self._services.secrets.take("export", str(chat.ticket), limit=EXPORTS_PER_MINUTE, seconds=60)
        await self._services.store.record_access(chat.ticket, "customer", "export", now_ms())
        return await self._file(request, chat, staff=False)

    async def _viewed(self, request: Request) -> Chat:
        fields = self._services.signer.check("view", bearer(request))
        if fields is None or fields["ticket"] != ticket_of_path(request):
            raise UnauthenticatedError("This view has ended: open the transcript again.")
        services = self._services
        chat = await services.store.chat(fields["ticket"])
        if (
            chat is None
            or chat.access_gen != fields["access_gen"]
            or await services.directory.is_erased(chat.customer_id)
        ):
            raise UnauthenticatedError("This view has ended: open the transcript again.")
        session = fields.get("session")
        if session is not None and await self._services.secrets.is_revoked(session):
            raise UnauthenticatedError("This view has ended: open the transcript again.")
        return chat

    # -- for staff

    async def search(self, request: Request) -> Response:
        """What the agent may see and the query finds."""
        agent = await signed_in_agent(request, self._services)
        scope = (
            Scope.staff()
            if agent.role != "agent"
            else Scope.of_departments(department.id for department in agent.departments)
        )
        return _json(await search(request, self._services, scope))

    async def staff_view(self, request: Request) -> Response:
        """A transcript with everything staff may see."""
        agent, chat = await self._for_staff(request)
        now = now_ms()
        # Further pages belong to the opening before them. Who begins with one has opened it, too.
        since = None if _after(request) == 0 else now - VIEW_SECONDS * 1000
        await self._services.store.record_access(chat.ticket, agent.id, "agent", now, unless_since=since)
        return _json({"transcript": await self._transcript(chat, after=_after(request), staff=True)})

    async def staff_export(self, request: Request) -> Response:
        """The file in one of its formats, notes included; a mail is for the customer, and has none."""
        _form(request)
        agent, chat = await self._for_staff(request)
        await self._services.secrets.take("agent-export", agent.id, limit=STAFF_EXPORTS_PER_MINUTE, seconds=60)
        await self._services.store.record_access(chat.ticket, agent.id, "agent_export", now_ms())
        return await self._file(request, chat, staff=_form(request) != "eml")

    async def _for_staff(self, request: Request) -> tuple[Person, Chat]:
        agent = await signed_in_agent(request, self._services)
        ticket = ticket_of_path(request)
        chat = await self._services.store.chat(ticket) if ticket else None
        if chat is None or not agent.sees_department(chat.department or ""):
            raise NotFoundError("There is no such transcript, or it is not for you.")
        return agent, chat

    async def seal_keys(self, request: Request) -> Response:
        """The public keys by which seals are checked."""
        headers = {"Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}
        return Response(published(self._services.seal_keys), media_type="application/json", headers=headers)

    # -- both

    async def _transcript(self, chat: Chat, *, after: int, staff: bool) -> dict[str, Any]:
        services = self._services
        entries, site, departments, seal = await asyncio.gather(
            services.store.entries(chat.ticket, after=after, limit=PAGE + 1, staff=staff),
            services.directory.site(chat.site),
            services.directory.departments(),
            services.store.last_segment(chat.ticket),
        )
        fields: dict[str, Any] = {
            "ticket": chat.ticket,
            "state": chat.state,
            "site_name": site.name if site else None,
            "topic": chat.topic,
            "order": chat.order,
            "product": chat.product,
            "department": department_fields(departments, chat.department),
            "customer_name": chat.customer_name,
            "agent_name": chat.owner_name,
            "opened_at": chat.opened_at,
            "accepted_at": chat.accepted_at,
            "closed_at": chat.closed_at,
            "close_reason": chat.close_reason,
            "rating": chat.rating,
        }
        shown = {name: value for name, value in fields.items() if value is not None}
        shown["sealed"] = {"at": seal.sealed_at, "key_id": seal.key_id} if seal else None
        shown["entries"] = [frame_of_entry(entry, chat.epoch) for entry in entries[:PAGE]]
        shown["more"] = len(entries) > PAGE
        accesses = await services.store.accesses(chat.ticket)
        names = await services.directory.agent_names({one.who for one in accesses}) if staff else {}
        shown["accesses"] = [_access(one, names, staff=staff) for one in accesses]
        if staff:
            customer = await services.directory.customer_names(chat.customer_id)
            customer["name"] = chat.customer_name or customer.get("name")
            customer["email"] = chat.customer_email or customer.get("email")
            async with read(services.store.engine) as connection:
                people = sorted(await kept_with(connection, [chat.customer_id]))
                on = (HoldOn(ticket=chat.ticket), *(HoldOn(customer_id=one) for one in people))
                shown["holds"] = [
                    {"reason": one.reason, "at": one.placed_at} for one in await standing(connection, on=on)
                ]
            shown["customer"] = {name: value for name, value in customer.items() if value is not None}
        return shown

    async def _file(self, request: Request, chat: Chat, *, staff: bool) -> Response:
        form = _form(request)
        export = await as_json(self._services.store, chat.ticket, "staff" if staff else "all")
        if export is None:
            raise NotFoundError("There is nothing in this transcript yet.")
        zone = request.query_params.get("tz", "UTC")[:64]
        try:
            # A long chat takes its time, and everybody else's messages go on meanwhile.
            body = await asyncio.to_thread(render, export, form, zone=zone)
        except UnknownZoneError as exc:
            raise InvalidCommandError(f"tz: {exc}") from exc
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name(chat.ticket, form)}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(body, media_type=MEDIA_TYPES[form], headers=headers)


def _access(access: Access, names: Mapping[str, str], *, staff: bool) -> dict[str, Any]:
    """Names of staff are for staff. Nobody is taken for the customer because of a name."""
    customer = access.how in BY_CUSTOMER
    return {
        "at": access.at,
        "by": "customer" if customer else "staff",
        "who": "customer" if customer else names.get(access.who, access.who) if staff else "staff",
        "how": "download" if access.how in TAKEN else "read",
    }


def ticket_of_path(request: Request) -> int | None:
    """The ticket in the path; None for what cannot be one."""
    text = request.path_params["ticket"]
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 and is_ticket(int(text)) else None


def _form(request: Request) -> str:
    form: str = request.path_params["form"]
    if form not in MEDIA_TYPES:
        raise NotFoundError(f"Transcripts are exported as {', '.join(MEDIA_TYPES)}.")
    return form


def _after(request: Request) -> int:
    after = request.query_params.get("after", "0")
    if not (after.isascii() and after.isdigit() and len(after) < 10):
        raise InvalidCommandError("after has to be the number of an entry.")
    return int(after)


def _json(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
