"""Writes the head of the seal chain down elsewhere, so that nobody can sign history anew unnoticed (docs/seal.md)."""

from __future__ import annotations

import asyncio
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.clock import now_ms
from chatserver.worker.leases import Leases
from transcripts.checkpoint import Checkpoint, checkpoint, read_checkpoints
from transcripts.errors import UnreadableError
from transcripts.seal import SealKey

WEBHOOK_SECONDS = 10

log = structlog.get_logger()


class Checkpointer:
    """The worker's loop for checkpoints. Each place is told by itself: one that fails is told the next time."""

    def __init__(
        self, engine: AsyncEngine, key: SealKey, leases: Leases, *, file: Path | None, url: str | None
    ) -> None:
        self._engine, self._key, self._leases = engine, key, leases
        self._places: dict[str, Callable[[Checkpoint], None]] = {}
        self._told: dict[str, int] = {}
        if file:
            self._places["file"] = lambda it: append_checkpoint(file, it)
        if url:
            self._places["webhook"] = lambda it: post_checkpoint(url, it)

    async def run_once(self) -> int:
        """One round, by one worker for all; how many places were told.

        Raises:
            transcripts.errors.StoreUnavailableError: the next round looks again.
        """
        if not self._places or not self._leases.leads:
            return 0
        now = await checkpoint(self._engine, self._key, now_ms())
        return sum([await self._tell(place, now) for place in self._places]) if now else 0

    async def _tell(self, place: str, now: Checkpoint) -> bool:
        if self._told.get(place) == now.number:
            return False
        try:
            await asyncio.to_thread(self._places[place], now)
        except (OSError, UnreadableError) as exc:
            log.warning("checkpoint.failed", place=place, error=str(exc))
            return False
        self._told[place] = now.number
        return True


def append_checkpoint(file: Path, now: Checkpoint) -> None:
    """Adds a line that is on the disk when this returns; nothing, if the file ends with a checkpoint of this segment.

    Raises:
        OSError: it cannot be written.
        UnreadableError: the file is something else.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    with os.fdopen(descriptor, "r+b") as opened:
        body = opened.read()
        written = read_checkpoints(body)
        if written and written[-1].number == now.number:
            return
        torn = len(body) - (body.rfind(b"\n") + 1)
        if torn:  # the power went while a line was being written
            opened.truncate(len(body) - torn)
        opened.write(now.line())
        opened.flush()
        os.fsync(opened.fileno())


def post_checkpoint(url: str, now: Checkpoint) -> None:
    """Hands it to a webhook; any answer but 2xx is none.

    Raises:
        OSError: it did not take it.
    """
    request = urllib.request.Request(url, now.line(), {"Content-Type": "application/json"}, method="POST")
    with _opener.open(request, timeout=WEBHOOK_SECONDS) as response:
        if not 200 <= response.status < 300:
            raise OSError(f"the webhook answered {response.status}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET that says nothing, and look as if it had been taken."""

    def redirect_request(self, *args: object, **options: object) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)
