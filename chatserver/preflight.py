"""What has to be right before anything starts: the data folder, Redis and its durability, the tables, the
installation's identity.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import structlog
from redis import Redis
from redis.exceptions import RedisError

from chatserver.broker.clients import connect, connect_each
from chatserver.broker.keys import routing
from chatserver.broker.places import Place
from chatserver.config import Settings
from chatserver.embedded import EmbeddedValkey
from chatserver.errors import ConfigError
from chatserver.ids import new_id
from chatserver.stores.directory import Directory
from chatserver.stores.migrate import upgrade as upgrade_hub
from transcripts.database import open_database
from transcripts.errors import TranscriptError
from transcripts.migrate import upgrade as upgrade_transcripts

OLDEST_REDIS = 7
MIGRATION_MS = 3_600_000  # a statement that changes a large table takes its time

log = structlog.get_logger()


@dataclass
class RedisPlace:
    """The Redis of an installation: the operator's, or our own, which is left at the end."""

    url: str
    embedded: EmbeddedValkey | None = None

    def leave(self) -> None:
        """No longer needed by this process."""
        if self.embedded:
            self.embedded.leave()


def join_redis(settings: Settings) -> RedisPlace:
    """Finds the operator's Redis, or starts (or joins) the embedded one.

    Raises:
        ConfigError: it cannot be reached, is too old, or would lose what it has acknowledged.
    """
    if settings.redis_url:
        check_redis(settings.redis_url, strict=settings.strict)
        return RedisPlace(settings.redis_url)
    embedded = EmbeddedValkey(settings.data, strict=settings.strict)
    embedded.join()
    return RedisPlace(embedded.url, embedded)


def check_redis(url: str, *, strict: bool = False) -> None:
    """Version, `noeviction` and AOF, when strict also its fsync: without them acknowledged entries could vanish. Of a
    Cluster, of every primary that answers: the chats of the others need not wait for one that is away.

    Raises:
        ConfigError: names what to change.
    """
    try:
        servers = connect_each(url, socket_connect_timeout=3, socket_timeout=5)
    except (RedisError, OSError, ValueError) as exc:
        raise ConfigError(f"Redis (CHAT_REDIS_URL) cannot be reached: {exc}") from exc
    missed: dict[Place | None, str] = {}
    for place, redis in servers.items():
        with redis:
            try:
                info = redis.info()
            except (RedisError, OSError) as exc:
                missed[place] = str(exc)
                continue
            name = f"Redis at {place}" if place else "Redis"
            _check_server(name, redis, info, strict=strict, in_cluster=place is not None)
    if len(missed) == len(servers):
        raise ConfigError(f"Redis (CHAT_REDIS_URL) cannot be reached: {', '.join(missed.values())}")
    for place, why in missed.items():
        log.warning("redis.not_checked", address=str(place), why=why)


def _check_server(name: str, redis: Redis, info: dict[str, Any], *, strict: bool, in_cluster: bool) -> None:
    version = str(info.get("valkey_version") or info.get("redis_version", "0"))
    if int(version.split(".")[0]) < OLDEST_REDIS:
        raise ConfigError(f"{name} is too old, {version}: version {OLDEST_REDIS}.0 or newer is needed, or Valkey")
    if info.get("maxmemory_policy") != "noeviction":
        raise ConfigError(f"{name} may throw keys away: set `maxmemory-policy noeviction`")
    if not info.get("aof_enabled"):
        raise ConfigError(f"{name} keeps nothing over a restart: set `appendonly yes`")
    if strict:
        _check_strict(name, redis)
    if bool(info.get("cluster_enabled")) is not in_cluster:
        raise ConfigError(f"{name} is a part of a Cluster: write CHAT_REDIS_URL=redis+cluster://host:port,host:port")
    if in_cluster:
        _warn_of_full_coverage(name, redis)


def _warn_of_full_coverage(name: str, redis: Redis) -> None:
    with contextlib.suppress(RedisError):  # who may not ask, is not told
        if redis.config_get("cluster-require-full-coverage").get("cluster-require-full-coverage") == "yes":
            log.warning("redis.full_coverage", address=name, why="one shard that is down stops the chats of all")


def _check_strict(name: str, redis: Redis) -> None:
    """Whether every answer waits for the disk. INFO does not say it; who forbids CONFIG GET cannot be believed."""
    needed = {"appendfsync": "always", "no-appendfsync-on-rewrite": "no"}
    try:
        found = redis.config_get(*needed)
    except RedisError as exc:
        raise ConfigError(
            "CHAT_STRICT cannot be checked: let the user of CHAT_REDIS_URL run CONFIG GET (ACL `+config|get`)"
        ) from exc
    for option, value in needed.items():
        if found.get(option) != value:
            raise ConfigError(f"CHAT_STRICT acknowledges what is on the disk: set `{option} {value}` in {name}")


async def migrate(settings: Settings, *, rewrite_site: bool = False) -> bool:
    """Brings all tables up to date; whether an administrator is missing.

    Args:
        settings: where the database is, and what a new one says of its site.
        rewrite_site: the site that is there gets the settings' name and origins too. For `serve` only.

    Raises:
        ConfigError: the database cannot be used; one plain line.
    """
    try:
        if not settings.database_url:
            settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = open_database(settings.database, statement_ms=MIGRATION_MS)
        try:
            await upgrade_transcripts(engine)
            await upgrade_hub(
                engine,
                site_name=settings.site_name,
                site_origins=settings.embedding_origins,
                rewrite_site=rewrite_site,
            )
            return not await Directory(engine).has_admin()
        finally:
            await engine.dispose()
    except TranscriptError as exc:
        raise ConfigError(str(exc)) from exc
    except OSError as exc:
        raise ConfigError(f"the data folder {settings.data} cannot be used: {exc.strerror}") from exc


def check_installation(settings: Settings, redis_url: str) -> None:
    """With SQLite all processes have to share one data folder: its id is compared with the one that Redis has seen.

    Raises:
        ConfigError: this Redis belongs to another folder.
    """
    if not settings.database.startswith("sqlite"):
        return
    path = settings.data / "installation"
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(new_id() + "\n")
        mine = path.read_text().strip()
    except OSError as exc:
        raise ConfigError(f"the data folder {settings.data} cannot be used: {exc.strerror}") from exc
    try:
        with connect(redis_url, socket_timeout=5) as redis:
            known = redis.set(routing("installation"), mine, nx=True, get=True)
    except (RedisError, OSError) as exc:
        raise ConfigError(f"Redis cannot be used: {exc}") from exc
    if known and known.decode() != mine:
        raise ConfigError(
            f"this Redis belongs to the SQLite database of another data folder, not to {settings.data}: "
            "several machines need one PostgreSQL (CHAT_DATABASE_URL)"
        )
