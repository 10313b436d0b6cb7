"""What the hub's own tables and Redis hold of a person, for `transcripts.erasure`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.broker.clients import connect_each
from chatserver.broker.log import MissingChat
from chatserver.errors import NotFoundError, UnavailableError
from chatserver.stores.chats import Chats
from chatserver.stores.same_person import taken_with
from chatserver.stores.schema import customers, inbox_items, mail_outbox, preferences
from transcripts import schema as record
from transcripts.database import read
from transcripts.erasure import NOW, RECORD, Look, Rule, Subject
from transcripts.erasure.places import look_into
from transcripts.errors import ErasureError

RULES: tuple[Rule, ...] = (
    Rule(
        customers,
        "id",
        "customer",
        {
            "external_id": None,
            "name": None,
            "email": None,
            "email_verified_at": None,
            "verified": False,
            "erased_at": NOW,
        },
    ),
    Rule(inbox_items, "customer_id", "customer"),
    Rule(preferences, "person_id", "customer"),
    Rule(mail_outbox, "recipient", "email"),
)
"""The hub's rules."""

ALL_RULES = (*RECORD, *RULES)

KEPT = {
    "customers": "id site merged_into created_at",
    # The organisation's own, and the people who work for it.
    "sites": "key name origins jwt_keys theme topics default_department",
    "departments": "id name kind hours",
    "agents": "id email name role password_hash status capacity created_at disabled_at",
    "agent_departments": "agent_id department",
    "canned": "id department shortcut text updated_at",
    "notices": "id category title body created_at",
    "webhooks": "id url events secret created_at disabled_at",
    "api_keys": "id name digest scopes created_at last_used_at revoked_at",
    "audit": "id at actor action subject details",  # ids and numbers, never what somebody said
    "counters": "name value",
}
"""Columns that hold nothing of a customer, by table."""

_TRIES = 100
_PAUSE_SECONDS = 0.05
_REWRITE_SECONDS = 600.0
_WRITING = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")


async def subject_of_customer(engine: AsyncEngine, name: str, *, begun: Sequence[str] = ()) -> Subject:
    """A customer by our id, or `external:ID` by the site's, with all their chats and whoever is the same person.

    Args:
        engine: the database.
        name: the customer.
        begun: ids of who was called so when an erasure of them began that has not ended.

    Raises:
        NotFoundError: there is no such customer.
    """
    given = customers.c.external_id == name.removeprefix("external:") if name.startswith("external:") else None
    async with read(engine) as db:
        found = await db.execute(select(customers.c.id).where(customers.c.id == name if given is None else given))
        ids = {*found.scalars(), *begun}
        if not ids:
            raise NotFoundError(f"There is no customer {name}.")
        people = [one for id_ in sorted(ids) for one in await taken_with(db, id_)]
        rows = await db.execute(select(customers.c.id, customers.c.email).where(customers.c.id.in_(people)))
        emails = {id_: email for id_, email in rows.all()}
        chats = await db.execute(
            select(record.chats.c.ticket, record.chats.c.customer_email)
            .where(record.chats.c.customer_id.in_(emails))
            .order_by(record.chats.c.ticket)
        )
        named = {ticket: email for ticket, email in chats.all()}
    written = {email for email in (*emails.values(), *named.values()) if email}
    return Subject(tickets=tuple(named), customers=tuple(sorted(emails)), emails=tuple(sorted(written)), called=name)


class LiveChats:
    """The chats' keys in Redis, and its files."""

    name = "redis"

    def __init__(self, chats: Chats, url: str) -> None:
        self._chats, self._url = chats, url

    async def settle(self, tickets: Sequence[int]) -> None:
        """The worker has written everything to SQL.

        Raises:
            ErasureError: it has not, for a while.
        """
        for ticket in tickets:
            for _ in range(_TRIES):
                try:
                    live = await self._chats.log.head(ticket)
                except MissingChat:
                    break
                if live.durable >= live.seq:
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                raise ErasureError(f"chat #{ticket} has entries that are not in the database yet: is a worker running?")

    async def erase(self, tickets: Sequence[int]) -> None:
        """Puts what SQL has now in the place of the logs. Whoever looks at such a chat gets it anew.

        Raises:
            ErasureError: somebody is at one of them.
        """
        for ticket in tickets:
            for _ in range(_TRIES):
                if not await self._chats.log.exists(ticket) or await self._chats.reconcile(ticket):
                    break
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                raise ErasureError(f"chat #{ticket} is erased, but busy in Redis: run it again")

    async def scrub(self) -> None:
        """Writes the append-only file anew, and the snapshot if there is one: what was deleted is in them until then.

        Raises:
            UnavailableError: Redis cannot do it.
        """
        await asyncio.to_thread(self._rewrite)

    def _rewrite(self) -> None:
        try:
            for server in self._servers():
                with server as redis, _uncompressed(redis):
                    self._wait(redis)  # one that began earlier holds what was there then
                    redis.bgrewriteaof()
                    self._check(self._wait(redis)["aof_last_bgrewrite_status"])
                    if _has_snapshots(redis):
                        redis.bgsave()
                        self._check(self._wait(redis)["rdb_last_bgsave_status"])
        except (RedisError, OSError) as exc:
            raise UnavailableError(f"Redis does not write its file anew: {exc}") from exc

    def _wait(self, redis: Redis) -> dict[str, Any]:
        """Until Redis writes no file; what it says of them."""
        deadline = time.monotonic() + _REWRITE_SECONDS
        while any((said := redis.info("persistence"))[name] for name in _WRITING):
            if time.monotonic() > deadline:
                raise UnavailableError("Redis has been writing its file anew for ten minutes.")
            time.sleep(_PAUSE_SECONDS)
        return said

    def _check(self, status: str) -> None:
        if status != "ok":
            raise UnavailableError("Redis could not write its file anew: see its log.")

    async def look(self, samples: Collection[bytes]) -> Look:
        """Reads the append-only file, when it is on this machine."""
        return await asyncio.to_thread(self._look, samples)

    def _look(self, samples: Collection[bytes]) -> Look:
        paths: list[Path] = []
        try:
            for server in self._servers():
                with server as redis:
                    found = redis.config_get("dir", "appenddirname", "dbfilename")
                folder = Path(found["dir"])
                files = list((folder / found["appenddirname"]).glob("*"))
                if not files:
                    return Look(self.name, unread="its files are not on this machine")
                paths += [*files, folder / found["dbfilename"]]
        except (RedisError, OSError) as exc:
            return Look(self.name, unread=f"it does not say where its files are: {exc}")
        return look_into(self.name, paths, samples)

    def _servers(self) -> Iterable[Redis]:
        return connect_each(self._url, replicas=True, socket_timeout=30).values()


def _has_snapshots(redis: Redis) -> bool:
    """Whether Redis writes dump.rdb, or somebody has once had it written. Who does not say may have one."""
    try:
        found = {name: str(value) for name, value in redis.config_get("save", "dir", "dbfilename").items()}
    except RedisError:
        return True
    return bool(found["save"]) or Path(found["dir"], found["dbfilename"]).exists()


@contextlib.contextmanager
def _uncompressed(redis: Redis) -> Iterator[None]:
    """While the file is written: what is compressed in it could not be found there."""
    try:
        before = redis.config_get("rdbcompression")["rdbcompression"]
        redis.config_set("rdbcompression", "no")
    except (RedisError, KeyError):
        yield  # it is somebody's who does not let us
        return
    try:
        yield
    finally:
        redis.config_set("rdbcompression", str(before))
