"""`make bench-check`: has a message become more expensive? Ratios, not times.

The CPU that the web nodes and Redis take for a message, in multiples of what a bare relay takes for one (relay.py), all
in this run and in turn. It is CPU time, so it counts what was worked and not how long the machine made us wait; the
median of the rounds leaves out those in which something else was going on.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import uvloop

from bench.relay import Relay
from chatserver.bench.cluster import Cluster
from chatserver.bench.load import Crowd
from chatserver.bench.seats import seat_chats

CHATS, WINDOW, SIZE = 50, 4, 128
ROUNDS, SECONDS, WARM_UP = 7, 1.5, 0.5

# What neither may reach. A message that costs half as much again has to fail, so what is measured has to be above the
# bound divided by that; below it, the bound is due to be lowered, and the gain is kept.
BOUNDS = {"web": 5.6, "redis": 4.4}
WORSE = 1.5


async def measure(rounds: int) -> list[dict[str, float]]:
    """The µs for a message of each and of the `relay`, by round."""
    async with Cluster(nodes=2, agents=1) as cluster, Relay(chats=CHATS, size=SIZE) as relay:
        crowd = Crowd(cluster.venue, await seat_chats(cluster.venue, CHATS), size=SIZE, probe=cluster.cpu)
        await crowd.sit()
        found = []
        for number in range(rounds):
            tally = await crowd.closed(window=WINDOW, warm_up=WARM_UP, seconds=SECONDS)
            if tally.errors or tally.undelivered:
                sys.exit(f"bench-check: {dict(tally.errors)}, {tally.undelivered} not delivered")
            bare, _ = await relay.closed(window=WINDOW, warm_up=WARM_UP / 2, seconds=SECONDS / 2)
            micros = {who: tally.cpu[who] * 1e6 / tally.delivered for who in BOUNDS} | {"relay": bare * 1e6}
            found.append(micros)
            told = ", ".join(f"{who} {each:4.1f} µs" for who, each in micros.items())
            print(f"round {number + 1}: {told}", flush=True)
        await crowd.leave()
    return found


def judge(found: list[dict[str, float]]) -> bool:
    """Says what a message costs; whether that is within the bounds."""
    within = True
    for who, bound in BOUNDS.items():
        ratio = statistics.median(one[who] / one["relay"] for one in found)
        print(f"bench-check: a message costs {who} {ratio:.2f} times a bare relay's (bound {bound:.2f})")
        if ratio < bound / WORSE:
            print(
                f"bench-check: cheaper than when the bound was set: lower it below {ratio * WORSE:.1f} (bench/check.py)"
            )
        within = within and ratio <= bound
    return within


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    sys.exit(0 if judge(uvloop.run(measure(options.rounds))) else 1)


if __name__ == "__main__":
    main()
