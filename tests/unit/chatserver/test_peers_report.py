"""What the peers harness has written, as tables and a picture: medians, and ratios within a round."""

from typing import Any
from xml.etree import ElementTree

from bench.peers_report import _by_target, _closed, _idle, _open, picture


def closed(target: str, number: int, redis: float, *processes: float) -> dict[str, Any]:
    return {
        "target": target,
        "mode": "closed",
        "round": number,
        "rate": 10_000 + number,
        "proc_ms_k": list(processes),
        "redis_ms_k": redis,
    }


ROUNDS = [
    closed("product", 0, 20, 0.5, 14.5, 0.5, 14.5, 16),  # the last process writes to SQL
    closed("node-ws-durable", 0, 10, 20, 20),
    closed("product", 1, 30, 0, 20, 0, 20, 17),  # a bad moment, for both
    closed("node-ws-durable", 1, 20, 35, 15),
    closed("product", 2, 20, 0, 15, 0, 15, 18),
    closed("node-ws-durable", 2, 10, 30, 10),
]


def test_the_share_of_what_writes_to_sql_stands_beside_and_ratios_are_of_one_round() -> None:
    _, _, product, node = _closed(_by_target(ROUNDS)).splitlines()
    assert product.split(" | ")[1:6] == ["30.0", "20.0", "**50.0**, 50.0 to 70.0", "1.00, 1.00 to 1.00", "17.0"]
    assert node.split(" | ")[1:6] == ["40.0", "10.0", "**50.0**, 50.0 to 70.0", "1.00, 1.00 to 1.00", "–"]


def test_latency_and_idle_connections_have_their_tables() -> None:
    late = closed("product", 0, 40, 0, 60, 0, 60, 50) | {"mode": "open", "p50": 0.5, "p99": 4.0}
    assert _open({"product": [late]}).splitlines()[-1] == "| product | 0.50 | 4.0, 4.0 to 4.0 | 160 |"
    step = {"open": 2000, "rss_kib_conn": 10.5, "connects_s": 900, "connect_cpu_ms": 1.1, "idle_cpu_pct": 0.4}
    assert _idle({"product": [{"steps": [step]}]}).splitlines()[-1] == "| product | 2,000 | 10.5 | 900 | 1.10 | 0.4 |"


def test_the_picture_has_a_bar_for_each_and_stands_by_itself() -> None:
    drawn = ElementTree.fromstring(
        picture({"100 chats & more": _by_target(ROUNDS), "idle": {"product": [{"mode": "idle"}]}})
    )
    texts = [one.text for one in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "100 chats & more, CPU µs a message" in texts
    assert not any("idle" in str(one) for one in texts)
    assert {"product", "node-ws-durable", "67", "50"} <= set(texts)
