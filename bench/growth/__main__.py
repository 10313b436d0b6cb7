"""The command line."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import growth
from bench.growth import chats, entries, resume, watchers
from bench.growth.curves import Chart, page

# Each with the sizes that are measured.
PARTS: dict[str, tuple[Any, list[int]]] = {
    "chats": (chats, [100, 1_000, 10_000]),
    "entries": (entries, [1, 10, 100, 1_000, 10_000]),
    "resume": (resume, [500, 5_000]),
    "watchers": (watchers, [1, 10, 50, 200]),
}


def main() -> None:
    """Runs the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=growth.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--most", type=int, default=10_000, help="no size over this")
    parser.add_argument("--out", type=Path, default=Path("growth"))
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    found: dict[str, Any] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    drawn: list[Chart] = []
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.parts or PARTS:
        part, sizes = PARTS[name]
        print(f"{name}:", flush=True)
        rows = uvloop.run(part.measure([size for size in sizes if size <= options.most]))
        found[name] = rows
        drawn += part.charts(rows)
        # After each part: a run that is ended early has what it measured.
        (options.out / "growth.json").write_text(json.dumps(found, indent=2) + "\n")
        for chart in part.charts(rows):
            (options.out / f"{chart.name}.svg").write_text(chart.file())
        (options.out / "growth.html").write_text(page(f"How costs grow, {found['at']}", drawn))


if __name__ == "__main__":
    main()
