"""Ids of our own making: UUIDv7 (RFC 9562 §5.7), so that they sort by when they were made."""

import os
import time
import uuid


def new_id() -> str:
    """A new id as text."""
    now = time.time_ns() // 1_000_000
    value = (now & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
