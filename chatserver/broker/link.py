"""All of Redis, whether it is one server or a Cluster: each command goes to the server that has its key.

Which server that is, is said by the three bytes in a key that tell slots apart (`keys.tag_of`): the 64 partitions,
the routing slot and the secrets. With one server they all lead to it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import structlog

from chatserver import figures
from chatserver.broker.address import Address
from chatserver.broker.asking import Asking, Command
from chatserver.broker.cluster import Cluster
from chatserver.broker.keys import HOME, SECRETS, TAGS, partition, tag_of
from chatserver.broker.places import Place
from chatserver.broker.shard import Shard
from chatserver.broker.wire import Done
from chatserver.errors import ConfigError

# How often a Cluster is asked who has what: seldom, as long as every server answers and has what it is asked for.
SETTLED_SECONDS = 10.0
UNSETTLED_SECONDS = 0.5
LEAST_SECONDS = 0.1

log = structlog.get_logger()


class Link(Asking):
    """The shards of Redis, as one.

    `by_tag` says which shard has what of `keys.TAGS`. `on_push` and `on_subscribed` are those of `Shard`. With
    `strict`, no connection is used to a Redis that may answer before its fsync.
    """

    def __init__(
        self,
        url: str,
        *,
        on_push: Callable[[bytes, bytes], None],
        on_subscribed: Callable[[bytes], None],
        strict: bool = False,
    ) -> None:
        self._cluster = Cluster.of(url)
        self._doubt = asyncio.Event()
        self._address = partial(Address, url, strict=strict)
        self._shard_at = partial(Shard, on_push=on_push, on_subscribed=on_subscribed, on_doubt=self._doubt.set)
        self._places: dict[Place, Shard] = {}
        self.by_tag = {} if self._cluster else dict.fromkeys(TAGS, self._shard_at(self._address()))
        self._follower: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects.

        Raises:
            ConfigError: Redis cannot be reached or refuses us; of a Cluster, all that we need of it.
        """
        if self._cluster:
            await self._find(self._cluster)
        tried = await asyncio.gather(*(shard.start() for shard in self.shards), return_exceptions=True)
        failed = [error for error in tried if error]
        if failed and len(failed) == len(tried):
            raise failed[0]
        for shard, error in zip(self.shards, tried, strict=True):
            if error:
                log.warning("redis.not_yet", address=str(shard.address), why=str(error))
                shard.begin()
        if self._cluster:
            self._follower = asyncio.create_task(self._follow(self._cluster), name="redis cluster")

    async def stop(self) -> None:
        """Closes all connections; commands on the way are answered `UnavailableError`."""
        if self._follower:
            self._follower.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._follower
        for shard in self.shards:
            await shard.stop()

    @property
    def shards(self) -> list[Shard]:
        """Each once."""
        return list(dict.fromkeys(self.by_tag.values()))

    @property
    def ready(self) -> bool:
        """Whether what nobody can come in without answers: the routing slot and the secrets."""
        return self.by_tag[HOME].ready and self.by_tag[SECRETS].ready

    def shard(self, key: bytes) -> Shard:
        """The one that has this key or channel."""
        return self.by_tag[tag_of(key)]

    def shard_of(self, ticket: int) -> Shard:
        """The one that has this chat."""
        return self.by_tag[TAGS[partition(ticket)]]

    def by_shard(self, partitions: Iterable[int]) -> dict[Shard, list[int]]:
        """Which shard has which of these."""
        found: dict[Shard, list[int]] = {}
        for number in partitions:
            found.setdefault(self.by_tag[TAGS[number]], []).append(number)
        return found

    def send(self, args: Command, done: Done | None = None) -> None:
        self.by_tag.get(_tag_in(args), self.by_tag[HOME]).send(args, done)

    def run(self, name: str, keys: Sequence[bytes], args: Command, done: Done) -> None:
        self.by_tag[tag_of(keys[0])].run(name, keys, args, done)

    def subscribe(self, channel: bytes) -> None:
        """From the next `on_subscribed(channel)` on, messages of the channel arrive."""
        self.shard(channel).subscribe(channel)

    def unsubscribe(self, channel: bytes) -> None:
        """Ends a subscription."""
        self.shard(channel).unsubscribe(channel)

    def samples(self) -> Iterator[figures.Sample]:
        """What an operator may want to know of it."""
        for shard in self.shards:
            server = str(shard.address)
            yield figures.REDIS_WAITING(shard.waiting, server)
            yield figures.BREAKER_OPEN(int(not shard.answers), server)

    # -- a Cluster

    async def _find(self, cluster: Cluster) -> None:
        try:
            topology = await asyncio.to_thread(cluster.ask)
        except OSError as exc:
            raise ConfigError(f"Redis at {cluster} cannot be used: {exc}") from exc
        for tag, place in topology.primaries.items():
            self.by_tag[tag] = self._at(place)
        self._name_tags()

    def _at(self, place: Place) -> Shard:
        if place not in self._places:
            self._places[place] = self._shard_at(self._address(place=place))
        return self._places[place]

    async def _follow(self, cluster: Cluster) -> None:
        """Asks again when something is in doubt, and until all is well."""
        while True:
            settled = all(shard.ready for shard in self.shards)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SETTLED_SECONDS if settled else UNSETTLED_SECONDS):
                    await self._doubt.wait()
            self._doubt.clear()
            try:
                topology = await asyncio.to_thread(cluster.ask, list(self._places))
            except OSError as exc:
                log.warning("redis.cluster_unknown", why=str(exc))
            else:
                await self._lay_out(topology.primaries)
            await asyncio.sleep(LEAST_SECONDS)  # what is refused a thousand times is asked about once

    async def _lay_out(self, primaries: Mapping[bytes, Place]) -> None:
        """From now on, everything goes where it belongs by this."""
        before = dict(self.by_tag)
        new = {place: self._at(place) for place in primaries.values() if place not in self._places}
        for shard in new.values():
            shard.begin()
        self.by_tag |= {tag: self._at(place) for tag, place in primaries.items()}
        moved = {tag for tag, shard in self.by_tag.items() if before[tag] is not shard}
        for old in {before[tag] for tag in moved}:
            for channel in old.channels:
                if tag_of(channel) in moved:
                    old.unsubscribe(channel)
                    self.subscribe(channel)
        self._name_tags()
        for shard in self.shards:
            shard.subscribe_again()
        for place, shard in list(self._places.items()):
            if shard not in self.by_tag.values():
                del self._places[place]
                await shard.stop()
        if moved:
            log.info("redis.moved", slots=len(moved), servers=[str(place) for place in self._places])

    def _name_tags(self) -> None:
        for tag in (*reversed(TAGS), HOME):
            self.by_tag[tag].tag = tag


def _tag_in(args: Command) -> bytes:
    """That of a command's key. One without a key (PING, TIME) is for the shard of the routing slot."""
    place = 3 if args[0] == b"EVAL" else 1
    key = args[place] if len(args) > place else HOME
    return tag_of(key) if isinstance(key, bytes) else HOME
