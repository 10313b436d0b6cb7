"""`chatserver serve` and `worker`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click
import structlog

from chatserver import __version__
from chatserver.cli.common import data_option, settings_of
from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.ids import new_token
from chatserver.keys import Keys
from chatserver.logs import configure
from chatserver.open_files import raise_limit_or_warn
from chatserver.preflight import RedisPlace, check_installation, join_redis, migrate

SETUP_MINUTES = 15

log = structlog.get_logger()


@click.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1, or CHAT_HOST).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8000, or CHAT_PORT).")
@data_option
@click.option("--workers", type=click.IntRange(1, 256), help="Web processes (default 1, or CHAT_WORKERS).")
@click.option("--no-worker", is_flag=True, help="Run the worker elsewhere: `chatserver worker`.")
def serve(host: str | None, port: int | None, data: Path | None, workers: int | None, no_worker: bool) -> None:
    """Run everything: pages, chats and, unless --no-worker, the worker."""
    from chatserver.processes import STOP_SECONDS, Processes, bind_group, run_worker, serve_web

    settings = settings_of(host=host, port=port, data=data, workers=workers)
    configure(as_json=settings.log_json)
    raise_limit_or_warn()
    settings.check_address()
    listeners = bind_group(settings.host, settings.port, settings.workers)
    settings = settings.with_options(port=listeners[0].getsockname()[1])
    keys = Keys.load(settings.data, os.environ)
    place = join_redis(settings)
    try:
        needs_admin = asyncio.run(migrate(settings, rewrite_site=True))
        check_installation(settings, place.url)
        setup = asyncio.run(_new_setup(place.url)) if needs_admin else None
        processes = Processes(settings.drain_seconds + STOP_SECONDS)
        for number, listener in enumerate(listeners):
            run = partial(serve_web, settings, keys, place.url, listener)
            processes.add(f"web {number + 1}", run, listener=listener)
        if not no_worker:
            token = new_token()  # the next worker begins when the last one is dead, so it need not wait for its leases

            def work(ready: Callable[[], None]) -> None:
                run_worker(settings, keys, place.url, ready, signals=(signal.SIGTERM,), lease_token=token)

            processes.add("worker", work, last=True)
        code = processes.run(on_ready=lambda: _greet(settings, setup), each_second=_keeper(place))
    finally:
        for listener in listeners:
            listener.close()
        place.leave()
    raise SystemExit(code)


@click.command()
@data_option
def worker(data: Path | None) -> None:
    """Run the worker: the log into SQL, seals, search, sweeping up. More than one is harmless."""
    from chatserver.processes import run_worker

    settings = settings_of(data=data)
    configure(as_json=settings.log_json)
    raise_limit_or_warn()
    keys = Keys.load(settings.data, os.environ)
    place = join_redis(settings)
    try:
        asyncio.run(migrate(settings))
        check_installation(settings, place.url)
        run_worker(settings, keys, place.url, lambda: click.echo("worker is ready"))
    finally:
        place.leave()


async def _new_setup(redis_url: str) -> str:
    from chatserver.broker.link import Link
    from chatserver.stores.secrets import Secrets

    link = Link(redis_url, on_push=lambda *_: None, on_subscribed=lambda _: None)
    try:
        await link.start()
        return await Secrets(link).new_setup()
    finally:
        await link.stop()


def _greet(settings: Settings, setup: str | None) -> None:
    public = settings.public_origins[0]
    lines = [f"chatserver {__version__} is ready."]
    if settings.shows_demo:
        # From another origin than the chat server, as on a real site. Where the browser blocks the storage of other
        # sites' frames, the chat keeps nothing there: hence the second address.
        shop = f"{public}/"
        if settings.loopback:
            shop = f"http://localhost:{settings.port}/  (or {public}/, same origin as the chat)"
        lines.append(f"  Demo shop  {shop}")
    lines += [f"  Console    {public}/console", f"  Inbox      {public}/inbox"]
    if setup:
        lines += ["", f"  First sign-in (once, within {SETUP_MINUTES} minutes):", f"  {public}/console#setup={setup}"]
    click.echo("\n".join(lines))


def _keeper(place: RedisPlace) -> Callable[[], None]:
    """Looks once a second whether the embedded Valkey is alive."""
    looked_at = 0.0

    def look() -> None:
        nonlocal looked_at
        if place.embedded and time.monotonic() - looked_at > 1:
            looked_at = time.monotonic()
            try:
                place.embedded.ensure()
            except ConfigError as error:
                log.error("valkey.down", error=error.message)  # the sockets stay; the next look tries again

    return look
