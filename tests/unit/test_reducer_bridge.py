"""The pages' reducer as tests in Python see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.reducer import Reducer

TICKET = 100_009
DEVICE = "device-of-the-test"


@pytest.fixture(scope="module")
def reducer() -> Iterator[Reducer]:
    with Reducer() as running:
        yield running


def entry(seq: int, **more: Any) -> dict[str, Any]:
    said = {"kind": "message", "role": "agent", "participant": "ag", "text": f"text {seq}", "audience": "all"}
    return {"op": "entry", "ticket": TICKET, "epoch": 7, "seq": seq, "prev": seq - 1, "at": seq, **said, **more} | {
        "entry_id": f"e{seq}"
    }


def page(*entries: dict[str, Any], durable: int = 0) -> dict[str, Any]:
    state = {
        **{"state": "active", "mode": "live", "department": {"id": "d", "name": "Help"}, "me": "cu", "opened_at": 0},
        **{"participants": [], "durable": durable},
    }
    top = entries[-1]["seq"] if entries else 0
    return {"op": "page", "ticket": TICKET, "ok": True, "epoch": 7, "top": top, "state": state} | {
        "reads": {},
        "entries": list(entries),
        "more": False,
    }


def test_a_page_and_entries_become_a_log(reducer: Reducer) -> None:
    view = reducer.view([page(entry(1)), entry(3), entry(2)])
    assert [one["seq"] for one in view["log"]] == [1, 2, 3]
    assert view["position"] == {"epoch": 7, "seq": 3, "entry_id": "e3"}
    assert not view["needs_pull"]


def test_a_missing_predecessor_asks_for_a_pull(reducer: Reducer) -> None:
    view = reducer.view([page(entry(1)), entry(3)])
    assert view["needs_pull"]
    assert view["early"] == [3]


def test_a_command_waits_until_its_ack_and_is_stored_when_durable(reducer: Reducer) -> None:
    said = {"op": "post_message", "key": "k1", "n": 1, "text": "hello", "at": 5}
    ack = {"op": "ack", "id": 3, "ticket": TICKET, "n": 1, "seq": 2, "prev": 1, "epoch": 7, "entry_id": "e2", "at": 6}
    sending = reducer.view([page(entry(1)), said], device=DEVICE)
    assert [(one["key"], one["status"]) for one in sending["pending"]] == [("k1", "sending")]
    sent = reducer.view([page(entry(1)), said, ack], device=DEVICE)
    assert [(one["text"], one["status"]) for one in sent["log"]][-1] == ("hello", "sent")
    durable = {"op": "durable", "ticket": TICKET, "epoch": 7, "seq": 2}
    stored = reducer.view([page(entry(1)), said, ack, durable], device=DEVICE)
    assert stored["log"][-1]["status"] == "stored"
    assert stored["pending"] == []


def test_what_is_no_frame_is_named(reducer: Reducer) -> None:
    with pytest.raises(ValueError, match="no frame of a chat: nonsense"):
        reducer.view([{"op": "nonsense"}])
