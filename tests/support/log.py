"""Reading a chat's whole log, and what has to be true of it."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.client import PATIENCE, Refused, Socket
from tests.support.people import position


async def whole_log(socket: Socket, ticket: int) -> list[dict[str, Any]]:
    """Everything that this reader may see, by `pull`."""
    entries: list[dict[str, Any]] = []
    where: dict[str, Any] = {"ticket": ticket}
    while True:
        page = await socket.call("pull", **where)
        entries += page["entries"]
        if not page["more"]:
            return entries
        where = position(page["entries"][-1])


async def until_heard(socket: Socket, ticket: int, text: str) -> dict[str, Any]:
    """Waits for an entry with this text, by itself or on a page that this socket was sent."""
    while True:
        value = await socket.until_any(("entry", "page"), ticket=ticket)
        for entry in value["entries"] if value["op"] == "page" else [value]:
            if entry.get("text") == text:
                return dict(entry)


async def until_durable(socket: Socket, ticket: int) -> int:
    """Waits until everything in the log so far is in the database; the number of the last entry."""
    async with asyncio.timeout(PATIENCE):
        while True:
            page = await socket.call("pull", ticket=ticket)
            if page["state"]["durable"] >= page["top"]:
                top: int = page["top"]
                return top
            await asyncio.sleep(0.02)


async def until_state(socket: Socket, ticket: int, state: str) -> None:
    """Waits until the chat is in this state."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if (await socket.call("pull", ticket=ticket))["state"]["state"] == state:
                return
            await asyncio.sleep(0.02)


async def repeat(socket: Socket, op: str, **fields: Any) -> tuple[dict[str, Any], int]:
    """Repeats a command unchanged while it is undecided; its ack, and how often it was `unavailable`."""
    refusals = 0
    async with asyncio.timeout(PATIENCE):
        while (reply := await socket.until_reply(await socket.start(op, **fields)))["op"] == "error":
            if reply["code"] != "unavailable":
                raise Refused(reply)
            assert reply["retry_after_ms"] > 0
            refusals += 1
            await asyncio.sleep(0.02)
    return reply, refusals


def assert_one_order(entries: list[dict[str, Any]], *acks: dict[str, Any]) -> None:
    """Staff's log has no hole and nothing twice, and every acknowledged command is where its ack said."""
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry["entry_id"] for entry in entries}) == len(entries)
    commands = [(entry["participant"], entry["device"], entry["n"]) for entry in entries if "n" in entry]
    assert len(set(commands)) == len(commands)
    public = 0
    for entry in entries:
        assert entry["prev"] == public
        public = entry["seq"] if entry["audience"] == "all" else public
    for ack in acks:
        entry = entries[ack["seq"] - 1]
        assert {name: entry[name] for name in ("entry_id", "n", "at", "prev")} == {
            name: ack[name] for name in ("entry_id", "n", "at", "prev")
        }
