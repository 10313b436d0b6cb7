"""A process that stood still itself (SIGSTOP, a paused machine) does not take its subscriptions for deaf."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatserver.hub.probes import Probes
from tests.support.backstage import Valkey
from tests.support.client import PATIENCE
from tests.support.link import linked

pytestmark = pytest.mark.anyio

SECONDS = 0.4


async def test_process_that_stood_still_hears(valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    counters: Counter[str] = Counter()
    probes, back = Probes(counters, seconds=SECONDS), asyncio.Semaphore(0)

    def heard(channel: bytes, payload: bytes) -> None:
        probes.back(channel, payload)
        back.release()

    async with linked(valkey.url, on_push=heard, on_subscribed=lambda channel: probes.subscribed(channel)) as link:
        (shard,) = link.shards
        send, sent = shard.send, 0

        def stand_still_at_the_first(*args: Any) -> None:
            nonlocal sent
            sent += args[0][0] == b"SPUBLISH"
            if sent == 1:
                asyncio.get_running_loop().call_soon(time.sleep, 1.5 * SECONDS)
            send(*args)

        monkeypatch.setattr(shard, "send", stand_still_at_the_first)
        with capture_logs() as logs:
            probes.start(link)
            async with asyncio.timeout(PATIENCE):
                for _ in range(3):
                    await back.acquire()
            probes.stop()
        assert not logs
        assert not counters
