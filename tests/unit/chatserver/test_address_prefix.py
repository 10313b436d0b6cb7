from __future__ import annotations

import pytest
from starlette.requests import Request

from chatserver.web.requests import address_prefix


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("testclient", "local"),
    ],
)
def test_limits_on_guessing_count_by_network(address: str, prefix: str) -> None:
    """IPv4 looks like IPv6 on a dual-stack socket: everybody would share one counter."""
    assert address_prefix(Request({"type": "http", "client": (address, 1), "headers": []})) == prefix
