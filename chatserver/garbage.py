"""How often a process looks for garbage that reference counts do not free: seldom.

Messages, connections' outboxes and replies are freed when the last reference goes (tests/unit/chatserver/
test_garbage.py: a message leaves nothing behind for the collector). With Python's threshold of 700 containers the
collector looks at what is on its way again and again, and at all connections now and then: 12 to 20 µs a message, a
quarter of what the process did; a worker's batch is thousands that live for a moment. What does need it are ended
connections and failed tasks (a traceback refers to its frames): a few hundred containers each, so with a threshold of
50,000 at most some 15 MB wait.
"""

from __future__ import annotations

import gc

NEW_CONTAINERS = 50_000
YOUNG_ROUNDS, MIDDLE_ROUNDS = 20, 50


def look_seldom() -> None:
    """Once, when all is loaded: what is there stays for good, and is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_CONTAINERS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
