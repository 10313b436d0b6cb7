"""The pages' verifier, asked from Python (verifier_bridge.mjs says what goes in and comes out)."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.reducer import node

BRIDGE = Path(__file__).with_name("verifier_bridge.mjs")


class PageVerifier:
    """One Node process that checks as many files as it is asked to. Use as a context manager."""

    def __enter__(self) -> PageVerifier:
        self._process = subprocess.Popen(
            [node(), str(BRIDGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *args: object) -> None:
        self._process.communicate()  # closes its stdin, and with that it ends

    def problems(self, body: bytes, keys: Mapping[str, bytes]) -> list[tuple[str, int | None]]:
        """What the page says of a file: (what, seq) in its order."""
        trusted = {key_id: public.hex() for key_id, public in keys.items()}
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"keys": trusted, "body": base64.b64encode(body).decode()}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return [(what, seq) for what, seq in answer["problems"]]
