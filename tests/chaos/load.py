"""The people of a run in a process of their own: `python -m tests.chaos.load ADDRESS HISTORY …`.

Says once a second on stdout how it goes, one JSON object a line. A line on stdin ends the talk: everybody waits until
what they said is durable and what was said to them is read, and the process says that it is done. It goes with a second
line: an agent whose connection ends gives his chats back, and nobody here would read that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from pathlib import Path
from typing import Any

import uvloop

from tests.chaos.history import Writer
from tests.chaos.people import Agent, Customer, Person, Run, reads_all, unsettled

ROOM = 1.3  # of the agents, for the customers' chats


async def run_load(options: argparse.Namespace) -> int:
    """The whole life of the process."""
    writer = Writer(options.history)
    people = options.customers + options.agents
    pause = 2 * options.customers / options.rate  # about as much is said by agents
    run = Run(options.address, writer, random.Random(options.seed), pause, options.duplicate, options.replay)
    capacity = round(ROOM * options.customers / max(1, options.agents)) + 1
    everybody: list[Person] = [Agent(run, number, capacity) for number in range(options.agents)]
    everybody += [Customer(run, f"customer{number}") for number in range(options.customers)]
    lives = [asyncio.ensure_future(person.live()) for person in everybody]
    ticker = asyncio.ensure_future(_tell(run, people))
    await _line()
    run.calm.set()
    left: dict[str, Any] = await _settle(everybody, options.settle)
    what = unsettled(everybody)
    for life in lives:
        life.cancel()
    for life, result in zip(lives, await asyncio.gather(*lives, return_exceptions=True), strict=True):
        if isinstance(result, Exception):
            print(json.dumps({"error": f"{life.get_name()}: {result!r}"}), flush=True)
    for person in everybody:
        if person.client.stopped is None:
            person.scribe.finish([one for one in person.tickets if person.client.state(one)])
    ticker.cancel()
    left["what"] = what
    print(json.dumps({"done": True} | left | {"counts": run.counts}), flush=True)
    await _line()
    for person in everybody:
        await person.client.stop()
    writer.close()
    return 0


async def _line() -> None:
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def _settle(everybody: list[Person], seconds: float) -> dict[str, int]:
    left: dict[str, int] = {}
    try:
        async with asyncio.timeout(seconds):
            while any((left := reads_all(everybody)).values()):  # noqa: ASYNC110  # so much has to come true
                await asyncio.sleep(0.2)
            await asyncio.sleep(1.0)
    except TimeoutError:
        pass
    return left


async def _tell(run: Run, people: int) -> None:
    while True:
        run.writer.flush()
        known = {"acked": run.counts["acked"], "chats": run.counts["chats"], "online": len(run.online)}
        print(json.dumps(known | {"people": people}), flush=True)
        await asyncio.sleep(1.0)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("history", type=Path)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--customers", type=int, default=60)
    parser.add_argument("--agents", type=int, default=10)
    parser.add_argument("--rate", type=float, default=600, help="messages a second that all together say")
    parser.add_argument("--duplicate", type=float, default=0.02)
    parser.add_argument("--settle", type=float, default=75, help="seconds to come to rest")
    parser.add_argument("--replay", type=float, default=0.01)
    sys.exit(uvloop.run(run_load(parser.parse_args())))


if __name__ == "__main__":
    main()
