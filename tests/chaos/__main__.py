"""The chaos test: `python -m tests.chaos [--minutes 9] [--seed S] [--out FOLDER]`. Exit code 1: the guarantee broke."""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.chaos import report
from tests.chaos.faults import KINDS
from tests.chaos.world import Outcome, Plan, run_world

STRICT_SHARE = 0.3
REST_SECONDS = 55.0  # of a world: to start, to settle and to judge


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=9.0, help="for all worlds together, start and judgement too")
    parser.add_argument("--seed", default="", help="of all chance; the order of events differs all the same")
    parser.add_argument("--out", type=Path, help="where report, pictures and, after a breach, the histories go")
    parser.add_argument("--world", choices=("everysec", "strict", "both"), default="both")
    parser.add_argument("--faults", default="", help="only kinds with one of these words, separated by |")
    parser.add_argument("--customers", type=int, default=90)
    parser.add_argument("--rate", type=float, default=1300, help="messages a second that all together want to say")
    options = parser.parse_args()
    seed = options.seed or secrets.token_hex(4)
    out = options.out or Path(tempfile.mkdtemp(prefix="chaos-report-"))
    out.mkdir(parents=True, exist_ok=True)
    console = Console()
    console.print(f"chaos, seed [bold]{seed}[/]; report in {out}")
    outcomes = [asyncio.run(_run(plan, out, console)) for plan in _plans(options, seed)]
    report.show(seed, outcomes, console)
    report.write(seed, outcomes, out)
    broken = [one for one in outcomes if one.broken]
    for outcome in outcomes:
        if outcome not in broken:
            outcome.history.unlink(missing_ok=True)
            (out / f"evidence-{outcome.plan.name}").unlink(missing_ok=True)
    if broken:
        console.print(f"histories and logs: {out}")
    return 1 if broken else 0


def _plans(options: argparse.Namespace, seed: str) -> list[Plan]:
    words = [word for word in options.faults.split("|") if word]
    kinds = [kind for kind in KINDS if not words or any(word in kind.name or word == kind.lane for word in words)]
    worlds = {"everysec": (False,), "strict": (True,), "both": (False, True)}[options.world]
    seconds = options.minutes * 60
    shares = {False: 1 - STRICT_SHARE, True: STRICT_SHARE} if len(worlds) > 1 else dict.fromkeys(worlds, 1.0)
    rest = REST_SECONDS * len(worlds)
    return [
        Plan(
            seed,
            max(10.0, (seconds - rest) * shares[strict]),
            strict=strict,
            customers=options.customers,
            agents=max(4, options.customers // 5),
            rate=options.rate,
            kinds=tuple(kinds),
        )
        for strict in worlds
    ]


async def _run(plan: Plan, out: Path, console: Console) -> Outcome:
    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), TextColumn("{task.fields[last]}")
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(plan.name, total=plan.seconds + REST_SECONDS, last="")
        began = time.monotonic()

        def tell(what: str) -> None:
            progress.update(task, completed=time.monotonic() - began, last=what[:60])
            if not console.is_terminal:
                console.print(f"{plan.name} {time.monotonic() - began:6.1f} s  {what}", highlight=False)

        return await run_world(plan, out, tell)


if __name__ == "__main__":
    sys.exit(main())
