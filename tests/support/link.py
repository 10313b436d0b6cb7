"""A link to Redis of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from chatserver.broker.link import Link


def _nothing(*_: bytes) -> None:
    pass


@asynccontextmanager
async def linked(
    url: str, *, on_push: Callable[..., Any] = _nothing, on_subscribed: Callable[..., Any] = _nothing
) -> AsyncIterator[Link]:
    """One that stands; ended with the block."""
    link = Link(url, on_push=on_push, on_subscribed=on_subscribed)
    await link.start()
    try:
        yield link
    finally:
        await link.stop()
