"""Opens chats on a running installation and writes down who sits where, for a harness with an interpreter of its own.

    .venv/bin/python bench/seat_people.py --chats 100 --out seats.json ADDRESS… < staff.json

`staff.json` is a list of [email, password].
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import msgspec
import uvloop

from chatserver.bench.line import base_of
from chatserver.bench.seats import Venue, seat_chats


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS", help="ws://HOST:PORT/ws of a node")
    parser.add_argument("--origin", help="what the nodes accept as Origin (default: the first address)")
    parser.add_argument("--chats", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    staff = [(email, password) for email, password in json.load(sys.stdin)]
    venue = Venue(options.addresses, options.origin or base_of(options.addresses[0]), staff)
    options.out.write_bytes(msgspec.json.encode(uvloop.run(seat_chats(venue, options.chats))))


if __name__ == "__main__":
    main()
