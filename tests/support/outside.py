"""Coroutines in tests that have no loop, or have one that waits."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def run_outside(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine to its end in a thread of its own, whether a loop runs here or not."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
