import pytest

from bench.growth import chats, entries, resume, watchers
from bench.growth.curves import Chart, page


def test_a_line_has_a_place_for_each_point_and_its_name():
    svg = Chart("Cost", "chats", {"web": [(100, 70.0), (1_000, 75.0), (10_000, 90.0)], "redis": [(100, 20.0)]}).svg()
    assert svg.count("<circle") == 4
    assert ">web<" in svg
    assert ">10,000<" in svg


def test_what_a_logarithm_has_no_place_for_is_left_out():
    assert Chart("Cost", "chats", {"web": [(100, 0.0), (1_000, 5.0)]}).svg().count("<circle") == 1
    assert Chart("Cost", "chats", {"web": [(100, 0.0)]}).svg() == ""


ROWS = {
    chats: {
        "chats": 100,
        "cpu_us": {"web": 70.0},
        "p50_ms": 1,
        "p99_ms": 2,
        "kib_per_connection": 9,
        "connect_cpu_ms": 1,
    },
    entries: {"entries": 100, "cpu_us": {"web": 70.0}, "p99_ms": 2, "durable_p99_ms": 300, "come_ms": 4},
    resume: {"clients": 500, "cpu_ms": {"web": 1.5, "redis": 0.1}, "seconds": 2.0},
    watchers: {"watchers": 200, "cpu_ms": {"web": 16.0, "redis": 2.0}, "last_knows_p50_ms": 16.0},
}


@pytest.mark.parametrize("part", ROWS, ids=lambda part: part.__name__.rsplit(".", 1)[1])
def test_the_curves_of_a_part_show_what_it_measures(part):
    drawn = page("Growth", part.charts([ROWS[part]]))
    assert drawn.count("<svg") == len(part.charts([ROWS[part]]))
    assert "<circle" in drawn
