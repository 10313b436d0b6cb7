"""What the processes of an installation say of themselves, for each other: small values in Redis that end by
themselves, so that whichever is asked can answer for all.
"""

from __future__ import annotations

import msgspec

from chatserver.broker.keys import routing
from chatserver.broker.link import Link
from chatserver.figures import Report

REPORT_MS = 20_000  # a process that has said nothing for so long is gone, or hangs

# KEYS names, report   ARGV name ms report. Also when Redis is full: that is when somebody looks, and each process has
# one value, which replaces the one before.
_PUT = b"""#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
_NAMES = routing("reports")


class Reports:
    """The newest report of each process.

    Raises (all methods):
        UnavailableError: Redis does not answer.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    async def put(self, report: Report) -> None:
        """Replaces this process' report."""
        name = _name_of(report.node, report.process)
        await self._link.call(b"EVAL", _PUT, 2, _NAMES, _key(name), name, REPORT_MS, msgspec.msgpack.encode(report))

    async def withdraw(self, node: str, process: str) -> None:
        """It ends in order."""
        name = _name_of(node, process)
        await self._link.calls([(b"DEL", _key(name)), (b"ZREM", _NAMES, name)])

    async def others(self, node: str, process: str) -> list[Report]:
        """Those of all processes but this one, in the order of their names. What another version has written in a form
        of its own is left out.
        """
        own = _name_of(node, process)
        names = sorted(name for name in await self._link.call(b"ZRANGE", _NAMES, 0, -1) if name != own)
        found = await self._link.call(b"MGET", *(_key(name) for name in names)) if names else []
        return [report for packed in found if packed and (report := _read(packed))]


def _name_of(node: str, process: str) -> bytes:
    return f"{node}:{process}".encode()


def _key(name: bytes) -> bytes:
    return routing("report") + b":" + name


def _read(packed: bytes) -> Report | None:
    try:
        return msgspec.msgpack.decode(packed, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
