"""uvicorn in the test's own loop, at a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from chatserver.web.http_protocol import HttpProtocol
from tests.support.waiting import until


@asynccontextmanager
async def served(app: Any, *, ws: Any = "none", http: Any = HttpProtocol) -> AsyncIterator[int]:
    """The port at which the application is served; `ws` and `http` as uvicorn takes them."""
    config = uvicorn.Config(app, port=0, http=http, ws=ws, lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving
