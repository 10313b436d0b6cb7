"""Merkle tree hashes as RFC 6962 §2.1 defines them, over SHA-256."""

from collections.abc import Iterable
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of no leaves."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data): the prefix keeps a leaf from passing as a node."""
    return sha256(b"\x00" + data).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes, in their order. `EMPTY` without any."""
    # A stack of complete subtrees with falling sizes, like the bits of the number of leaves.
    subtrees: list[tuple[int, bytes]] = []
    for leaf in leaves:
        size, node = 1, leaf
        while subtrees and subtrees[-1][0] == size:
            node = _node(subtrees.pop()[1], node)
            size *= 2
        subtrees.append((size, node))
    if not subtrees:
        return EMPTY
    _, top = subtrees.pop()
    while subtrees:
        top = _node(subtrees.pop()[1], top)
    return top


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
