"""What a run has shown: tables on the terminal, everything as JSON, and the traffic over time as a picture (SVG)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from rich.console import Console
from rich.table import Table

from tests.chaos.cluster import SHORTENED
from tests.chaos.faults import Lane
from tests.chaos.recovery import quantile
from tests.chaos.world import Outcome

COLOURS = {
    Lane.NODES: "#c0392b",
    Lane.DEPLOYS: "#16a085",
    Lane.RECORD: "#8e44ad",
    Lane.REDIS: "#d35400",
    Lane.NETWORK: "#2980b9",
}
WIDTH, HEIGHT, MARGIN = 1200, 330, 48


def summary(seed: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything that counts, as plain values."""
    return {
        "seed": seed,
        "shortened": SHORTENED,
        "acked": sum(len(one.traffic.acks) for one in outcomes),
        "faults": sum(len(one.struck) for one in outcomes),
        "violations": sum(len(one.verdict.violations) for one in outcomes),
        "faults_by_kind": _by_kind(outcomes),
        "worlds": {one.plan.name: _world(one) for one in outcomes},
    }


def _by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    times: dict[str, list[float]] = defaultdict(list)
    lanes: dict[str, str] = {}
    for outcome in outcomes:
        for fault in outcome.struck:
            times[fault.kind.name].append(outcome.traffic.recovery(fault))
            lanes[fault.kind.name] = str(fault.kind.lane)
    return {
        name: {
            "lane": lanes[name],
            "count": len(found),
            "p50": round(quantile(found, 0.5), 2),
            "p99": round(quantile(found, 0.99), 2),
            "worst": round(max(found), 2),
        }
        for name, found in sorted(times.items(), key=lambda item: (lanes[item[0]], item[0]))
    }


def _world(one: Outcome) -> dict[str, Any]:
    durable = one.traffic.until_durable()
    said = one.said.get("counts", {})
    return {
        "acked": len(one.traffic.acks),
        "chats": one.chats,
        "entries": one.entries,
        "faults": len(one.struck),
        "skipped": one.skipped,
        "violations": one.verdict.by_kind(),
        "counted": {name: count for name, count in one.verdict.counts.items() if name[0].islower()},
        "oldest_loss_seconds": round(one.verdict.oldest_loss, 2),
        "durable_seconds": {str(share): round(quantile(durable, share), 3) for share in (0.5, 0.99, 1.0)},
        "sent_twice": said.get("sent twice", 0),
        "replayed": said.get("replayed", 0),
        "unsettled": one.said.get("unsettled", -1),
        "behind": one.said.get("behind", -1),
        "people_errors": one.said.get("errors", []),
        "what_is_unsettled": one.said.get("what", []),
        "clients": {name: count for name, count in said.items() if ":" in name or name in ("bye", "agent away")},
    }


def show(seed: str, outcomes: Sequence[Outcome], console: Console) -> None:
    """The tables."""
    found = summary(seed, outcomes)
    shortened = ", ".join(f"{name}={value}" for name, value in SHORTENED.items())
    console.print(f"\nseed [bold]{seed}[/]   shortened: {shortened}")
    table = Table("fault", "kind", "count", "p50 s", "p99 s", "worst s", title="Time to recover")
    for name, row in found["faults_by_kind"].items():
        table.add_row(name, row["lane"], *(str(row[column]) for column in ("count", "p50", "p99", "worst")))
    by_lane = Counter[str]()
    for row in found["faults_by_kind"].values():
        by_lane[row["lane"]] += row["count"]
    table.add_section()
    table.add_row("all", ", ".join(f"{lane} {count}" for lane, count in by_lane.items()), str(found["faults"]))
    console.print(table)
    table = Table("", *found["worlds"], title="What came of it")
    rows = {name: [world[name] for world in found["worlds"].values()] for name in next(iter(found["worlds"].values()))}
    for name, values in rows.items():
        if name not in ("clients", "people_errors", "what_is_unsettled"):
            table.add_row(name.replace("_", " "), *map(_cell, values))
    console.print(table)
    verdict = "[bold green]The guarantee held.[/]" if not found["violations"] else "[bold red]It did not hold:[/]"
    console.print(f"{found['acked']:,} acknowledged, {found['faults']} faults. {verdict}")
    for outcome in outcomes:
        for violation in outcome.verdict.violations[:20]:
            console.print(f"  {outcome.plan.name}: {violation.kind} #{violation.ticket}: {escape(violation.what)}")


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {count}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def write(seed: str, outcomes: Sequence[Outcome], folder: Path) -> None:
    """JSON and pictures."""
    found = summary(seed, outcomes)
    for outcome in outcomes:
        name = outcome.plan.name
        found["worlds"][name]["struck"] = [
            {
                "kind": one.kind.name,
                "begin": round(one.begin - outcome.traffic.begin, 2),
                "end": round(one.end - outcome.traffic.begin, 2),
                "note": one.note,
                "recovered_in": round(outcome.traffic.recovery(one), 2),
            }
            for one in outcome.struck
        ]
        found["worlds"][name]["first_violations"] = [
            [str(one.kind), one.ticket, one.what] for one in outcome.verdict.violations[:200]
        ]
        (folder / f"{name}.svg").write_text(picture(outcome))
    (folder / "report.json").write_text(json.dumps(found, indent=1))


def picture(outcome: Outcome) -> str:
    """Acknowledged messages a second, with the faults as coloured bars."""
    traffic = outcome.traffic
    begin = int(traffic.begin)
    last = max([*traffic.per_second, begin + 1])
    top = max([*traffic.per_second.values(), 1])
    across, up = (WIDTH - 2 * MARGIN) / (last - begin), (HEIGHT - 2 * MARGIN) / top

    def x(at: float) -> float:
        return MARGIN + (at - begin) * across

    bars = []
    for fault in outcome.struck:
        lane = list(Lane).index(fault.kind.lane)
        width = max(2.0, (fault.end - fault.begin) * across)
        title = escape(f"{fault.kind.name} {fault.note}, at {fault.begin - begin:.0f} s")
        bars.append(
            f'<rect x="{x(fault.begin):.1f}" y="{HEIGHT - MARGIN + 4 + 8 * lane}" width="{width:.1f}" height="6" '
            f'fill="{COLOURS[fault.kind.lane]}"><title>{title}</title></rect>'
        )
    seconds = range(begin, last + 1)
    line = " ".join(f"{x(at):.1f},{HEIGHT - MARGIN - up * traffic.per_second[at]:.1f}" for at in seconds)
    legend = "".join(
        f'<text x="{MARGIN + 160 * number}" y="20" fill="{colour}" font-size="12">{lane}</text>'
        for number, (lane, colour) in enumerate(COLOURS.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>{legend}'
        f'<text x="{WIDTH - MARGIN}" y="20" text-anchor="end" font-size="12">acknowledged a second, at most {top}; '
        f"{last - begin} s, {escape(outcome.plan.name)}</text>"
        f'<polyline points="{line}" fill="none" stroke="#222" stroke-width="1"/>{"".join(bars)}</svg>\n'
    )
