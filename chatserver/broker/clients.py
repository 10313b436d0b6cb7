"""redis-py, for what may wait: checks at the start, and files. At the same addresses as the link."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from chatserver.broker.cluster import Cluster
from chatserver.broker.keys import HOME
from chatserver.broker.places import Place
from chatserver.broker.sentinel import Sentinels


def connect(url: str, **options: Any) -> Redis:
    """To the server that has the routing slot.

    Raises:
        ValueError: no address.
        OSError: nobody of a Cluster knows which it is.
    """
    if cluster := Cluster.of(url):
        return cluster.connect(cluster.ask().primaries[HOME], **options)
    known = Sentinels.of(url)
    if not known:
        return Redis.from_url(url, **options)
    own = {**known.own, "retry": Retry(NoBackoff(), 0)}
    sentinel = Sentinel(known.places, sentinel_kwargs=own)  # type: ignore[no-untyped-call]  # redis-py's have no types
    master: Redis = sentinel.master_for(  # type: ignore[no-untyped-call]
        known.master, retry=Retry(NoBackoff(), 0), **known.redis, **options
    )
    return master


def connect_each(url: str, *, replicas: bool = False, **options: Any) -> dict[Place | None, Redis]:
    """To every server that has something of ours, by its place; without a place when it is the only one. With
    `replicas`, to a Cluster's replicas too.

    Raises:
        ValueError, OSError: as `connect`.
    """
    cluster = Cluster.of(url)
    if not cluster:
        return {None: connect(url, **options)}
    topology = cluster.ask()
    places = [*topology.primaries.values(), *(topology.replicas if replicas else ())]
    return {place: cluster.connect(place, **options) for place in dict.fromkeys(places)}
