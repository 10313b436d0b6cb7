"""A web process without our WebSocket front: the application under uvicorn as under any ASGI server.

`python -m tests.support.plain_asgi --data FOLDER --port PORT` says that it is ready as `chatserver serve` does. It has
no worker: it belongs beside a server that has one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from pathlib import Path

import uvicorn

from chatserver.app import create_app
from chatserver.config import Settings
from chatserver.keys import Keys
from chatserver.logs import configure
from chatserver.preflight import join_redis
from chatserver.processes import bind
from chatserver.wire.codec import MAX_FRAME_BYTES
from tests.support.server import RunningServer


class PlainAsgi(RunningServer):
    """Such a process, as another node of an installation."""

    program = ("tests.support.plain_asgi",)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = sockets[0].getsockname()[1] if sockets else 0
        print(f"chatserver is ready.\n  Console    http://127.0.0.1:{port}/console", flush=True)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    listener = bind("127.0.0.1", options.port)
    settings = Settings.from_env(os.environ).with_options(data=options.data, port=listener.getsockname()[1])
    configure(as_json=False)
    place = join_redis(settings)
    try:
        app = create_app(settings, Keys.load(settings.data, os.environ), redis_url=place.url)
        config = uvicorn.Config(
            app,
            ws="websockets-sansio",
            ws_max_size=MAX_FRAME_BYTES,
            ws_ping_interval=None,
            ws_per_message_deflate=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
        asyncio.run(_Server(config).serve([listener]))
    finally:
        place.leave()


if __name__ == "__main__":
    main()
