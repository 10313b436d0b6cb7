"""Who sends a request: an agent by cookie, a customer by token."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from chatserver.errors import UnauthenticatedError
from chatserver.ids import digest
from chatserver.model.person import Person
from chatserver.stores.secrets import SESSION_SECONDS, PassHolder
from chatserver.web.requests import bearer
from chatserver.web.services import Services

COOKIE = "chat_session"
CUSTOMER_SECONDS = 365 * 86_400
INBOX_SECONDS = 12 * 3600


async def signed_in_agent(request: Request, services: Services) -> Person:
    """The agent of the cookie.

    Raises:
        UnauthenticatedError: nobody, or no longer.
    """
    token = request.cookies.get(COOKIE)
    agent_id = await services.secrets.session(token) if token else None
    agent = await services.directory.agent(agent_id) if agent_id else None
    if agent is None or token is None:
        raise UnauthenticatedError
    return Person(agent.id, agent.role, agent.name, agent.departments, digest(token))


def set_session_cookie(response: Response, token: str, *, secure: bool) -> None:
    """Only this server's pages send it, and scripts cannot read it."""
    response.set_cookie(
        COOKIE, token, max_age=SESSION_SECONDS, path="/", httponly=True, samesite="strict", secure=secure
    )


async def customer_of_token(token: str | None, services: Services) -> dict[str, str] | None:
    """The fields of a customer token that still counts: sub, jti, site."""
    fields = services.signer.check("customer", token)
    if fields is None or await services.secrets.is_revoked(fields["jti"], fields["sub"]):
        return None
    return fields


async def own_customer(request: Request, services: Services) -> dict[str, str]:
    """The customer whose own chats are asked for, by the token of the panel or of the inbox: sub, jti, site.

    Raises:
        UnauthenticatedError: nobody, or no longer.
    """
    fields = next(filter(None, (services.signer.check(kind, bearer(request)) for kind in ("customer", "inbox"))), None)
    if fields is None or await services.secrets.is_revoked(fields["jti"], fields["sub"]):
        raise UnauthenticatedError
    return fields


async def pass_holder(request: Request, services: Services) -> PassHolder:
    """For whom a new pass would be: the customer of the bearer token, else the agent of the cookie.

    Raises:
        UnauthenticatedError: neither.
    """
    token = bearer(request)
    if token:
        customer = await customer_of_token(token, services)
        if customer is None:
            raise UnauthenticatedError
        return PassHolder(customer["sub"], "customer", customer["jti"], customer["site"])
    agent = await signed_in_agent(request, services)
    return PassHolder(agent.id, "staff", agent.session)
