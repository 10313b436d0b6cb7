"""A Redis or Valkey Cluster: `redis+cluster://user:password@host:port,host:port`, some of its nodes.

Which server has which slot is asked of any node, by redis-py, and is what that node believes at the moment: a server
that no longer has a slot says so itself (MOVED), and then it is asked again. `rediss+cluster://` is TLS to all.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError
from redis.retry import Retry

from chatserver.broker.keys import TAGS, key_of_tag
from chatserver.broker.places import Place, several

PORT = 6379
PATIENCE_SECONDS = 1.0  # for one that does not answer; the next is asked

_SLOTS = {tag: key_slot(key_of_tag(tag)) for tag in TAGS}


class Topology(NamedTuple):
    """Who has what: the primary for each of `TAGS`, and those of these that are replicas' (for their files)."""

    primaries: Mapping[bytes, Place]
    replicas: frozenset[Place]


@dataclass(frozen=True)
class Cluster:
    """Where some of its nodes are, and how all are talked to (redis-py's options)."""

    places: tuple[Place, ...]
    options: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> Cluster | None:
        """What an address says, None if it is of another kind.

        Raises:
            ValueError: it is of this kind and cannot be meant so.
        """
        said = several(url, "cluster", port=PORT)
        if said is None:
            return None
        if said.name or said.options.get("db"):
            raise ValueError("a Cluster is named as redis+cluster://host:port,host:port and has only database 0")
        return cls(said.places, {**said.options, **said.tls})

    def ask(self, known: Iterable[Place] = ()) -> Topology:
        """Who has what now, by whoever answers first: of those named at the start, and those `known` since.

        Raises:
            OSError: nobody answers, or nobody has all.
        """
        places, why = list({*self.places, *known}), "it has no nodes"
        for place in random.sample(places, len(places)):  # one that hangs is not always the first
            try:
                return self.ask_one(place)
            except (RedisError, OSError) as exc:
                why = f"{place}: {exc}"
        raise OSError(why)

    def ask_one(self, place: Place) -> Topology:
        """Who has what by this node.

        Raises:
            OSError, redis.exceptions.RedisError: it does not answer, is of no Cluster, or knows of nobody for a slot.
        """
        with self.connect(place, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS) as node:
            ranges = node.execute_command("CLUSTER SLOTS")
        primaries: dict[bytes, Place] = {}
        replicas: set[Place] = set()
        for first, last, primary, *others in ranges:
            tags = [tag for tag, slot in _SLOTS.items() if first <= slot <= last]
            primaries |= dict.fromkeys(tags, _place(primary, place))
            if tags:
                replicas |= {_place(other, place) for other in others}
        if missing := next((tag for tag in TAGS if tag not in primaries), None):
            raise OSError(f"the Cluster has no server for slot {_SLOTS[missing]}")
        return Topology(primaries, frozenset(replicas))

    def connect(self, place: Place, **options: Any) -> Redis:
        """redis-py, to one node."""
        given: dict[str, Any] = {**self.options, **options, "protocol": 2, "retry": Retry(NoBackoff(), 0)}
        return Redis(host=place.host, port=place.port, **given)

    def __str__(self) -> str:
        return f"Cluster {', '.join(map(str, self.places))}"


def _place(node: list[Any], asked: Place) -> Place:
    """A node as CLUSTER SLOTS names it; one that does not know its own name is where we asked it."""
    host = (node[0] or b"").decode()
    return Place(host if host not in ("", "?") else asked.host, int(node[1]))
