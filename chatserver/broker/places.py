"""Addresses that name several servers: `SCHEME+KIND://user:password@host:port,host:port/NAME?options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import parse_url


class Place(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Several(NamedTuple):
    """What such an address says; the options are redis-py's, those of TLS apart."""

    places: tuple[Place, ...]
    name: str
    options: dict[str, Any]
    tls: Mapping[str, Any]


def several(url: str, kind: str, *, port: int) -> Several | None:
    """Reads one; None if it is of another kind. `port` is for places that name none.

    Raises:
        ValueError: it names no servers.
    """
    scheme, plus, rest = url.partition(f"+{kind}://")
    if not plus:
        return None
    netloc, _, tail = rest.partition("/") if "/" in rest else _at_query(rest)
    who, _, hosts = netloc.rpartition("@")
    name, _, query = tail.partition("?")
    options: dict[str, Any] = dict(parse_url(f"{scheme}://{who}@{kind}?{query}"))
    options.pop("host")
    tls = {name: options.pop(name) for name in list(options) if name.startswith("ssl")}
    if options.pop("connection_class", None):
        tls["ssl"] = True
    return Several(tuple(_place(one, port) for one in hosts.split(",")), unquote(name.rstrip("/")), options, tls)


def _at_query(rest: str) -> tuple[str, str, str]:
    netloc, mark, query = rest.partition("?")
    return netloc, mark, mark + query


def _place(text: str, port: int) -> Place:
    parts = urlsplit(f"//{text.strip()}")
    if not parts.hostname:
        raise ValueError("an address names its servers as host:port,host:port")
    return Place(parts.hostname, parts.port or port)
