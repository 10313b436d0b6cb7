"""`make bench-check`: has a message become more expensive? A ratio, not a time.

The web nodes' CPU for a message, in multiples of what a bare relay takes for one (relay.py), both in this run and in
turn. It is CPU time, so it counts what was worked and not how long the machine made us wait; the median of the rounds
leaves out those in which something else was going on.
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

# What it was on 2026-11-23 (docs/performance.md). Worse by half has to fail, and noise must not.
# Whoever makes a message cheaper lowers it, so that the gain is kept.
MEASURED = 4.0
BOUND = MEASURED * 1.4
CHEAPER = MEASURED * 0.8


async def measure(rounds: int) -> list[tuple[float, float]]:
    """(µs of the nodes, µs of the relay) for a message, by round."""
    async with Cluster(nodes=2, agents=1) as cluster, Relay(chats=CHATS, size=SIZE) as relay:
        crowd = Crowd(cluster.venue, await seat_chats(cluster.venue, CHATS), size=SIZE, probe=cluster.cpu)
        await crowd.sit()
        found = []
        for number in range(rounds):
            tally = await crowd.closed(window=WINDOW, warm_up=WARM_UP, seconds=SECONDS)
            if tally.errors or tally.undelivered:
                sys.exit(f"bench-check: {dict(tally.errors)}, {tally.undelivered} not delivered")
            bare, _ = await relay.closed(window=WINDOW, warm_up=WARM_UP / 2, seconds=SECONDS / 2)
            ours = tally.cpu["web"] / tally.delivered
            found.append((ours * 1e6, bare * 1e6))
            print(
                f"round {number + 1}: {ours * 1e6:5.1f} µs, relay {bare * 1e6:4.1f} µs: {ours / bare:.2f}", flush=True
            )
        await crowd.leave()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--bound", type=float, default=BOUND)
    options = parser.parse_args()
    found = uvloop.run(measure(options.rounds))
    ratio = statistics.median(ours / bare for ours, bare in found)
    print(f"bench-check: a message costs the web nodes {ratio:.2f} times a bare relay's (bound {options.bound:.2f})")
    if ratio < CHEAPER:
        print(f"bench-check: cheaper than when the bound was set: lower MEASURED ({MEASURED}) in bench/check.py")
    sys.exit(0 if ratio <= options.bound else 1)


if __name__ == "__main__":
    main()
