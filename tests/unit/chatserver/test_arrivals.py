"""How many connections an address has, how fast they come, and whose address it is."""

import random

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from chatserver.model.limits import Rate
from chatserver.web.arrivals import FORGET_SECONDS, Arrivals, Proxies, TooManyError

PROXIES = ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_so_many_and_others_do_not_notice() -> None:
    arrivals = Arrivals(most=3, rate=Rate(100, 1))
    for _ in range(3):
        arrivals.come("a")
    for _ in range(5):
        with pytest.raises(TooManyError, match="Too many"):
            arrivals.come("a")
    arrivals.come("b")
    arrivals.leave("a")
    arrivals.come("a")  # who was refused has not come
    with pytest.raises(TooManyError):
        arrivals.come("a")


def test_an_address_comes_so_fast_however_soon_it_goes() -> None:
    clock = Clock()
    arrivals = Arrivals(most=100, rate=Rate(5, 0.5), clock=clock)
    for _ in range(5):
        arrivals.come("a")
        arrivals.leave("a")
    with pytest.raises(TooManyError, match="too fast") as caught:
        arrivals.come("a")
    assert 2 <= caught.value.retry_after <= 3
    arrivals.come("b")
    clock.now += caught.value.retry_after
    arrivals.come("a")


def test_who_is_gone_is_forgotten_and_who_is_not_is_counted() -> None:
    clock = Clock()
    arrivals = Arrivals(most=2, rate=Rate(2, 1), clock=clock)
    arrivals.come("stays")
    for number in range(1_000):
        arrivals.come(str(number))
        arrivals.leave(str(number))
    assert arrivals.remembered == 1_001
    clock.now += FORGET_SECONDS
    arrivals.come("stays")
    assert arrivals.remembered == 1
    with pytest.raises(TooManyError):
        arrivals.come("stays")


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),  # no proxy of ours: anybody writes such a line
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["6.6.6.6, 203.0.113.9"], "203.0.113.9"),  # the first one is the client's own idea
        ("10.1.2.3", ["6.6.6.6", "203.0.113.9, 192.0.2.7"], "203.0.113.9"),
        ("10.1.2.3", ["203.0.113.9:5533"], "203.0.113.9"),
        ("10.1.2.3", ["[2001:dead::1]:5533"], "2001:dead::/64"),
        ("10.1.2.3", ["10.9.9.9"], "10.9.9.9"),
        ("10.1.2.3", [], "10.1.2.3"),
        ("2001:dead:0:0:1::2", [], "2001:dead::/64"),
        ("::ffff:198.51.100.1", [], "198.51.100.1"),
        ("::ffff:10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["unknown"], "unknown"),
        ("10.1.2.3", ["x" * 9_000], "x" * 64),
        ("", [], ""),
    ],
)
def test_whose_address_counts(peer: str, forwarded: list[str], client: str) -> None:
    assert Proxies(PROXIES).client(peer, forwarded) == client


@pytest.mark.anyio
async def test_it_is_the_address_that_http_counts() -> None:
    """Two readers of one header: whoever they disagree about could be two."""
    rng = random.Random(7)
    seen: list[str] = []

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # ASGI
        seen.append(scope["client"][0])

    http = ProxyHeadersMiddleware(app, list(PROXIES))
    hosts = ["10.1.2.3", "10.9.9.9", "192.0.2.7", "203.0.113.9", "198.51.100.1", "203.0.113.10:99", "[2001:db8::5]"]
    for _ in range(300):
        peer = rng.choice([host for host in hosts if host[-1] != "]" and ":" not in host])
        lines = [", ".join(rng.choices(hosts, k=rng.randint(1, 3))) for _ in range(rng.randint(0, 2))]
        headers = [(b"x-forwarded-for", line.encode()) for line in lines]
        await http({"type": "http", "client": (peer, 1), "headers": headers}, None, None)  # type: ignore[arg-type,typeddict-item]
        assert Proxies(PROXIES).client(peer, lines) == Proxies(()).client(seen.pop(), [])
