"""Names of keys and channels in Redis (docs/architecture.md).

64 partitions as hash tags: all keys of a chat, the work lists it stands on and its channel share a slot of Redis
Cluster. Everything about queues and agents lives in the one routing slot `{q}`.
"""

from __future__ import annotations

import zlib

PARTITIONS = 64


def partition(ticket: int) -> int:
    """The partition of a chat, 0 … 63."""
    return zlib.crc32(b"%d" % ticket) % PARTITIONS


def chat_key(ticket: int, suffix: bytes = b"") -> bytes:
    """`…:m` is the chat's meta hash, `…:x` its stream; without a suffix it is the channel."""
    return b"chat:{p%02d}:%d%b" % (partition(ticket), ticket, suffix)


def work_list(name: bytes, number: int) -> bytes:
    """A partition's sorted set of tickets: `dirty` (not in SQL yet), `fin` (to be finalised), `todo` (not in the
    queue yet).
    """
    return b"chat:{p%02d}:%b" % (number, name)


def ticket_work_list(name: bytes, ticket: int) -> bytes:
    """The work list on which this chat stands."""
    return work_list(name, partition(ticket))


def open_key(customer_id: str, key: str) -> bytes:
    """Where an `open_chat` with this chat_key finds its ticket again."""
    name = f"{customer_id}:{key}".encode()
    return b"chat:{p%02d}:open:%b" % (zlib.crc32(name) % PARTITIONS, name)


def rebase_lock(ticket: int) -> bytes:
    """Held by the one process that rebuilds this chat from SQL."""
    return chat_key(ticket, b":rebase")


def routing(name: str) -> bytes:
    """A key in the routing slot."""
    return f"chat:{{q}}:{name}".encode()


def topic_channel(topic: str) -> bytes:
    """The channel of a versioned topic (`department:…`, `agent:…`)."""
    return f"chat:{{q}}:t:{topic}".encode()


def secret(kind: str, digest: str) -> str:
    """A short-lived secret's record: `pass`, `session`, `setup`, `revoked`, `tries`; only its digest is in the name."""
    return f"chat:{{s}}:{kind}:{digest}"


CONTROL = b"chat:{q}:control"  # to every process: digests of sign-ins that have ended
