"""Names of keys and channels in Redis (docs/architecture.md).

64 partitions as hash tags: all keys of a chat, the work lists it stands on and its channel share a slot of Redis
Cluster. Everything about queues and agents lives in the one routing slot `{q}`.
"""

from __future__ import annotations

import zlib

PARTITIONS = 64
# What tells a key's slot, each three bytes: those of the partitions in their order, of the routing slot, the secrets.
TAGS = (*(b"p%02d" % number for number in range(PARTITIONS)), b"q}:", b"s}:")
HOME, SECRETS = TAGS[PARTITIONS:]


def partition(ticket: int) -> int:
    """The partition of a chat, 0 … 63."""
    return zlib.crc32(b"%d" % ticket) % PARTITIONS


def tag_of(key: bytes) -> bytes:
    """Which of `TAGS` a key or channel of ours has."""
    return key[6:9]


def key_of_tag(tag: bytes) -> bytes:
    """The beginning of the keys that have it."""
    return b"chat:{%b}:" % tag.rstrip(b"}:")


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


def topic_in(channel: bytes) -> str:
    """The topic of such a channel; of another one, empty."""
    return channel.partition(b"{q}:t:")[2].decode()


def probe_channel(tag: bytes, name: str) -> bytes:
    """What a process sends itself over the shard that has this slot (one of `TAGS`)."""
    return key_of_tag(tag) + b"probe:" + name.encode()


def secret(kind: str, digest: str) -> bytes:
    """A short-lived secret's record: `pass`, `session`, `setup`, `revoked`, `tries`; only its digest is in the name."""
    return f"chat:{{s}}:{kind}:{digest}".encode()


CONTROL = b"chat:{q}:control"  # to every process: digests of sign-ins that have ended
