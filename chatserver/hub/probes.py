"""Whether pub/sub delivers anything at all: a process sends itself a probe over the connection for pushes, one to each
shard of Redis. A subscription that stands need not be one (redis/redis #12558).
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from typing import Any

import structlog

from chatserver.broker.keys import probe_channel
from chatserver.broker.link import Link
from chatserver.broker.shard import Shard
from chatserver.hub.counters import Counters

PIECES = 4  # of the time: who stands still in one (SIGSTOP, a paused machine) has the others to read what is back

log = structlog.get_logger()


class _Probe:
    """Of one channel."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.hears = False  # the subscription stands
        self.under_way = b""


class Probes:
    """Every `seconds`: that is also the time for one to come back."""

    def __init__(self, counters: Counters, *, seconds: float) -> None:
        self._counters, self._seconds = counters, seconds
        self._name = secrets.token_hex(8)
        self._by_channel: dict[bytes, _Probe] = {}

    def start(self, link: Link) -> None:
        """Begins."""
        self._link = link
        self._follow()
        self._task = asyncio.create_task(self._probe_all(), name="probe")

    def stop(self) -> None:
        """Ends."""
        self._task.cancel()

    def __contains__(self, channel: bytes) -> bool:
        return channel in self._by_channel

    def subscribed(self, channel: bytes) -> None:
        """The channel is subscribed to, again perhaps."""
        probe = self._by_channel[channel]
        probe.hears, probe.under_way = True, b""

    def back(self, channel: bytes, payload: bytes) -> None:
        """A probe has come."""
        probe = self._by_channel[channel]
        if payload == probe.under_way:
            probe.under_way = b""

    async def _probe_all(self) -> None:
        while True:
            for _ in range(PIECES):
                await asyncio.sleep(self._seconds / PIECES)
            self._follow()
            for channel, probe in self._by_channel.items():
                self._look(channel, probe)

    def _follow(self) -> None:
        """One channel for each shard that there is now, in a slot that it has."""
        wanted = {probe_channel(shard.tag, self._name): shard for shard in self._link.shards}
        for channel in list(self._by_channel):
            if self._by_channel[channel].shard is not wanted.get(channel):
                self._link.unsubscribe(channel)
                del self._by_channel[channel]
        for channel, shard in wanted.items():
            if channel not in self._by_channel:
                self._by_channel[channel] = _Probe(shard)
                self._link.subscribe(channel)

    def _look(self, channel: bytes, probe: _Probe) -> None:
        if not probe.shard.ready:
            return
        if probe.under_way:
            self._counters.probes_failed += 1
            log.error("pushes.deaf", address=str(probe.shard.address))
            probe.hears, probe.under_way = False, b""
            probe.shard.renew_pushes()
        elif probe.hears:
            probe.under_way = sent = secrets.token_bytes(8)
            probe.shard.send((b"SPUBLISH", channel, sent), partial(self._answered, probe, sent))

    def _answered(self, probe: _Probe, sent: bytes, reply: Any) -> None:
        # One that Redis has not taken proves nothing. The message itself may have been quicker than this reply.
        if isinstance(reply, Exception) and probe.under_way == sent:
            probe.under_way = b""
