"""Reading a request: typed body, address prefix, and where it may come from."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TypeVar

import msgspec
from starlette.requests import Request

from chatserver.errors import ForbiddenError, InvalidCommandError, TooSlowError

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 20.0  # for all of it: an end between two pieces would let a letter a minute go on for ever

Body = TypeVar("Body")


async def read_body(request: Request, kind: type[Body]) -> Body:
    """The JSON body as a struct.

    Raises:
        InvalidCommandError: not JSON, too long, or a field is missing or of the wrong type.
        TooSlowError: it has not come in BODY_SECONDS.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise InvalidCommandError("Send JSON, with Content-Type: application/json.")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            body = await _whole_body(request)
    except TimeoutError as exc:
        raise TooSlowError from exc
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except msgspec.ValidationError as exc:
        raise InvalidCommandError(str(exc)) from exc
    except (msgspec.DecodeError, UnicodeError, RecursionError) as exc:
        raise InvalidCommandError("The body is not JSON.") from exc


async def _whole_body(request: Request) -> bytes:
    size, chunks = 0, []
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise InvalidCommandError("The body is too long.")
        chunks.append(chunk)
    return b"".join(chunks)


def check_same_origin(request: Request, origins: frozenset[str]) -> None:
    """Unsafe requests come from our own pages, or from no browser at all.

    Raises:
        ForbiddenError: another site sent it (CSRF, or DNS rebinding: the Host would be theirs, the Origin gives
            it away).
    """
    origin = request.headers.get("origin")
    if origin is not None:
        if origin.lower() not in origins:
            raise ForbiddenError("This request came from another site.")
    elif request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise ForbiddenError("This request came from another site.")


def address_prefix(request: Request) -> str:
    """The network somebody is in, for limits on guessing: /24, or /48 of IPv6, since one line usually has a whole
    one.
    """
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "local"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped  # a dual-stack socket shows IPv4 like this
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 48), strict=False))


def bearer(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
