"""The code that opens a transcript together with its ticket number: 10 characters, 50 bits, not stored
anywhere.

First 50 bits of HMAC-SHA-256(access key, ticket ‖ access_gen) in Crockford's base 32, which has no I, L, O or U: what
people misread is read the same. A new `access_gen` of the chat makes another code.
"""

from __future__ import annotations

import hashlib
import hmac

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISREAD = str.maketrans({"O": "0", "I": "1", "L": "1", "U": "V", " ": None, "-": None, "–": None, "\u00a0": None})
LENGTH = 10


def access_code(key: bytes, ticket: int, access_gen: int) -> str:
    """The code of a chat."""
    mac = hmac.new(key, f"{ticket}:{access_gen}".encode(), hashlib.sha256).digest()
    bits = int.from_bytes(mac[:7], "big") >> 6
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(45, -1, -5))


def as_typed(text: str) -> str:
    """A code as somebody typed it, in the form of `access_code`."""
    return text.upper().translate(_MISREAD)[: 4 * LENGTH]


def matches(key: bytes, ticket: int, access_gen: int, typed: str) -> bool:
    """Whether the code is right, in constant time."""
    return hmac.compare_digest(access_code(key, ticket, access_gen).encode(), as_typed(typed).encode())
