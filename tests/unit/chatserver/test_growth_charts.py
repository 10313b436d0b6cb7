"""The pictures of `make growth` show every figure that was measured, and stand by themselves."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

from bench.growth import chats
from bench.growth.curves import Chart


def row(number: int) -> dict[str, Any]:
    by_process = {"web": 1.5 * number, "redis": 2.0, "worker": 3.0}
    one = {
        "chats": number,
        "nodes_ready_s": 0.9,
        "connects_per_s": 900,
        "connect_cpu_ms": 0.5,
        "p50_ms": 1,
        "p99_ms": 2,
    }
    return one | {"kib_per_connection": 15.5, "idle_cpu_percent": by_process, "cpu_us": dict.fromkeys(by_process, 30.0)}


def test_start_and_idle_are_drawn() -> None:
    drawn = {chart.name: chart for chart in chats.charts([row(100), row(1_000)])}
    assert drawn["chats-start"].lines == {"both": [(100, 0.9), (1_000, 0.9)]}
    assert drawn["chats-idle"].lines["web"] == [(100, 150.0), (1_000, 1_500.0)]
    assert set(drawn["chats-idle"].lines) == {"web", "redis", "worker"}


def test_a_picture_is_a_file_of_its_own_and_text_is_no_markup() -> None:
    chart = Chart("x", "a < b", "c & d", {"<line>": [(1, 1), (10, 3)], "idle, none": [(1, 0)]})
    root = ElementTree.fromstring(chart.file())
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "a < b; over c & d" in words
    assert "<line>" in words
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2


def test_names_of_curves_that_end_together_can_be_read() -> None:
    chart = Chart("x", "x", "x", {name: [(1, 2), (10, 3)] for name in ("a1", "b1", "c1")})
    words = {one.text: one for one in ElementTree.fromstring(chart.file()).iter("{http://www.w3.org/2000/svg}text")}
    heights = sorted(float(words[name].attrib["y"]) for name in ("a1", "b1", "c1"))
    assert all(lower - upper >= 11 for upper, lower in pairwise(heights))
