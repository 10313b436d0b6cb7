"""What runs of the peers harness say: tables in Markdown, bars in SVG; medians over the rounds, with their bounds.

    python -m bench.peers_report --svg docs/images/peers.svg "100 chats=closed.jsonl" "1,000 chats=single.jsonl"

Each file is what `make peers` wrote with `--json`; a round that the harness could not finish is not in it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

Round = dict[str, Any]

WRITES_SQL = {"product", "ref-full"}
"""The last of their processes writes the chats to SQL: its share stands beside the others'."""

LEFT, WIDTH, BAR, GAP = 150, 620, 16, 6
COLOURS = {"web": "#2563a8", "redis": "#b0661e", "worker": "#9aa4b2"}


@dataclass(frozen=True)
class Shares:
    """CPU of a message in one round, µs."""

    web: float
    redis: float
    worker: float

    @classmethod
    def of(cls, one: Round) -> Shares:
        *web, last = one["proc_ms_k"]
        worker = last if one["target"] in WRITES_SQL else 0.0
        return cls(sum(web) + last - worker, one["redis_ms_k"], worker)

    @property
    def compared(self) -> float:
        """Of what all of them do."""
        return self.web + self.redis


def main() -> None:
    """Prints the tables, writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="HEADING=FILE")
    parser.add_argument("--svg", type=Path)
    options = parser.parse_args()
    runs = {}
    for named in options.files:
        heading, _, file = named.rpartition("=")
        runs[heading] = [json.loads(line) for line in Path(file).read_text().splitlines()]
    for heading, rounds in runs.items():
        print(f"**{heading}**\n")
        for mode, table in (("closed", _closed), ("open", _open), ("idle", _idle)):
            if these := _by_target(one for one in rounds if one["mode"] == mode):
                print(table(these), end="\n\n")
    if options.svg:
        options.svg.write_text(picture({heading: _by_target(rounds) for heading, rounds in runs.items()}))


def _by_target(rounds: Iterable[Round]) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = defaultdict(list)
    for one in rounds:
        found[one["target"]].append(one)
    return found


def _closed(targets: dict[str, list[Round]]) -> str:
    ours = {one["round"]: Shares.of(one).compared for one in targets.get("product", ())}
    rows = [
        ("", "web", "Redis", "sum, lowest to highest", "ours to it, in a round", "its own SQL writer", "messages/s")
    ]
    for target, rounds in targets.items():
        shares = [Shares.of(one) for one in rounds]
        sums = [one.compared for one in shares]
        # In one round all have the same neighbours on the machine, in two rounds they may not.
        ratios = [ours[one["round"]] / Shares.of(one).compared for one in rounds if one["round"] in ours]
        rows.append(
            (
                target,
                _middle(shares, lambda one: one.web),
                _middle(shares, lambda one: one.redis),
                f"**{median(sums):.1f}**, {min(sums):.1f} to {max(sums):.1f}",
                f"{median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}" if ratios else "",
                _middle(shares, lambda one: one.worker) if target in WRITES_SQL else "–",
                f"{median(one['rate'] for one in rounds):,.0f}",
            )
        )
    return _table(rows)


def _open(targets: dict[str, list[Round]]) -> str:
    rows = [("", "p50 ms", "p99 ms, lowest to highest", "web + Redis, µs")]
    for target, rounds in targets.items():
        p99 = [one["p99"] for one in rounds]
        rows.append(
            (
                target,
                f"{median(one['p50'] for one in rounds):.2f}",
                f"{median(p99):.1f}, {min(p99):.1f} to {max(p99):.1f}",
                f"{median(Shares.of(one).compared for one in rounds):.0f}",
            )
        )
    return _table(rows)


def _idle(targets: dict[str, list[Round]]) -> str:
    rows = [("", "connections", "KiB each", "connects/s", "CPU ms of a connect", "idle CPU %")]
    for target, rounds in targets.items():
        for step in (step for one in rounds for step in one["steps"]):
            figures = (step["rss_kib_conn"], step["connects_s"], step["connect_cpu_ms"], step["idle_cpu_pct"])
            memory, connects, cpu, idle = figures
            rows.append((target, f"{step['open']:,}", f"{memory:.1f}", f"{connects:,.0f}", f"{cpu:.2f}", f"{idle:.1f}"))
    return _table(rows)


def _middle(shares: Sequence[Shares], of: Callable[[Shares], float]) -> str:
    return f"{median(map(of, shares)):.1f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(runs: dict[str, dict[str, list[Round]]]) -> str:
    """Bars of the closed loops: CPU of a message by who takes it, medians."""
    bars: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for heading, run in runs.items():
        for target, rounds in run.items():
            shares = [Shares.of(one) for one in rounds if one["mode"] == "closed"]
            if shares:
                bars[heading][target] = {name: median(getattr(one, name) for one in shares) for name in COLOURS}
    longest = max(sum(parts.values()) for run in bars.values() for parts in run.values())
    drawn, y = [_legend()], 40
    for heading, run in bars.items():
        drawn.append(f'<text x="0" y="{y + 12}" font-weight="bold">{escape(heading)}, CPU µs a message</text>')
        y += BAR + GAP
        for target, parts in run.items():
            drawn.append(f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(target)}</text>')
            x = float(LEFT)
            for name, micros in parts.items():
                width = micros / longest * (WIDTH - LEFT - 60)
                drawn.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[name]}"/>')
                x += width
            drawn.append(f'<text x="{x + 6:.1f}" y="{y + 12}">{sum(parts.values()):.0f}</text>')
            y += BAR + GAP
        y += 2 * GAP
    head = f'viewBox="-10 0 {WIDTH + 20} {y}" width="{WIDTH + 20}" height="{y}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {head} font-family="system-ui" font-size="12" fill="#3c4654">'
        f'<rect x="-10" width="100%" height="100%" fill="#fff"/>{"".join(drawn)}</svg>\n'
    )


def _legend() -> str:
    words = {"web": "web processes", "redis": "Redis", "worker": "what writes to SQL"}
    return "".join(
        f'<rect x="{at * 170}" y="10" width="12" height="12" fill="{COLOURS[name]}"/>'
        f'<text x="{at * 170 + 18}" y="21">{words[name]}</text>'
        for at, name in enumerate(COLOURS)
    )


if __name__ == "__main__":
    main()
