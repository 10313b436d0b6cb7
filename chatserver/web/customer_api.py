"""What the widget asks over HTTP: who am I, a pass, why am I blank."""

from __future__ import annotations

import tempfile

import msgspec
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.actions.taking_along import write_archive
from chatserver.clock import now_ms
from chatserver.errors import NotFoundError, RateLimitedError, UnauthenticatedError
from chatserver.ids import new_token
from chatserver.stores.secrets import PASS_SECONDS, PassHolder
from chatserver.web.auth import CUSTOMER_SECONDS, customer_of_token, pass_holder
from chatserver.web.requests import address_prefix, bearer, check_same_origin, read_body
from chatserver.web.services import Services

SESSIONS_PER_MINUTE = 120  # of one address prefix: a whole office may open the shop at once
PROBLEMS_PER_MINUTE = 30
PASSES_PER_MINUTE = 1_200  # of one person: many tabs, a flaky network, a bot with hundreds of connections
EXPORTS_PER_HOUR = 5  # of one person: each reads all of their chats
EXPORT_IN_MEMORY = 4_000_000  # bytes; a larger file waits on the disk

log = structlog.get_logger()


class NewSession(msgspec.Struct):
    """Body of customer-sessions."""

    site_key: str
    customer_token: str | None = None
    locale: str | None = None
    page_url: str | None = None


class Problem(msgspec.Struct):
    """Body of widget-problems."""

    site_key: str
    problem: str
    page_origin: str | None = None


class Nothing(msgspec.Struct):
    """An empty body."""


