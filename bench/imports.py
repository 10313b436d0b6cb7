"""`make import-report`: how many messages a second `chatserver transcripts import` takes in, by the form of the file.

The dialogues are made up, the same in each form: what people write about orders, with the numbers, dates and prices
that masking has to look at. What is measured is the whole command, from its start to its end, on SQLite.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MESSAGES_A_CHAT = 10
START = 1_714_557_600

_NAMES = ("Mia", "Ben", "Ulla", "Noor", "Kim", "Iris", "Tom", "Ana")
_CUSTOMER = (
    "Hi, where is my order {order}? It should have come on {date}.",
    "The {thing} does not work any more, and I only bought it {days} days ago",
    "ok thanks",
    "My number is {phone}, call me after {hour} pm please",
    "I paid {price} and was charged {price} twice!! Can you check that?",
    "yes the tracking says {tracking} but nothing since {date}",
    "Can I still change the address? It is {number} Elm Street now, flat {days}",
    "It's the blue one, 2 litres, article {number}",
    "no",
    "Could you tell me how long the warranty of the {thing} is? I cannot find it anywhere on your page.",
)
_AGENT = (
    "Hello, thank you for writing. I am looking at order {order} now, one moment please.",
    "I see that it left our warehouse on {date} with the tracking number {tracking}.",
    "I have refunded {price}; it takes {days} to {number} days until you see it.",
    "Of course. Anything else that I can do for you?",
    "The warranty is 24 months from the day of purchase, {date} in your case.",
    "You are welcome! Have a nice day.",
)
_THINGS = ("kettle", "lamp", "charger", "blender", "coffee machine", "headset")


def main() -> None:
    """Prints a line for each form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=40_000)
    parser.add_argument("--form", choices=list(FORMS), action="append", help="only this (default: all)")
    options = parser.parse_args()
    chats = list(_chats(random.Random(7), options.messages // MESSAGES_A_CHAT))
    for name in options.form or FORMS:
        with tempfile.TemporaryDirectory(prefix="chat-import-") as folder:
            file = Path(folder, "chats.jsonl")
            file.write_text("".join(json.dumps(FORMS[name](chat)) + "\n" for chat in chats))
            seconds, cpu = _timed(file, Path(folder, "data"), len(chats))
        messages = len(chats) * MESSAGES_A_CHAT
        print(
            f"{name:13} {messages:>7,} messages  {seconds:5.1f} s  {messages / seconds:>7,.0f} messages/s  "
            f"{cpu / messages * 1e6:4.0f} µs of CPU each",
            flush=True,
        )


def _timed(file: Path, data: Path, chats: int) -> tuple[float, float]:
    """Seconds by the clock, and of CPU."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "chatserver", "transcripts", "import", str(file), "--data", str(data)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    if done.stdout.count(b"\n") != chats:
        raise SystemExit(f"{done.stdout.count(bytes([10]))} of {chats} chats were imported")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


def _chats(chance: random.Random, count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        at = START + number * 700
        said = [(at + 20 * i, i % 2 == 0, _text(chance, i)) for i in range(MESSAGES_A_CHAT)]
        yield {"id": number + 1, "at": at, "customer": chance.choice(_NAMES), "agent": "Ann", "said": said}


def _text(chance: random.Random, place: int) -> str:
    return chance.choice(_AGENT if place % 2 else _CUSTOMER).format(
        order=f"D{chance.randrange(10, 99)}-{chance.randrange(10**7):07}-{chance.randrange(10**7):07}",
        date=f"{chance.randrange(1, 29)} May",
        thing=chance.choice(_THINGS),
        days=chance.randrange(2, 30),
        hour=chance.randrange(1, 9),
        number=chance.randrange(100, 100_000),
        phone=f"+1 555 01{chance.randrange(100):02} {chance.randrange(1000):03}",
        price=f"${chance.randrange(5, 300)}.{chance.randrange(100):02}",
        tracking=f"1Z{chance.randrange(10**9):09}",
    )


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _jsonl(chat: dict[str, Any]) -> dict[str, Any]:
    return {
        "external_id": f"t-{chat['id']}",
        "topic": "Orders",
        "customer": {"id": f"c-{chat['id']}", "name": chat["customer"]},
        "agent": {"name": chat["agent"]},
        "entries": [
            {"role": "customer" if theirs else "agent", "text": text, "at": _iso(at)}
            for at, theirs, text in chat["said"]
        ],
    }


def _chatwoot(chat: dict[str, Any]) -> dict[str, Any]:
    agent, contact = {"id": 3, "name": chat["agent"], "type": "user"}, {"id": chat["id"], "name": chat["customer"]}
    return {
        "meta": {"sender": contact | {"identifier": f"c-{chat['id']}"}, "assignee": agent, "team": {"name": "orders"}},
        "id": chat["id"],
        "account_id": 1,
        "created_at": chat["at"],
        "labels": ["orders"],
        "messages": [
            {
                "id": number,
                "content": text,
                "message_type": 0 if theirs else 1,
                "created_at": at,
                "private": False,
                "sender": contact if theirs else agent,
            }
            for number, (at, theirs, text) in enumerate(chat["said"])
        ],
    }


def _zendesk(chat: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"2405.{chat['id']}.QeUip",
        "type": "chat",
        "visitor": {"id": f"1.{chat['id']}", "name": chat["customer"]},
        "timestamp": _iso(chat["at"]),
        "department_name": "orders",
        "agent_names": [chat["agent"]],
        "tags": ["orders"],
        "history": [
            {
                "type": "chat.msg",
                "timestamp": _iso(at),
                "name": chat["customer"] if theirs else chat["agent"],
                "nick": "visitor:1" if theirs else "agent:3",
                "msg": text,
            }
            for at, theirs, text in chat["said"]
        ],
    }


def _intercom(chat: dict[str, Any]) -> dict[str, Any]:
    """Each third message with more than a paragraph of HTML."""
    authors = {
        True: {"type": "user", "id": f"u{chat['id']}", "name": chat["customer"]},
        False: {"type": "admin", "id": 3, "name": chat["agent"], "email": "ann@shop.example"},
    }
    parts = [
        {
            "created_at": at,
            "part_type": "comment",
            "body": f"<p>{text.replace('. ', '.<br>', 1) if at % 3 == 0 else text}</p>",
            "author": authors[theirs],
            "attachments": [],
        }
        for at, theirs, text in chat["said"]
    ]
    return {
        "id": str(chat["id"]),
        "created_at": chat["at"],
        "updated_at": chat["at"] + 600,
        "title": "Orders",
        "source": parts[0] | {"subject": ""},
        "contacts": {"contacts": [{"id": f"u{chat['id']}", "external_id": f"c-{chat['id']}"}]},
        "admin_assignee_id": 3,
        "conversation_parts": {"conversation_parts": parts[1:]},
    }


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "jsonl": _jsonl,
    "chatwoot": _chatwoot,
    "zendesk-chat": _zendesk,
    "intercom": _intercom,
}

if __name__ == "__main__":
    main()
