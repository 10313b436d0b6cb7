"""Identifiers minted by us: UUIDv7 text, random tokens, participants' pseudonyms."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import time


def new_id() -> str:
    """A UUIDv7 as 36 characters of text (RFC 9562 §5.7): sortable by the millisecond it was made, 74 random bits."""
    global _head, _head_ms
    if not _tails:
        _tails.extend(_random_tails())
    ms = time.time_ns() // 1_000_000
    if ms != _head_ms:
        _head_ms, _head = ms, f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7"
    return _head + _tails.pop()


_head, _head_ms = "", 0  # of the identifiers of this millisecond


# Random ends of identifiers, each for one of them: one call of the system for 128 (0.6 instead of 2.1 µs each).
_tails: list[str] = []
os.register_at_fork(after_in_child=_tails.clear)  # a child would give its parent's a second time


def _random_tails() -> list[str]:
    block = os.urandom(128 * 10).hex()
    return [
        f"{block[at : at + 3]}-{'89ab'[int(block[at + 3], 16) & 3]}{block[at + 4 : at + 7]}-{block[at + 7 : at + 19]}"
        for at in range(0, len(block), 20)
    ]


def new_token(prefix: str = "", size: int = 20) -> str:
    """A random secret of `size` bytes (160 bits unless told), URL-safe, with a prefix that says what it is."""
    return prefix + secrets.token_urlsafe(size)


def new_epoch() -> int:
    """A random history number of a chat, 1 … 2³²-1: a rebuilt chat gets another one."""
    return secrets.randbelow(2**32 - 1) + 1


def digest(token: str) -> str:
    """What a store keeps in place of a secret: its SHA-256, 43 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def participant_id(ticket: int, person_id: str) -> str:
    """A person's pseudonym in one chat, 16 characters: the same each time, not linkable from chat to chat.

    `person_id` has 74 random bits that nobody outside sees, so the digest does not need a key.
    """
    return base64.b32encode(hashlib.sha256(f"{ticket}:{person_id}".encode()).digest()[:10]).decode().lower()
