"""Curves as plain SVG in one HTML page: both axes logarithmic, so a cost that stays the same is level and one that
grows with its work is a slope of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, inf, log10

WIDTH, HEIGHT, LEFT, BELOW, LINE_HEIGHT = 760, 260, 60, 30, 12
COLOURS = ["#2563a8", "#3c8a4e", "#b0661e", "#8a3c7e", "#5a6675"]

Points = Sequence[tuple[float, float]]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2rem auto; padding: 0 1rem; color: #1c2430 }
h1 { font-size: 1.4rem } h2 { font-size: 1.05rem; margin: 2rem 0 0 } svg text { font: 11px system-ui; fill: #5a6675 }
"""


@dataclass(frozen=True)
class Chart:
    """One picture: what over what, a line each. `name` is that of its file."""

    name: str
    title: str
    across: str
    lines: Mapping[str, Points]

    def svg(self) -> str:
        """The picture in a page."""
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT + 6}" role="img">{self._curves()}</svg>'

    def file(self) -> str:
        """The picture by itself, on white: what looks at it may be dark."""
        head = f"{escape(self.title)}; over {escape(self.across)}"
        size = f'viewBox="-10 -24 {WIDTH + 20} {HEIGHT + 40}" width="{WIDTH + 20}" height="{HEIGHT + 40}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui" font-size="11" fill="#5a6675">'
            f'<rect x="-10" y="-24" width="100%" height="100%" fill="#fff"/><text y="-8" font-size="13">{head}</text>'
            f"{self._curves()}</svg>\n"
        )

    def _curves(self) -> str:
        """Points that are not positive are left out, a logarithm has no place for them."""
        lines = {name: [(x, y) for x, y in points if x > 0 and y > 0] for name, points in self.lines.items()}
        points = [point for line in lines.values() for point in line]
        if not points:
            return ""
        x_low, x_high = _decades(x for x, _ in points)
        y_low, y_high = _decades(y for _, y in points)

        def at(x: float, y: float) -> tuple[float, float]:
            across = (log10(x) - x_low) / (x_high - x_low) * (WIDTH - LEFT - 120)
            return LEFT + across, (HEIGHT - BELOW) * (1 - (log10(y) - y_low) / (y_high - y_low)) + 10

        drawn = []
        for power in range(y_low, y_high + 1):
            x, y = at(10**x_low, 10.0**power)
            drawn.append(f'<path d="M{x:.0f} {y:.1f}H{WIDTH - 120}" stroke="#dde3ea"/>')
            drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
        for power in range(x_low, x_high + 1):
            x, _ = at(10.0**power, 10**y_low)
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT}" text-anchor="middle">{10**power:,}</text>')
        ends: list[tuple[float, float, str, str]] = []
        for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
            places = [at(x, y) for x, y in sorted(line)]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
            drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places]
            ends += [(y, x, name, colour) for x, y in places[-1:]]
        lowest = -inf
        for y, x, name, colour in sorted(ends):
            lowest = max(y, lowest + LINE_HEIGHT)  # curves that end at one place have their names below one another
            drawn.append(f'<text x="{x + 8:.1f}" y="{lowest + 4:.1f}" style="fill:{colour}">{escape(name)}</text>')
        return "".join(drawn)


def page(title: str, charts: Sequence[Chart]) -> str:
    """All of them, one below the other."""
    parts = [f"<h2>{escape(chart.title)}</h2><div>over {escape(chart.across)}</div>{chart.svg()}" for chart in charts]
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
    return f"{head}<h1>{escape(title)}</h1>{''.join(parts)}</html>\n"


def _decades(values: object) -> tuple[int, int]:
    found = list(values)  # type: ignore[call-overload]  # an iterable of numbers
    low, high = floor(log10(min(found))), ceil(log10(max(found)))
    return low, max(high, low + 1)
