"""`make mask-report`: how much of what is secret is masked, and how much of what is not stays, by kind.

The cases are made up (`secrets.py`, `kept.py`), with a seed that the rules were not tuned on. Prints a table, writes a
plot beside it and ends with 1 where a share is below its bound.
"""

from __future__ import annotations

import argparse
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

from bench.masking.cases import HELD_OUT, Case, cases
from bench.masking.kept import KEPT
from bench.masking.secrets import SECRETS
from transcripts.masking import mask

ENOUGH = 0.98
ENOUGH_ORDERS = 0.999
ORDERS = "order_number_in_a_chat"


def gone(case: Case) -> bool:
    """Whether the secret is no longer in the text, however it is written there; four of its characters may stay."""
    masked = mask(case.text)
    assert case.secret
    return case.kind in masked.kinds and _plain(case.secret) not in _plain(masked.text)


def _plain(text: str) -> str:
    digits = "".join(str(unicodedata.digit(char, char)) for char in text)
    return re.sub(r"[^a-z0-9•]", "", digits.lower())


def kept(case: Case) -> bool:
    """Whether nothing was changed."""
    return mask(case.text).text == case.text


def main() -> int:
    """Runs the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=HELD_OUT)
    parser.add_argument("--count", type=int, default=2_000, help="cases of each row")
    parser.add_argument("--plot", type=Path, default=Path("mask-report.svg"))
    parser.add_argument("--misses", type=int, default=0, help="print so many wrong cases of each row")
    args = parser.parse_args()

    rows: list[tuple[str, str, float, float]] = []
    by_kind: dict[str, Counter[bool]] = defaultdict(Counter)
    for part, makers, right in (("masked", SECRETS, gone), ("kept", KEPT, kept)):
        results: dict[str, list[tuple[bool, Case]]] = defaultdict(list)
        for name, case in cases(args.seed, args.count, makers):
            results[name].append((right(case), case))
            by_kind[f"{part} {case.kind}"][results[name][-1][0]] += 1
        for name, answers in results.items():
            share = sum(good for good, _ in answers) / len(answers)
            rows.append((part, name, share, ENOUGH_ORDERS if name == ORDERS else ENOUGH))
            for case in [case for good, case in answers if not good][: args.misses]:
                print(f"    {name}: {case.text!r} → {mask(case.text).text!r}")

    print(f"{args.count} cases of each row, seed {args.seed}\n")
    print(f"{'':8}{'':32}{'share':>9}{'at least':>10}")
    for part, name, share, bound in rows:
        print(
            f"{part:8}{name.replace('_', ' '):32}{share:9.2%}{bound:10.1%}{'' if share >= bound else '   too little'}"
        )
    args.plot.write_text(plot(rows))
    print(f"\nThe same as a picture: {args.plot}")
    return 0 if all(share >= bound for _, _, share, bound in rows) else 1


def plot(rows: list[tuple[str, str, float, float]]) -> str:
    """Bars from 90 % to 100 %, with the bound of each, as SVG."""
    left, width, height = 220, 400, 22
    parts = []
    for number, (part, name, share, bound) in enumerate(rows):
        y = 40 + number * height
        x = left + width * max(0.0, (share - 0.9) / 0.1)
        mark = left + width * (bound - 0.9) / 0.1
        colour = "#0f766e" if part == "masked" else "#64748b"
        colour = colour if share >= bound else "#b91c1c"
        parts.append(
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{name.replace("_", " ")}</text>'
            f'<rect x="{left}" y="{y + 3}" width="{x - left:.1f}" height="14" fill="{colour}"/>'
            f'<path d="M{mark:.1f} {y}v20" stroke="#000"/><text x="{left + width + 8}" y="{y + 13}">{share:.2%}</text>'
        )
    size = f'width="{left + width + 80}" height="{60 + len(rows) * height}"'
    title = "Share masked (teal) and kept (grey), from 90 % to 100 %; the line is the least"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui" font-size="12">'
        '<rect width="100%" height="100%" fill="#fff"/>'
        f'<text x="{left}" y="24">{title}</text>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
