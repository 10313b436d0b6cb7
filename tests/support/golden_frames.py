"""The golden frames: one of each kind with fixed values, as the real codecs write them.

`python -m tests.support.golden_frames` writes tests/fixtures/frames/ anew; a test compares. The tests of the
pages read the same files. A change here is a change of the protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack

from chatserver.broker.event import (
    durable_event,
    entry_parts,
    transient_event,
    whole_entry,
)
from chatserver.errors import AlreadyAssignedError, GapError, RateLimitedError, UnavailableError
from chatserver.model.chat import ChatInfo, LiveChat, queue_item
from chatserver.model.person import CUSTOMER_RIGHTS, OWNER_RIGHTS, Participant
from chatserver.wire.codec import Codec, Json, MessagePack
from chatserver.wire.frames import Ack, Bye, Error, Page, Ping, Pong, Snapshot, Welcome

FOLDER = Path(__file__).parents[1] / "fixtures" / "frames"

TICKET, EPOCH, AT = 100_009, 734_912, 1_795_000_000_123
CUSTOMER, AGENT = "qz4k2m7d5x3wv6ab", "k2h7c5t4n3s6r7pd"
DEVICE = "d3v1c3-4f2a9c01bb7e"


def entry_id(number: int) -> str:
    return f"019b0000-0000-7000-8000-{number:012d}"


def entry(seq: int, prev: int, kind: str, role: str, *, audience: str = "all", **optional: Any) -> bytes:
    """The bytes of an entry as they lie in the log."""
    participant = CUSTOMER if role == "customer" else AGENT
    head, body = entry_parts(
        entry_id=entry_id(seq),
        audience=audience,
        ticket=TICKET,
        kind=kind,
        role=role,
        participant=participant,
        optional=optional,
    )
    return whole_entry(head, body, epoch=EPOCH, seq=seq, prev=prev, at=AT + seq)


ENTRIES = {
    "entry_opened": entry(1, 0, "opened", "customer", name="Sam", data={"department": "support", "topic": "Returns"}),
    "entry_message": entry(2, 1, "message", "customer", name="Sam", text="Where do I send it?", device=DEVICE, n=1),
    "entry_assigned": entry(
        3,
        2,
        "assigned",
        "agent",
        name="Ann",
        data={"owner": AGENT, "name": "Ann", "gen": 1},
        device="desk-of-ann-0001",
        n=1,
    ),
    "entry_note": entry(
        4, 3, "note", "agent", audience="staff", name="Ann", text="Has called before.", device="desk-of-ann-0001", n=2
    ),
    "entry_masked": entry(
        5, 3, "message", "customer", text="ü 🙂\n•••• 1111", device=DEVICE, n=2, keep=("card",), masked=("card",)
    ),
    "entry_released": entry(5, 3, "released", "system", name="Ann", data={"reason": "agent_lost", "gen": 2}),
    "entry_closed": entry(6, 5, "closed", "customer", data={"reason": "customer"}, device=DEVICE, n=3),
    "entry_rated": entry(7, 6, "rated", "customer", text="Thank you", data={"rating": 5}, device=DEVICE, n=4),
}

_INFO = ChatInfo(
    customer_id="019a0000-0000-7000-8000-000000000001",
    site="default",
    department="support",
    department_name="Support",
    chat_key="9f86d081884c7d659a2feaa0c55ad015",
    topic="Returns",
    order="112-7788",
    customer_name="Sam",
)
CHAT = LiveChat(
    ticket=TICKET,
    epoch=EPOCH,
    seq=4,
    pub=3,
    state="active",
    gen=1,
    owner=AGENT,
    durable=3,
    info=_INFO,
    opened_at=AT + 1,
    accepted_at=AT + 3,
    participants=(
        Participant(CUSTOMER, _INFO.customer_id, "customer", CUSTOMER_RIGHTS, "Sam"),
        Participant(AGENT, "019a0000-0000-7000-8000-000000000002", "agent", OWNER_RIGHTS, "Ann"),
    ),
    reads={AGENT: 2},
)


def page(codec: Codec, *, staff: bool, id: int | None = None, reset: bool = False) -> Page:
    names = ["entry_opened", "entry_message", "entry_assigned", *(["entry_note"] if staff else [])]
    return Page(
        id=id,
        ticket=TICKET,
        ok=None if reset else True,
        reset=reset or None,
        epoch=EPOCH,
        top=CHAT.seq if staff else CHAT.pub,
        state=CHAT.view(me=AGENT if staff else CUSTOMER, staff=staff),
        reads=dict(CHAT.reads),
        entries=[codec.embed(ENTRIES[name]) for name in names],
        more=False,
    )


def frames(codec: Codec) -> dict[str, bytes]:
    """Every frame of the server, encoded."""
    item = queue_item(TICKET, AT + 1, _INFO, "Where do I send it?")
    numbers = {"seq": 2, "prev": 1, "epoch": EPOCH, "entry_id": entry_id(2), "at": AT + 2}
    values: dict[str, Any] = {
        "welcome_customer": Welcome(
            id=1,
            connection="0000303900000001",
            now=AT,
            person={"id": _INFO.customer_id, "role": "customer"},
            limits={"frame_bytes": 32768, "text_chars": 4096, "in_flight": 16, "chats": 4, "page_entries": 200},
            ping_every=25_000,
            resume_token="resume.token",
            chats=[page(codec, staff=False), {"ticket": 100_014, "error": "not_found"}],
        ),
        "welcome_agent": Welcome(
            id=1,
            connection="0000303900000002",
            now=AT,
            person={
                "id": "019a0000-0000-7000-8000-000000000002",
                "role": "agent",
                "name": "Ann",
                "departments": [{"id": "support", "name": "Support"}],
            },
            limits={"frame_bytes": 32768, "text_chars": 4096, "in_flight": 16, "chats": 128, "page_entries": 200},
            ping_every=25_000,
            resume_token="resume.token",
            chats=[],
        ),
        "page_customer": page(codec, staff=False, id=2),
        "page_staff": page(codec, staff=True, id=2),
        "page_reset": page(codec, staff=False, id=2, reset=True),
        "page_reset_unasked": page(codec, staff=False, reset=True),
        "ack_reserve_ticket": Ack(id=2, ticket=TICKET, claim="claim"),
        "ack_open_chat": Ack(
            id=2, ticket=TICKET, n=1, **numbers, access_code="7K3MPQ2XWA", claim="claim", page=page(codec, staff=False)
        ),
        "ack_take_chat": Ack(id=2, ticket=TICKET, n=1, **numbers, gen=1, page=page(codec, staff=True)),
        "ack_post_message": Ack(id=3, ticket=TICKET, n=2, **numbers),
        "ack_masked": Ack(id=3, ticket=TICKET, n=2, **numbers, text="•••• 1111"),
        "ack_dup": Ack(id=3, ticket=TICKET, n=2, **numbers, dup=True),
        "ack_detach": Ack(id=4, ticket=TICKET),
        "ack_unwatch": Ack(id=5, topic="department:support"),
        "snapshot_department": Snapshot(
            id=6, topic="department:support", version=7, state={"waiting": [item], "count": 1}
        ),
        "error_gap": Error.of(GapError(last_n=3), id=7, ticket=TICKET, n=9),
        "error_unavailable": Error.of(UnavailableError(retry_after_ms=1_000), id=7, ticket=TICKET, n=4),
        "error_rate_limited": Error.of(RateLimitedError(retry_after_ms=251), id=7),
        "error_already_assigned": Error.of(AlreadyAssignedError(owner="Ben"), id=7, ticket=TICKET, n=1),
        "ping": Ping(),
        "pong": Pong(),
        "bye": Bye(after_ms=1_500, reconnect=True),
    }
    department = {"op": "event", "topic": "department:support"}
    events = {
        **ENTRIES,
        "durable": durable_event(TICKET, EPOCH, 3),
        "event_typing": transient_event(ticket=TICKET, type="typing", participant=AGENT, name="Ann"),
        "event_read": transient_event(ticket=TICKET, type="read", participant=CUSTOMER, seq=3),
        "event_queue": transient_event(ticket=TICKET, type="queue", place=1, waiting=2),
        "event_queued": msgpack.packb(department | {"version": 8, "type": "queued", "item": item}),
        "event_left": msgpack.packb(department | {"version": 9, "type": "left", "ticket": TICKET, "taken_by": "Ann"}),
    }
    encoded = {name: codec.encode(value) for name, value in values.items()}
    encoded |= {name: codec.event(event) for name, event in events.items()}
    return encoded


def commands() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every command of a client, with all its fields."""
    where = {"ticket": TICKET, "epoch": EPOCH, "seq": 2, "entry_id": entry_id(2)}
    yield "hello_pass", {"op": "hello", "id": 1, "pass": "p_5h", "device": DEVICE}
    yield "hello_resume", {"op": "hello", "id": 1, "resume_token": "resume.token", "device": DEVICE, "chats": [where]}
    yield "attach", {"op": "attach", "id": 2, **where, "limit": 50}
    yield "pull", {"op": "pull", "id": 2, "ticket": TICKET}
    yield "detach", {"op": "detach", "id": 3, "ticket": TICKET}
    yield "reserve_ticket", {"op": "reserve_ticket", "id": 2, "chat_key": _INFO.chat_key}
    yield (
        "open_chat",
        {
            "op": "open_chat",
            "id": 2,
            "chat_key": _INFO.chat_key,
            "claim": "claim",
            "text": "Where do I send it?",
            "department": "support",
            "topic": "Returns",
            "order": "112-7788",
            "product": "Kettle",
            "name": "Sam",
            "email": "sam@example.com",
            "locale": "en-GB",
            "page_url": "https://shop.example/orders",
            "regarding": [100_014],
        },
    )
    yield "take_chat", {"op": "take_chat", "id": 2, "ticket": TICKET, "n": 1}
    yield (
        "post_message",
        {"op": "post_message", "id": 3, "ticket": TICKET, "n": 2, "text": "ü 🙂", "gen": 1, "keep": ["card"]},
    )
    yield "post_note", {"op": "post_note", "id": 3, "ticket": TICKET, "n": 2, "text": "Has called before."}
    yield "close_chat", {"op": "close_chat", "id": 4, "ticket": TICKET, "n": 3, "gen": 1}
    yield "rate_chat", {"op": "rate_chat", "id": 5, "ticket": TICKET, "n": 4, "rating": 5, "text": "Thank you"}
    yield "watch", {"op": "watch", "id": 6, "topic": "department:support"}
    yield "unwatch", {"op": "unwatch", "id": 7, "topic": "department:support"}
    yield "read", {"op": "read", "ticket": TICKET, "seq": 3}
    yield "typing", {"op": "typing", "ticket": TICKET}


def golden() -> dict[str, dict[str, Any]]:
    """The content of every file, by its name."""
    binary, text = frames(MessagePack()), frames(Json())
    found: dict[str, dict[str, Any]] = {}
    for name, frame in binary.items():
        found[name] = {
            "name": name,
            "from": "server",
            "json": json.loads(text[name]),
            "msgpack_hex": frame.hex(),
        }
    for name, command in commands():
        found[f"command_{name}"] = {
            "name": f"command_{name}",
            "from": "client",
            "json": command,
            "msgpack_hex": msgpack.packb(command).hex(),
        }
    return found


def write() -> None:
    """Writes the files."""
    for name, content in golden().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write()

__all__ = ["FOLDER", "commands", "golden"]
