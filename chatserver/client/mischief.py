"""What a client must not do and a server must bear: the same frame twice, and old commands once more. For tests."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from chatserver.client.chat_state import Frame

REMEMBERED = 64


class Mischief:
    """Repeats commands on purpose; nobody waits for what is answered to the copies."""

    def __init__(self, *, duplicate: float, replay: float, random: Random) -> None:
        self._duplicate, self._replay, self._random = duplicate, replay, random
        self._acked: deque[Frame] = deque(maxlen=REMEMBERED)

    def copies(self, frame: Frame) -> list[Frame]:
        """What goes out after this frame: itself, or one that was acknowledged long ago, without an `id`."""
        copies: list[dict[str, Any]] = []
        if "n" in frame or frame["op"] == "open_chat":
            self._forget_from(frame)
            if self._random.random() < self._duplicate:
                copies.append(frame)
            if self._acked and self._random.random() < self._replay:
                copies.append({name: value for name, value in self._random.choice(self._acked).items() if name != "id"})
        return copies

    def _forget_from(self, frame: Frame) -> None:
        """Redis may have lost what it acknowledged, and a refusal may have given its number to another command. A
        command that goes out under a number shows that nothing behind it is known to be there any more.
        """
        number = (frame.get("ticket"), frame.get("n", 0))
        stays = [one for one in self._acked if one["ticket"] != number[0] or one["n"] < number[1] or _same(one, frame)]
        self._acked = deque(stays, maxlen=REMEMBERED)

    def answered(self, frame: Frame, answer: Frame) -> None:
        """Only what the server has under this number may come again: anything else would be a new command."""
        if answer["op"] == "ack" and frame["op"] in ("post_message", "post_note"):
            self._acked.append(frame)

    def forget(self) -> None:
        """Another device: the old one's numbers mean something else."""
        self._acked.clear()


def _same(one: Frame, other: Frame) -> bool:
    return (one["n"], one["op"], one["text"]) == (other["n"], other["op"], other.get("text"))
