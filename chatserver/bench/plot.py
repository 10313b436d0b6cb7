"""A run as one HTML page: plain SVG, no script, nothing to load."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

from chatserver.bench.report import SHARES, Loop, Report, Times

WIDTH, HEIGHT, MARGIN = 760, 240, 40
BARS = 90
COLOURS = {"delivery": "#2563a8", "acks": "#3c8a4e", "durable": "#b0661e"}
WORDS = {
    "delivery": "due → received by the other side",
    "acks": "due → acknowledged",
    "durable": "acknowledged → durable",
}

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 800px; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem } h3 { font-size: .95rem; margin: 1rem 0 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } td, th { padding: .15rem .8rem .15rem 0;
text-align: right; font-weight: normal } th { color: #5a6675 } svg text { font: 11px system-ui; fill: #5a6675 }
"""


def page(report: Report) -> str:
    """The whole page."""
    it, plan = report.connecting, report.plan
    about = f"{report.at}, chatserver {report.version}, {report.machine}"
    connecting = [("connections", f"{it.connections:,}"), ("a second", f"{it.per_second:,.0f}")]
    connecting += [(f"{who}, CPU ms each", f"{ms:.2f}") for who, ms in it.cpu_ms.items()]
    connecting += [(f"{who}, KiB each", f"{kib:.1f}") for who, kib in it.rss_kib.items()]
    return "\n".join(
        [
            f"<!doctype html><html lang=en><meta charset=utf-8><title>chatserver bench</title><style>{_STYLE}</style>",
            f"<h1>{plan.chats:,} chats, {plan.size} characters a message</h1><p>{escape(about)}</p>",
            "<h2>Everybody comes back</h2>",
            _table(connecting),
            *(_loop(loop) for loop in report.loops),
            "</html>",
        ]
    )


def _loop(loop: Loop) -> str:
    facts = [("messages/s", f"{loop.delivered_per_second:,.0f}")]
    facts += [(f"CPU µs {who}", f"{micros:.1f}") for who, micros in loop.cpu_us.items()]
    facts += [(f"error {code}", str(count)) for code, count in loop.errors.items()]
    facts += [("not delivered", str(loop.undelivered))]
    parts = [f"<h2>{escape(loop.name)}</h2>", _table(facts)]
    for name in ("delivery", "acks", "durable"):
        times: Times = getattr(loop, name)
        if times.count:
            parts.append(f"<h3>{WORDS[name]}, ms</h3>")
            parts.append(_table([(share, f"{times.ms[share]:,.2f}") for share in SHARES]))
            parts.append(histogram(times.histogram, COLOURS[name]))
    return "\n".join(parts)


def _table(cells: Iterable[tuple[str, str]]) -> str:
    heads, values = zip(*cells, strict=True)
    head = "".join(f"<th>{escape(one)}" for one in heads)
    return f"<table><tr>{head}<tr>{''.join(f'<td>{escape(one)}' for one in values)}</table>"


def histogram(counts: Sequence[tuple[float, int]], colour: str) -> str:
    """Bars over a logarithmic axis of ms; the share of all on the left."""
    low, high = floor(log10(counts[0][0])), ceil(log10(counts[-1][0] * 1.0001))
    decades = max(1, high - low)
    bars = [0] * BARS
    for ms, count in counts:
        bars[min(BARS - 1, int((log10(ms) - low) / decades * BARS))] += count
    total, most = sum(bars), max(bars)
    width, height = WIDTH - MARGIN, HEIGHT - MARGIN
    drawn = [
        f'<rect x="{MARGIN + at * width / BARS:.1f}" y="{height * (1 - count / most) + 10:.1f}" '
        f'width="{width / BARS - 1:.1f}" height="{height * count / most:.1f}" fill="{colour}"/>'
        for at, count in enumerate(bars)
        if count
    ]
    ticks = [
        f'<text x="{MARGIN + at * width / decades:.1f}" y="{height + 26}">{10.0 ** (low + at):g} ms</text>'
        for at in range(decades)
    ]
    label = f'<text x="0" y="18">{100 * most / total:.1f} %</text><text x="0" y="{height + 10}">0</text>'
    axis = f'<path d="M{MARGIN} {height + 10.5}H{WIDTH}" stroke="#9aa4b2"/>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{"".join(drawn)}{axis}{"".join(ticks)}{label}</svg>'
