"""How Redis is reached: passwords, ACL users, databases, TLS with an authority of one's own and with certificates of
clients.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chatserver.broker.keys import chat_key
from chatserver.broker.link import Link
from chatserver.errors import ConfigError
from chatserver.preflight import check_redis
from tests.support.client import PATIENCE
from tests.support.link import linked
from tests.support.tls import Authority, tls_in_front_of
from tests.support.valkey import OwnValkey

pytestmark = pytest.mark.anyio

CHANNEL = chat_key(100_009)
# What docs/operating.md asks for.
RIGHTS = ("on", ">s3cret", "~chat:*", "&chat:*", "+@all", "-@admin", "-@dangerous", "+info", "+config|get")


@pytest.fixture(scope="module")
def valkey() -> Iterator[OwnValkey]:
    with OwnValkey() as own, own.redis() as redis:
        redis.execute_command("ACL", "SETUSER", "chat", *RIGHTS)
        redis.execute_command("ACL", "SETUSER", "default", "resetpass", ">wrong-for-all")
        yield own


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="chat-tls-") as folder:
        yield Authority(Path(folder))


@asynccontextmanager
async def listening(url: str, subscribed: asyncio.Queue[bytes]) -> AsyncIterator[tuple[Link, asyncio.Queue[bytes]]]:
    pushed: asyncio.Queue[bytes] = asyncio.Queue()
    async with linked(
        url, on_push=lambda _, payload: pushed.put_nowait(payload), on_subscribed=subscribed.put_nowait
    ) as link:
        yield link, pushed


async def works(url: str) -> None:
    """The checks at the start, commands, scripts and subscriptions."""
    await asyncio.to_thread(check_redis, url)
    subscribed: asyncio.Queue[bytes] = asyncio.Queue()
    async with asyncio.timeout(PATIENCE), listening(url, subscribed) as (link, pushed):
        link.subscribe(CHANNEL)
        assert await subscribed.get() == CHANNEL
        await link.call(b"SPUBLISH", CHANNEL, b"hello")
        assert await pushed.get() == b"hello"
        assert await link.script("page", (chat_key(1, b":m"), chat_key(1, b":x")), ("", 0, "", 1)) == [b"missing"]


async def test_user_of_an_acl(valkey: OwnValkey) -> None:
    await works(f"unix://chat:s3cret@{valkey.socket}")
    await works(f"unix://chat:s3cret@{valkey.socket}?db=3")
    with pytest.raises(ConfigError, match="cannot be used: WRONGPASS") as caught:
        async with linked(f"unix://chat:hunter2@{valkey.socket}"):
            pass
    assert "hunter2" not in caught.value.message


async def test_tls_with_an_authority_of_ones_own(valkey: OwnValkey, authority: Authority) -> None:
    async with tls_in_front_of(valkey.socket, *authority.issue("localhost")) as port:
        await works(f"rediss://chat:s3cret@localhost:{port}?ssl_ca_certs={authority.path}")


async def test_tls_that_is_not_to_be_trusted(valkey: OwnValkey, authority: Authority) -> None:
    """An unknown authority, and the certificate of another host."""
    async with tls_in_front_of(valkey.socket, *authority.issue("localhost")) as port:
        with pytest.raises(ConfigError, match="CERTIFICATE_VERIFY_FAILED"):
            async with linked(f"rediss://chat:s3cret@localhost:{port}"):
                pass
    async with tls_in_front_of(valkey.socket, *authority.issue("elsewhere.example")) as port:
        with pytest.raises(ConfigError, match="localhost"):
            async with linked(f"rediss://chat:s3cret@localhost:{port}?ssl_ca_certs={authority.path}"):
                pass


async def test_tls_that_asks_who_we_are(valkey: OwnValkey, authority: Authority) -> None:
    async with tls_in_front_of(valkey.socket, *authority.issue("localhost"), clients=authority.path) as port:
        url = f"rediss://chat:s3cret@localhost:{port}?ssl_ca_certs={authority.path}"
        certificate, key = authority.issue("client")
        await works(f"{url}&ssl_certfile={certificate}&ssl_keyfile={key}")
        with pytest.raises(ConfigError):
            async with linked(url):
                pass
