"""One reader of a chat in a test: everything that came to it since a snapshot, and how that may come otherwise.

A *tape* is a list of frames as tests/support/reducer_bridge.mjs takes them: the snapshot's pages, what the server sent
after it, and this device's own commands (so that an `ack` can stand for its entry).
"""

from __future__ import annotations

import random
from typing import Any

from chatserver.client.chat_state import ChatState
from tests.support.client import Socket
from tests.support.people import position
from tests.support.reducer import Reducer

Frame = dict[str, Any]

KINDS = {"post_message": "message", "post_note": "note", "close_chat": "closed", "rate_chat": "rated"}
CORE = ("epoch", "seq", "prev", "at", "entry_id", "audience", "kind", "role", "participant", "name", "text", "data")


class Reader:
    """A socket that is attached to a chat, and its tape."""

    def __init__(self, socket: Socket, ticket: int, *, staff: bool) -> None:
        self.socket, self.ticket, self.staff = socket, ticket, staff
        self.tape: list[Frame] = []
        self.n = 0  # of this device's last command in the chat

    @property
    def reader(self) -> str:
        return "staff" if self.staff else "customer"

    def state(self) -> ChatState:
        """What the Python client would have."""
        return python_state(self)

    # -- what comes

    def take_in(self) -> None:
        """Onto the tape with what waits."""
        inbox, self.socket.inbox = list(self.socket.inbox), type(self.socket.inbox)()
        self.tape += [frame for frame in inbox if frame.get("ticket") == self.ticket and frame["op"] != "ack"]

    def took(self, frame: Frame) -> None:
        """An answer has come, after what waits."""
        self.take_in()
        self.tape.append(frame)

    async def attach(self) -> None:
        """From where it is."""
        where = {name: value for name, value in self.state().position.items()} if self.tape else {}
        page = await self.socket.call("attach", ticket=self.ticket, **where)
        self.took(page)
        await self.pull_rest()

    async def pull_rest(self) -> None:
        """Until the last page is not full."""
        while self.state().more:
            await self.pull()

    async def pull(self) -> None:
        """What is missing after the last entry."""
        self.took(await self.socket.call("pull", ticket=self.ticket, **self.state().position))

    async def fresh(self) -> list[Frame]:
        """A snapshot of now."""
        pages = [await self.socket.call("pull", ticket=self.ticket)]
        while pages[-1]["more"]:
            pages.append(await self.socket.call("pull", **position(pages[-1]["entries"][-1])))
        self.take_in()
        return pages

    # -- what it does

    def command(self, op: str, **fields: Any) -> Frame:
        """The next command, noted as one that has been sent."""
        self.n += 1
        self.tape.append({"op": op, "key": f"key-{self.n}", "n": self.n, "at": 0} | fields)
        return {"ticket": self.ticket, "n": self.n} | fields

    async def do(self, op: str, **fields: Any) -> Frame:
        """Sends a command and takes its ack."""
        command = self.command(op, **fields)
        return await self.finish(op, command)

    async def finish(self, op: str, command: Frame) -> Frame:
        """Sends it, for the first time or again, and takes its ack."""
        gen = self.state().gen if op in ("post_message", "close_chat") else None
        ack = await self.socket.call(op, **command, **({} if gen is None else {"gen": gen}))
        self.took(ack | {"key": f"key-{command['n']}"})
        return ack

    async def read(self) -> None:
        """Has seen all; the server tells the others only."""
        state = self.state()
        await self.socket.send({"op": "read", "ticket": self.ticket, "seq": state.seq})
        event = {"op": "event", "topic": "chat", "ticket": self.ticket, "type": "read"}
        self.took(event | {"participant": state.me, "seq": state.seq})


# -- the two reducers


def python_state(of: Reader, tape: list[Frame] | None = None) -> ChatState:
    """The Python client's reducer."""
    state = ChatState(of.ticket, staff=of.staff)
    commands: dict[str, Frame] = {}
    for frame in of.tape if tape is None else tape:
        match frame["op"]:
            case "page":
                state.take_page(frame)
            case "entry":
                state.take_entry(frame)
            case "durable":
                state.take_durable(frame)
            case "event":
                state.take_event(frame)
            case "ack":
                command = commands[frame["key"]]
                entry = state.own_entry(frame, kind=KINDS[command["op"]], fields=command, device=of.socket.device)
                if entry:
                    state.take_entry(entry)
                else:
                    state.hole = True
            case _:
                commands[frame["key"]] = frame
    return state


def python_view(of: Reader, tape: list[Frame]) -> Frame:
    """What it comes to, without what only one side can know."""
    state = python_state(of, tape)
    return {
        "whole": not state.needs_pull and not state.more,
        "log": [_core(entry) for entry in state.log],
        "durable": state.durable,
        "reads": _others(state.reads, state.info),
        "info": _facts(state.info),
    }


def page_view(of: Reader, tape: list[Frame], reducer: Reducer) -> Frame:
    """The same of the pages' reducer."""
    view = reducer.view(tape, reader=of.reader, device=of.socket.device, ticket=of.ticket)
    return {
        "whole": not (view["needs_pull"] or view["more"] or view["pending"] or view["early"]),
        "log": [_core(entry) for entry in view["log"]],
        "durable": (view["durable"]["epoch"], view["durable"]["seq"]),
        "reads": _others(view["reads"], view["info"]),
        "info": _facts(view["info"]),
    }


def _core(entry: Frame) -> Frame:
    return {name: entry[name] for name in CORE if entry.get(name) is not None}


def _others(reads: dict[str, int], info: Frame) -> dict[str, int]:
    """Nobody is told how far they have read themselves; after a reset an older page may know less of it."""
    return {participant: seq for participant, seq in reads.items() if participant != info.get("me")}


def _facts(info: Frame) -> Frame:
    """`closing` becomes `closed` without an entry. The place in the queue is the department's affair: a hint."""
    facts = {name: value for name, value in info.items() if name not in ("durable", "queue")}
    facts["state"] = "closed" if info["state"] == "closing" else info["state"]
    facts["participants"] = sorted(info["participants"], key=lambda one: str(one["participant"]))
    return facts


# -- otherwise


def disturbed(tape: list[Frame], chance: random.Random) -> list[Frame]:
    """The same with doubled frames, and some earlier than others: all that a protocol with retries can bring about."""
    tape = list(tape)
    for _ in range(chance.randrange(1, 8)):
        movable = [at for at, frame in enumerate(tape) if _is_movable(frame)]
        if not movable:
            break
        at = chance.choice(movable)
        if chance.random() < 0.5:
            end = next((place for place in range(at, len(tape)) if tape[place].get("reset")), len(tape))
            tape.insert(chance.randint(at + 1, end), tape[at])
        else:
            begin = max(place + 1 for place in range(-1, at) if place < 0 or not _may_pass(tape[at], tape[place]))
            tape.insert(chance.randint(begin, at), tape.pop(at))
    return tape


def _is_movable(frame: Frame) -> bool:
    return frame["op"] in ("entry", "ack", "durable") or frame.get("type") == "read"


def _may_pass(frame: Frame, other: Frame) -> bool:
    """Not a page, nor what makes the chat queue (a place counts only while it does), nor its own command."""
    if other["op"] == "page" or other.get("type") == "queue":
        return False
    return "key" not in frame or other.get("key") != frame["key"]
