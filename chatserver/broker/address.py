"""Where Redis is and how it is greeted."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import SSLConnection, parse_url

from chatserver.broker.scripts import ALL, script


class Address:
    """Where Redis is, from a URL in redis-py's form (redis://, rediss://, unix://)."""

    def __init__(self, url: str) -> None:
        options = parse_url(url)
        self.path: str | None = options.get("path")
        self.host: str = options.get("host") or "localhost"
        self.port: int = options.get("port") or 6379
        self.tls = _tls(options) if issubclass(options.get("connection_class", object), SSLConnection) else None
        self.database: int = options.get("db") or 0
        self.user: str | None = options.get("username")
        self.password: str | None = options.get("password")

    def greeting(self) -> list[tuple[bytes | str | int, ...]]:
        """What has to be said first on each connection."""
        commands: list[tuple[bytes | str | int, ...]] = []
        if self.password is not None:
            commands.append(("AUTH", *([self.user] if self.user else []), self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        return commands + [("SCRIPT", "LOAD", script(name).source) for name in ALL]

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    """The parameters that redis-py knows too, for it uses the same URL; the server's name is always checked."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
