"""The writing half of a chat, when answers and history do not fit together."""

import asyncio
from typing import Any

import pytest

from chatserver.client.chats import Answered, Chats
from chatserver.client.observations import Observation

pytestmark = pytest.mark.anyio

TICKET, DEVICE, BEFORE, NOW = 100009, "device", 7, 8


class Asked:
    """What the chats would send, and who waits for the answer."""

    online = True

    def __init__(self) -> None:
        self.all: list[tuple[dict[str, Any], Answered]] = []

    def ask(self, frame: dict[str, Any], answered: Answered) -> None:
        self.all.append((frame, answered))


def ack(epoch: int, page: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    here = {"ticket": TICKET, "n": 1, "seq": 2, "prev": 1, "epoch": epoch, "entry_id": "taken", "at": 1, "gen": 1}
    return {"op": "ack", **here, **({"page": page} if page else {}), **more}


def page(*entries: dict[str, Any]) -> dict[str, Any]:
    state = {"state": "active", "durable": 1, "participants": []}
    here = {"ticket": TICKET, "epoch": NOW, "top": len(entries), "state": state, "reads": {}, "more": False}
    return here | {"entries": list(entries)}


def entry(seq: int, **more: Any) -> dict[str, Any]:
    who = {"participant": "ag", "role": "agent"}
    return (
        {"ticket": TICKET, "epoch": NOW, "seq": seq, "prev": seq - 1, "kind": "opened", "entry_id": f"{seq}"}
        | who
        | more
    )


def start() -> tuple[Chats, Asked]:
    asked = Asked()
    told: list[Observation] = []
    chats = Chats(asked, device=DEVICE, kept=None, observe=told.append, on_conflict=lambda: None)
    return chats, asked


async def test_history_that_is_rebuilt_between_an_ack_and_its_page_counts() -> None:
    chats, asked = start()
    command = chats.get(TICKET).writer.add("take_chat", {})
    await asyncio.sleep(0)
    [(_, answered)] = asked.all
    own = entry(2, kind="assigned", entry_id="taken", device=DEVICE, n=1)
    answered(ack(BEFORE, page(entry(1), own)))
    assert command.place == (NOW, 2)  # else it would wait for a `durable` that nobody will say
    chats.take_durable({"ticket": TICKET, "epoch": NOW, "seq": 2})
    assert command.is_durable


async def test_what_a_rebuilt_history_does_not_show_is_said_again() -> None:
    chats, asked = start()
    command = chats.get(TICKET).writer.add("take_chat", {})
    await asyncio.sleep(0)
    asked.all.pop()[1](ack(BEFORE, page(entry(1))))
    assert command.place is None
    await asyncio.sleep(0)
    frame, answered = asked.all.pop()
    assert (frame["op"], frame["n"]) == ("take_chat", 1)
    answered(ack(NOW, seq=2, dup=True))
    assert command.place == (NOW, 2)
