"""A server in the test's own loop, on a unix socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(path: Path, handle: Handle, *, end: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `handle` for each connection; `end` has to end those that are there."""
    server = await asyncio.start_unix_server(handle, str(path))
    try:
        yield
    finally:
        server.close()
        end()
        await server.wait_closed()