class CustomerApi:
    """Handlers of the customers' calls."""

    def __init__(self, services: Services, origins: frozenset[str]) -> None:
        self._services, self._origins = services, origins

    def routes(self) -> list[Route]:
        """Paths under /api/v1."""
        return [
            Route("/api/v1/customer-sessions", self.new_session, methods=["POST"]),
            Route("/api/v1/customer-sessions", self.sign_out, methods=["DELETE"]),
            Route("/api/v1/customer-sessions/export.zip", self.export, methods=["GET"]),
            Route("/api/v1/passes", self.new_pass, methods=["POST"]),
            Route("/api/v1/widget-problems", self.problem, methods=["POST", "OPTIONS"]),
        ]

    async def new_session(self, request: Request) -> Response:
        """Makes an anonymous customer, or goes on with the one of the token."""
        check_same_origin(request, self._origins)
        services, body = self._services, await read_body(request, NewSession)
        site = await services.directory.site(body.site_key)
        if site is None:
            raise NotFoundError("There is no site with this key.")
        token = body.customer_token
        customer = await customer_of_token(token, services)
        if customer is None or customer["site"] != site.key:
            await services.secrets.take(
                "customer-session", address_prefix(request), limit=SESSIONS_PER_MINUTE, seconds=60
            )
            customer = {
                "sub": await services.directory.add_customer(site=site.key),
                "jti": new_token("", 12),
                "site": site.key,
            }
            token = services.signer.sign("customer", customer, seconds=CUSTOMER_SECONDS)
        holder = PassHolder(customer["sub"], "customer", customer["jti"], site.key)
        return _json(
            {
                "customer_token": token,
                "customer_id": customer["sub"],
                "pass": await services.secrets.new_pass(holder),
                "site": {
                    "name": site.name,
                    "topics": list(site.topics),
                    "order_field": True,
                    "masking": {"off": sorted(services.masker.off), "patterns": services.masker.patterns},
                },
                "open": True,
            }
        )

    async def sign_out(self, request: Request) -> Response:
        """Ends the token wherever it is, and all that came of it: passes, resume tokens, sockets, the inbox."""
        check_same_origin(request, self._origins)
        customer = self._services.signer.check("customer", bearer(request))
        if customer is not None:
            await self._services.secrets.revoke(customer["jti"])  # first: whose connection ends comes back at once
            self._services.hub.roster.end_session(customer["jti"])
        return Response(status_code=204, headers={"Cache-Control": "no-store"})

    async def new_pass(self, request: Request) -> Response:
        """A pass for one connection."""
        check_same_origin(request, self._origins)
        await read_body(request, Nothing)
        holder = await pass_holder(request, self._services)
        await self._services.secrets.take("pass", holder.person_id, limit=PASSES_PER_MINUTE, seconds=60)
        token = await self._services.secrets.new_pass(holder)
        return _json({"pass": token, "expires_in_ms": PASS_SECONDS * 1000})

    async def export(self, request: Request) -> Response:
        """All data of the customer of the token, with all that they see as their own chats."""
        services, customer = self._services, await customer_of_token(bearer(request), self._services)
        if customer is None:
            raise UnauthenticatedError
        await services.secrets.take("customer-export", customer["sub"], limit=EXPORTS_PER_HOUR, seconds=3600)
        people = await services.directory.same_person(customer["sub"])
        with tempfile.SpooledTemporaryFile(max_size=EXPORT_IN_MEMORY) as file:
            tickets = await write_archive(services.store.engine, customer["sub"], file, people=people)
            now = now_ms()
            for ticket in tickets:
                await services.store.record_access(ticket, "customer", "export", now)
            file.seek(0)
            headers = {"Content-Disposition": 'attachment; filename="my-chats.zip"', "Cache-Control": "no-store"}
            return Response(file.read(), media_type="application/zip", headers=headers)

    async def problem(self, request: Request) -> Response:
        """Why a widget stays blank: a sentence for the browser's console, the same in our log. Any site may ask."""
        cors = {"Access-Control-Allow-Origin": "*"}
        if request.method == "OPTIONS":
            headers = cors | {
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Content-Type",
                "Access-Control-Max-Age": "600",
            }
            return Response(status_code=204, headers=headers)
        body = await read_body(request, Problem)
        site = await self._services.directory.site(body.site_key[:100])
        # What the browser says of itself counts for more than what the page claims.
        page = (request.headers.get("origin") or body.page_origin or "unknown")[:200]
        explanation = explain(body.problem, page, site.origins if site else None)
        try:
            await self._services.secrets.take(
                "widget-problem", address_prefix(request), limit=PROBLEMS_PER_MINUTE, seconds=60
            )
        except RateLimitedError:
            pass  # still answered, but one page cannot fill the log
        else:
            log.warning(
                "widget.blank",
                site_key=body.site_key[:100],
                problem=body.problem[:40],
                page_origin=page,
                explanation=explanation,
            )
        return _json({"explanation": explanation}, headers=cors)


def explain(problem: str, page: str, allowed: tuple[str, ...] | None) -> str:
    """Why a widget does not work, and what to do."""
    if allowed is None:
        return "The site key is not known to the chat server: check data-site in the script tag."
    if problem == "no_frame" and not any(_covers(source, page) for source in allowed):
        return (
            f"This page's origin, {page}, may not show the chat. Allowed: {', '.join(allowed) or 'none'}. "
            f"The operator adds it to CHAT_SITE_ORIGINS of the chat server."
        )
    if problem == "socket":
        return (
            "The WebSocket to the chat server does not open. "
            "A proxy on the way has to pass the Upgrade header on (see docs/operating.md)."
        )
    return (
        "The chat frame did not load: look for a Content-Security-Policy of the page (frame-src), "
        "or a browser extension that blocks it."
    )


def _covers(source: str, origin: str) -> bool:
    """Whether a CSP source of the form scheme://host[:port|:*] covers an origin."""
    source, origin = source.lower(), origin.lower()
    if source.endswith(":*"):
        rest = origin.removeprefix(source[:-2])
        return rest != origin and (rest == "" or (rest.startswith(":") and rest[1:].isdigit()))
    return source == origin


def _json(body: dict[str, object], headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store", **(headers or {})})
