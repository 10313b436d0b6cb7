"""How often a process looks for garbage that reference counts do not free: seldom.

Messages and replies are freed when the last reference goes: nothing of them is left for the collector
(tests/unit/chatserver/test_garbage.py). With Python's threshold of 700 containers it looks at those on their way again
and again, and at all connections now and then: 12 to 20 µs a message, a quarter of what a web process did. A worker's
batch is thousands that live for a moment.

What needs it are failed tasks, and what libraries leave: an ended connection is freed at once, too
(tests/unit/chatserver/test_ended_connections.py). So all generations are looked at after 200,000 containers more, where
Python does it after 70,000; both wait, then, until a quarter has come to what there was at the last time. More would
let the dead pile up.
"""

from __future__ import annotations

import gc

NEW_CONTAINERS = 20_000  # more than those of all messages on their way
YOUNG_ROUNDS, MIDDLE_ROUNDS = 5, 2


def look_seldom() -> None:
    """Once, when all is loaded: what is there stays for good, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_CONTAINERS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
