"""`make seal-report`: do seals prove what they promise? A thousand random single alterations of exported files, all of
which have to be caught, and a thousand random lawful redactions, which have to pass; by `transcripts.verify` and by the
verifier of the page, which have to agree. Exits with 1 if they do not.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

from tests.support.alterations import KINDS, alter
from tests.support.sealed_chats import KEYS, sealed_chats
from tests.support.verifier import PageVerifier
from transcripts.canonical import canonical
from transcripts.errors import UnreadableError
from transcripts.strict_json import read_json
from transcripts.verify import verify

CHATS = 40


@dataclass
class Report:
    """What came out so far."""

    tried: Counter[str] = field(default_factory=Counter)
    caught: Counter[str] = field(default_factory=Counter)
    nameable: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    redactions: int = 0
    passed: int = 0
    differ: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return (
            self.caught == self.tried
            and self.named == self.nameable
            and self.passed == self.redactions
            and not self.differ
        )

    def __str__(self) -> str:
        lines = [f"{'single alteration':42}{'tried':>7}{'caught':>8}{'entry named':>14}"]
        for kind in KINDS:
            named = f"{self.named[kind]} of {self.nameable[kind]}" if self.nameable[kind] else "–"
            lines.append(f"{kind:42}{self.tried[kind]:>7}{self.caught[kind]:>8}{named:>14}")
        named = f"{self.named.total()} of {self.nameable.total()}"
        lines.append(f"{'all':42}{self.tried.total():>7}{self.caught.total():>8}{named:>14}")
        lines.append(f"\nlawful redactions: {self.passed} of {self.redactions} files pass")
        lines.append(f"files on which the two verifiers differ: {self.differ}")
        return "\n".join(lines)


async def report(count: int, seed: int) -> Report:
    """Alters and redacts `count` times each."""
    made, chance = Report(), random.Random(seed)
    async with sealed_chats(CHATS, seed=seed) as record:
        with PageVerifier() as page:

            def problems(body: bytes) -> list[tuple[str, int | None]]:
                try:
                    found = [(one.what, one.seq) for one in verify(read_json(body), KEYS).problems]
                except UnreadableError:
                    found = [("format", None)]
                made.differ += page.problems(body, KEYS) != found
                return found

            files = []
            for number in range(count):
                ticket = record.tickets[number % CHATS]
                await record.redact(ticket)
                file = await record.file(ticket, chance.choice(("all", "staff")))
                made.redactions += 1
                made.passed += not problems(canonical(file))
                if number < 2 * CHATS:
                    files.append(file)
            await record.fill(CHATS)
            files += [
                await record.file(one, audience) for one in record.tickets[CHATS:] for audience in ("all", "staff")
            ]
            for _ in range(count):
                kind, body, seq = alter(chance, chance.choice(files))
                found = problems(body)
                made.tried[kind] += 1
                made.caught[kind] += bool(found)
                made.nameable[kind] += seq is not None
                made.named[kind] += bool(found) and seq is not None and found[0][1] == seq
    return made


def main() -> None:
    """`python -m bench.seals [--count N] [--seed N]`."""
    parser = argparse.ArgumentParser(description="Do seals prove what they promise?")
    parser.add_argument("--count", type=int, default=1_000, help="alterations, and redactions")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    made = asyncio.run(report(args.count, args.seed))
    print(made)
    sys.exit(0 if made.ok else 1)


if __name__ == "__main__":
    main()
