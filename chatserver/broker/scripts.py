"""The Lua scripts, read from the package, with the parts they share put in front.

Each says in its first line what Redis may let it do when memory or disk is full. A script that may not is refused
before its first command, so none is ever half done.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

# What frees memory, keeps a lease or ends a chat goes on when Redis has reached its `maxmemory`.
WHEN_FULL = {"close", "settle", "finalise", "queue_agree", "queue_confirm", "presence_say", "presence_sweep"}
# What only reads goes on when Redis cannot write its file, either.
READS = {"page", "queue_snapshot"}
_SAME_SOURCE = {"close": "send"}


class Script:
    """One script: its source and the name by which Redis knows it."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source.encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()  # Redis' own naming

    def by_name(self, count: int) -> bytes:
        """The beginning of a command that runs it, for Redis that knows it; `count` parts follow."""
        return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n" % (count + 2, self.sha)

    def in_full(self, count: int) -> bytes:
        """The same for Redis that does not."""
        return b"*%d\r\n$4\r\nEVAL\r\n$%d\r\n%b\r\n" % (count + 2, len(self.source), self.source)


@cache
def script(name: str) -> Script:
    """The script `broker/scripts/<name>.lua`; `close` is `send`, for the entry that ends a chat."""
    folder = files("chatserver.broker") / "scripts"
    shared = "_routing" if name.startswith(("queue_", "presence_")) else "_log"
    source = (folder / f"{shared}.lua").read_text() + (folder / f"{_SAME_SOURCE.get(name, name)}.lua").read_text()
    flags = "no-writes" if name in READS else "allow-oom" if name in WHEN_FULL else ""
    return Script(name, f"#!lua flags={flags}\n{source}" if flags else f"#!lua\n{source}")


ALL = (
    "open",
    "send",
    "close",
    "assign",
    "page",
    "read",
    "settle",
    "finalise",
    "join",
    "rebase",
    "replace",
    "unsettle",
    "relist",
    "release",
    "queue_agree",
    "queue_take",
    "queue_confirm",
    "queue_undo",
    "queue_release",
    "queue_snapshot",
    "presence_say",
    "presence_sweep",
)
