"""What the console asks over HTTP: set-up of the first admin, sign-in and out."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chatserver.errors import ForbiddenError, UnauthenticatedError
from chatserver.ids import digest
from chatserver.model.person import Person
from chatserver.stores.directory import NewAgent
from chatserver.web.auth import COOKIE, set_session_cookie, signed_in_agent
from chatserver.web.requests import address_prefix, check_same_origin, read_body
from chatserver.web.services import Services

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=r"^\S+@\S+$")]
# argon2 works on the whole password: an upper limit bounds that work.
Password = Annotated[str, Meta(min_length=1, max_length=1000)]


class SetUp(msgspec.Struct):
    """Body of setup."""

    secret: str
    email: Email
    name: Name
    password: Password


class SignIn(msgspec.Struct):
    """Body of agent-sessions."""

    email: Email
    password: Password


class AgentApi:
    """Handlers of the agents' sign-in."""

    def __init__(self, services: Services, origins: frozenset[str], *, secure: bool) -> None:
        self._services, self._origins, self._secure = services, origins, secure

    def routes(self) -> list[Route]:
        """Paths under /api/v1."""
        return [
            Route("/api/v1/setup", self.setup_needed, methods=["GET"]),
            Route("/api/v1/setup", self.set_up, methods=["POST"]),
            Route("/api/v1/agent-sessions", self.who_am_i, methods=["GET"]),
            Route("/api/v1/agent-sessions", self.sign_in, methods=["POST"]),
            Route("/api/v1/agent-sessions", self.sign_out, methods=["DELETE"]),
        ]

    async def setup_needed(self, request: Request) -> Response:
        """Whether there is no administrator yet."""
        return JSONResponse({"needed": not await self._services.directory.has_admin()}, headers=_NO_STORE)

    async def set_up(self, request: Request) -> Response:
        """Makes the first administrator and signs them in; only with the link's secret, only once."""
        check_same_origin(request, self._origins)
        services, body = self._services, await read_body(request, SetUp)
        await services.secrets.take("setup", address_prefix(request), limit=20, seconds=900)
        if await services.directory.has_admin() or not await services.secrets.is_setup(body.secret):
            raise ForbiddenError("This link is not valid, or no longer. Start the server again for a new one.")
        new = NewAgent(email=body.email, name=body.name, role="admin", password=body.password)
        agent = await services.directory.add_agent(new, first_admin=True)
        await services.secrets.end_setup()
        signed_in = await services.directory.agent(agent.id)
        assert signed_in
        return await self._signed_in(signed_in, status=201)

    async def who_am_i(self, request: Request) -> Response:
        """The agent of the cookie."""
        return JSONResponse(
            {"agent": await self._shown(await signed_in_agent(request, self._services))}, headers=_NO_STORE
        )

    async def sign_in(self, request: Request) -> Response:
        """Email and password for a cookie."""
        check_same_origin(request, self._origins)
        services, body = self._services, await read_body(request, SignIn)
        email, address = body.email.strip().lower(), address_prefix(request)
        await services.secrets.take_sign_in_try(email, address)
        agent = await services.directory.sign_in(email, body.password)
        if agent is None:
            raise UnauthenticatedError("Email or password is not right.")
        await services.secrets.give_back_sign_in_try(email, address)
        return await self._signed_in(agent)

    async def sign_out(self, request: Request) -> Response:
        """Ends the cookie, and with it resume tokens and open sockets."""
        check_same_origin(request, self._origins)
        token = request.cookies.get(COOKIE)
        if token:
            await self._services.secrets.end_session(token)
            self._services.hub.roster.end_session(digest(token))
        response = Response(status_code=204, headers=_NO_STORE)
        response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict", secure=self._secure)
        return response

    async def _signed_in(self, agent: Person, status: int = 200) -> Response:
        response = JSONResponse({"agent": await self._shown(agent)}, status_code=status, headers=_NO_STORE)
        set_session_cookie(response, await self._services.secrets.new_session(agent.id), secure=self._secure)
        return response

    async def _shown(self, agent: Person) -> dict[str, Any]:
        email = await self._services.directory.agent_email(agent.id)
        shown = [{"id": one.id, "name": one.name} for one in agent.departments]
        return {"id": agent.id, "name": agent.name, "email": email, "role": agent.role, "departments": shown}


_NO_STORE = {"Cache-Control": "no-store"}
