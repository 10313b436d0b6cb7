"""The Lua scripts, read from the package, with the parts they share put in front."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files


class Script:
    """One script: its source and the name by which Redis knows it."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source.encode()
        self.sha = hashlib.sha1(self.source, usedforsecurity=False).hexdigest().encode()  # Redis' own naming


@cache
def script(name: str) -> Script:
    """The script `broker/scripts/<name>.lua`."""
    folder = files("chatserver.broker") / "scripts"
    shared = "_routing" if name.startswith(("queue_", "presence_")) else "_log"
    return Script(name, (folder / f"{shared}.lua").read_text() + (folder / f"{name}.lua").read_text())


ALL = (
    "open",
    "send",
    "assign",
    "page",
    "read",
    "settle",
    "finalise",
    "join",
    "rebase",
    "replace",
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
