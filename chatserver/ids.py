"""Identifiers minted by us: UUIDv7 text, random tokens, participants' pseudonyms."""

from __future__ import annotations

import base64
import hashlib
import secrets

from transcripts.ids import new_id

__all__ = ["digest", "new_epoch", "new_id", "new_token", "participant_id"]


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
