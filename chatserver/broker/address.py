"""Where Redis is and how it is greeted."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import Any

from redis.asyncio.connection import SSLConnection, parse_url

from chatserver.broker.cluster import Cluster
from chatserver.broker.places import Place
from chatserver.broker.scripts import ALL, script
from chatserver.broker.sentinel import Sentinels
from chatserver.errors import UnavailableError

_STRICT = ("CONFIG", "GET", "appendfsync")
_REPLICATION = ("INFO", "replication")
_REPLID = re.compile(rb"master_replid:(\w+)")


class Address:
    """Where a server is, from a URL in redis-py's form (redis://, rediss://, unix://) or Sentinels', or at a place
    of its own in a Cluster, and what it has to be.
    """

    def __init__(self, url: str, *, strict: bool = False, place: Place | None = None) -> None:
        self._sentinels, cluster = Sentinels.of(url), Cluster.of(url)
        options: Mapping[str, Any]
        if cluster and place:
            options = {**cluster.options, "host": place.host, "port": place.port}
        else:
            options = self._sentinels.redis if self._sentinels else parse_url(url)
        self._strict = strict
        self.path: str | None = options.get("path")
        self.host: str = options.get("host") or "localhost"
        self.port: int = options.get("port") or 6379
        with_tls = "ssl" in options or issubclass(options.get("connection_class", object), SSLConnection)
        self.tls = _tls(options) if with_tls else None
        self.database: int = options.get("db") or 0
        self.user: str | None = options.get("username")
        self.password: str | None = options.get("password")

    async def find(self) -> tuple[str, int]:
        """Host and port, for a connection that is made now.

        Raises:
            OSError: the Sentinels do not know.
        """
        return await self._sentinels.ask() if self._sentinels else (self.host, self.port)

    def greeting(self) -> list[tuple[bytes | str | int, ...]]:
        """What has to be said first on each connection."""
        commands: list[tuple[bytes | str | int, ...]] = []
        if self.password is not None:
            commands.append(("AUTH", *([self.user] if self.user else []), self.password))
        if self.database:
            commands.append(("SELECT", self.database))
        if self._strict:
            commands.append(_STRICT)  # asked each time: it may have been started again without it
        commands.append(_REPLICATION)
        return commands + [("SCRIPT", "LOAD", script(name).source) for name in ALL]

    def refusal(self, command: tuple[bytes | str | int, ...], reply: Any) -> str | None:
        """Why a part of the greeting was not answered as it has to be."""
        if isinstance(reply, UnavailableError):
            return "the connection was lost"
        if isinstance(reply, Exception):
            return str(reply)
        if command is _STRICT and reply != [b"appendfsync", b"always"]:
            return "CHAT_STRICT needs `appendfsync always`"
        if command is _REPLICATION and b"role:master" not in reply:
            return "it is a replica: its history changes when it is promoted, and we would not be told"
        return None

    @staticmethod
    def replid(command: tuple[bytes | str | int, ...], reply: Any) -> bytes | None:
        """Redis' replication ID, the name of one history of its data, if this is the reply that has it.

        A master has a new one after each start and each promotion, so the same ID means that nothing was lost in
        between: https://redis.io/docs/latest/operate/oss_and_stack/management/replication/ ("Replication ID
        explained").
        """
        found = _REPLID.search(reply) if command is _REPLICATION else None
        return found[1][:16] if found else None

    def __str__(self) -> str:
        return str(self._sentinels) if self._sentinels else self.path or f"{self.host}:{self.port}"


def _tls(options: Mapping[str, Any]) -> ssl.SSLContext:
    """The parameters that redis-py knows too, for it uses the same URL; the server's name is always checked."""
    context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
    if options.get("ssl_certfile"):
        context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"))
    return context
