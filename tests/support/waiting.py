"""Waiting for something that is due, and that nobody tells."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.support.client import PATIENCE


async def until(holds: Callable[[], object]) -> None:
    """Waits until this is true, looking often.

    Raises:
        TimeoutError: it did not become true.
    """
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # see above
            await asyncio.sleep(0.002)
