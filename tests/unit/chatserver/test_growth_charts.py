"""The pictures of `make growth` show every figure that was measured, and stand by themselves."""

from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.growth import chats, entries, resume, watchers
from bench.growth.curves import Chart, page


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


ROWS = {
    chats: row(100),
    entries: {"entries": 100, "cpu_us": {"web": 70.0}, "p99_ms": 2, "durable_p99_ms": 300, "come_ms": 4},
    resume: {"clients": 500, "cpu_ms": {"web": 1.5, "redis": 0.1}, "seconds": 2.0},
    watchers: {"watchers": 200, "cpu_ms": {"web": 16.0, "redis": 2.0}, "last_knows_p50_ms": 16.0},
}


@pytest.mark.parametrize("part", ROWS, ids=lambda part: part.__name__.rsplit(".", 1)[1])
def test_the_page_of_a_part_shows_what_it_measures(part: Any) -> None:
    charts = part.charts([ROWS[part]])
    drawn = page("Growth", charts)
    assert drawn.count("<svg") == len(charts)
    assert drawn.count("<circle") == sum(len(chart.lines) for chart in charts)


def test_a_line_has_a_place_for_each_point() -> None:
    lines = {"web": [(100, 70.0), (1_000, 75.0), (10_000, 90.0)], "redis": [(100, 20.0)]}
    assert Chart("x", "Cost", "chats", lines).svg().count("<circle") == 4
    assert ">10,000<" in Chart("x", "Cost", "chats", lines).svg()


def test_what_a_logarithm_has_no_place_for_is_left_out() -> None:
    assert Chart("x", "Cost", "chats", {"web": [(100, 0.0), (1_000, 5.0)]}).svg().count("<circle") == 1
    assert "<circle" not in Chart("x", "Cost", "chats", {"web": [(100, 0.0)]}).svg()


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
