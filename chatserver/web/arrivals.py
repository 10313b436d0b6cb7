"""Who may come: how many WebSockets one client address has in this process, and how fast it opens them.

Counted before anything else is done for a handshake, and apart from every other address: who opens thousands gets 429,
and the rest of the world does not notice.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from math import ceil

import structlog

from chatserver.model.limits import Meter, Rate

FORGET_SECONDS = 10.0
TELL_SECONDS = 10.0
FULL_RETRY_SECONDS = 10

log = structlog.get_logger()


class TooManyError(Exception):
    """Not from this address now; `retry_after` in seconds."""

    def __init__(self, why: str, retry_after: int) -> None:
        super().__init__(why)
        self.why, self.retry_after = why, retry_after


class Arrivals:
    """Counts by client address; of IPv6 by /64, for a line usually has a whole one."""

    def __init__(self, *, most: int, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._rate, self._clock = most, rate, clock
        self._known: dict[str, _Address] = {}
        self._forget_at = self._tell_at = 0.0

    def come(self, address: str) -> None:
        """One more, until `leave`.

        Raises:
            TooManyError: the address has as many as it may, or was too fast. It has not come.
        """
        now = self._clock()
        if now >= self._forget_at:
            self._forget(now)
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = _Address(self._rate)
        if known.count >= self._most:
            self._tell(now, address, connections=known.count)
            raise TooManyError("Too many connections from this address.", FULL_RETRY_SECONDS)
        if wait_ms := known.meter.take(now):
            self._tell(now, address, connections=known.count)
            raise TooManyError("New connections from this address come too fast.", ceil(wait_ms / 1000))
        known.count += 1

    def leave(self, address: str) -> None:
        """One that had come is gone."""
        self._known[address].count -= 1

    @property
    def remembered(self) -> int:
        """How many addresses."""
        return len(self._known)

    def _forget(self, now: float) -> None:
        self._known = {name: one for name, one in self._known.items() if one.count or not one.meter.rested(now)}
        self._forget_at = now + FORGET_SECONDS

    def _tell(self, now: float, address: str, *, connections: int) -> None:
        if now >= self._tell_at:  # who floods us does not flood the log
            self._tell_at = now + TELL_SECONDS
            log.warning("socket.address_refused", address=address, connections=connections)


class _Address:
    __slots__ = ("count", "meter")

    def __init__(self, rate: Rate) -> None:
        self.count, self.meter = 0, Meter(rate)


class Proxies:
    """The proxies whose X-Forwarded-For counts."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The client's address as it is counted. Every proxy adds the one it sees at the end, so the last that is no
        proxy of ours is the client; what stands before it anybody may have written.
        """
        address = peer
        if self._trusts(peer):
            for host in reversed([part.strip() for line in forwarded for part in line.split(",")]):
                address = _without_port(host)
                if not self._trusts(address):
                    break
        parsed = _parsed(address)
        if parsed is None:
            return address[:64]
        return str(ipaddress.ip_network((parsed, 64), strict=False) if parsed.version == 6 else parsed)

    def _trusts(self, host: str) -> bool:
        address = _parsed(host) if self._networks else None
        return address is not None and any(address in network for network in self._networks)


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped  # a dual-stack socket shows IPv4 like this
    return address


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0] if host.count(":") == 1 else host
