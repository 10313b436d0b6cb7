"""Legal holds, and what retention is about to take, for supervisors and administrators."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.actions.holding import lift_hold, place_hold
from chatserver.clock import now_ms
from chatserver.errors import ForbiddenError, InvalidCommandError, NotFoundError
from chatserver.model.person import Person
from chatserver.stores.same_person import kept_with
from chatserver.web.auth import signed_in_agent
from chatserver.web.requests import check_same_origin, read_body
from chatserver.web.services import Services
from chatserver.web.transcript_api import ticket_of_path
from transcripts.database import read
from transcripts.holds import HoldOn, standing
from transcripts.retention import DAY_MS, MOST_DAYS, count_due, rules


class PlaceHold(msgspec.Struct):
    """Body of a hold."""

    reason: str


class KeepingApi:
    """Handlers of what must stay and what goes."""

    def __init__(self, services: Services, origins: frozenset[str]) -> None:
        self._services, self._origins = services, origins

    def routes(self) -> list[Route]:
        """Paths of holds and retention."""
        return [
            Route("/api/v1/transcripts/{ticket}/hold", self.place, methods=["PUT"]),
            Route("/api/v1/transcripts/{ticket}/hold", self.lift, methods=["DELETE"]),
            Route("/api/v1/customers/{customer}/hold", self.place, methods=["PUT"]),
            Route("/api/v1/customers/{customer}/hold", self.lift, methods=["DELETE"]),
            Route("/api/v1/holds", self.holds, methods=["GET"]),
            Route("/api/v1/retention", self.retention, methods=["GET"]),
        ]

    async def place(self, request: Request) -> Response:
        """A hold on a chat, or on all chats of a customer; nothing happens where one stands."""
        check_same_origin(request, self._origins)
        agent, on = await self._named(request)
        body = await read_body(request, PlaceHold)
        services = self._services
        await place_hold(services.store.engine, on, reason=body.reason, actor=agent.id, masker=services.masker)
        return Response(status_code=204)

    async def lift(self, request: Request) -> Response:
        """The end of a hold; nothing happens where none stands."""
        check_same_origin(request, self._origins)
        agent, on = await self._named(request)
        await lift_hold(self._services.store.engine, on, actor=agent.id)
        return Response(status_code=204)

    async def holds(self, request: Request) -> Response:
        """The holds that stand."""
        await self._supervisor(request)
        async with read(self._services.store.engine) as connection:
            found = await standing(connection)
            along = {
                one: sorted(await kept_with(connection, [one]) - {one})
                for one in (hold.on.customer_id for hold in found)
                if one is not None
            }
        names = await self._services.directory.agent_names({one.placed_by for one in found})
        return _json(
            {
                "holds": [
                    (
                        {"ticket": one.on.ticket}
                        if one.on.customer_id is None
                        else {"customer": one.on.customer_id, "along": along[one.on.customer_id]}
                    )
                    | {
                        "reason": one.reason,
                        "placed_by": names.get(one.placed_by, one.placed_by),
                        "at": one.placed_at,
                    }
                    for one in found
                ]
            }
        )

    async def retention(self, request: Request) -> Response:
        """The rules, and how many chats they would erase in so many days; nothing is changed."""
        await self._supervisor(request)
        days = request.query_params.get("days", "0")
        if not (days.isascii() and days.isdigit() and len(days) <= 5 and int(days) <= MOST_DAYS):
            raise InvalidCommandError(f"days has to be a number from 0 to {MOST_DAYS}.")
        async with read(self._services.store.engine) as connection:
            then = now_ms() + int(days) * DAY_MS
            found, counts = await rules(connection), await count_due(connection, then, same=kept_with)
        return _json(
            {
                "rules": [{"department": one.department, "topic": one.topic, "days": one.days} for one in found],
                "due": [
                    {"department": department, "topic": topic, "chats": go, "held": stay}
                    for department, topic, go, stay in counts
                ],
            }
        )

    async def _named(self, request: Request) -> tuple[Person, HoldOn]:
        """A supervisor and what they want to hold. For anybody else nothing is there."""
        agent = await signed_in_agent(request, self._services)
        if agent.role in _SUPERVISORS:
            customer = request.path_params.get("customer")
            ticket = ticket_of_path(request) if customer is None else None
            if customer is not None and await self._services.directory.is_customer(customer):
                return agent, HoldOn(customer_id=customer)
            if ticket is not None and await self._services.store.chat(ticket):
                return agent, HoldOn(ticket=ticket)
        raise NotFoundError("There is no such transcript, or it is not for you.")

    async def _supervisor(self, request: Request) -> None:
        if (await signed_in_agent(request, self._services)).role not in _SUPERVISORS:
            raise ForbiddenError


_SUPERVISORS = ("supervisor", "admin")


def _json(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
