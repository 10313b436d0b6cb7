"""The reading half of a chat: asks for pages, gives what comes to the `ChatState`, and notices what is missing."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from chatserver.client.chat_state import ChatState, Entry, Frame
from chatserver.client.observations import Durable, Reset, Seen

if TYPE_CHECKING:
    from chatserver.client.chats import Chat

# How long an entry may wait for its predecessor; doubled with each pull that did not bring it.
HOLE_SECONDS, HOLE_TOP_SECONDS = 0.3, 10.0
UNDECIDED = ("unavailable", "rate_limited")


class Reader:
    """A chat's log on this side."""

    __slots__ = ("_chat", "_fetching", "_patience", "attached", "rebuilding", "state")

    def __init__(self, chat: Chat, ticket: int) -> None:
        self.state = ChatState(ticket, staff=chat.chats.staff, kept=chat.chats.kept)
        self.attached = False  # we want its entries, now and after each reconnect
        self.rebuilding = False  # a reset's pages are still coming: what they hold need not be sent again
        self._chat = chat
        self._fetching = False
        self._patience: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A new connection: what was asked on the old one is not answered."""
        self.state.staff = self._chat.chats.staff
        self._fetching = self.rebuilding = False

    def fetch(self, op: str) -> None:
        """Asks for what is missing (`pull`), or for that and everything from now on (`attach`)."""
        chat, uplink = self._chat, self._chat.chats.uplink
        if chat.here and chat.ticket and uplink.online and not (op == "pull" and self._fetching):
            self._fetching = True
            uplink.ask({"op": op, "ticket": chat.ticket} | self.state.position, partial(self._fetched, op))

    def check(self) -> None:
        """Nothing is sent before it is known whether the history is still ours."""
        self.rebuilding = True
        if not self._fetching:  # else: the server answers a chat's commands in order, that answer will tell
            self.fetch("attach" if self.attached else "pull")

    def _fetched(self, op: str, answer: Frame) -> None:
        self._fetching = False
        if answer["op"] == "page" or answer["code"] == "not_found":
            self.take_attached(answer)
        elif answer["code"] == "reset":
            self.fetch("attach")
        elif answer["code"] in UNDECIDED:
            self._chat.chats.loop.call_later(answer.get("retry_after_ms", 1_000) / 1_000, self.fetch, op)

    # -- what came

    def take_attached(self, answer: Frame) -> None:
        """A page that was asked for, or that there is no such chat for us."""
        if answer.get("op") == "page":
            self.take_page(answer)
        else:
            self.rebuilding = False
            self._chat.writer.missing()

    def take_page(self, page: Frame) -> None:
        """A part of the log."""
        self.begin_again(page)
        self.fill(page)

    def begin_again(self, page: Frame) -> None:
        """When the page is of another history: nothing of ours is known to be in that."""
        chat = self._chat
        if self.state.begins_again(page):
            self.rebuilding = True
            chat.chats.observe(Reset(page["ticket"], page["epoch"], page["top"]))
            chat.writer.reset()

    def fill(self, page: Frame) -> None:
        """Takes in the page's entries and facts."""
        chat, state = self._chat, self.state
        if chat.writer.line.is_of_another_epoch(page["epoch"]):
            chat.writer.reset()  # rebuilt between an ack and its page: no `durable` will name that place
        durable = state.durable
        new = state.take_page(page)
        for entry in page["entries"]:
            chat.writer.find_own(entry)
        self._see(new)
        if state.durable != durable and state.durable[1]:
            chat.chats.observe(Durable(page["ticket"], *state.durable))
        chat.writer.learn(state)
        if not page["more"]:
            self.rebuilding = False
            chat.writer.go_on()
        self._look_for_holes()

    def take_entry(self, entry: Entry) -> None:
        """The next entry, or a later one, or one that is here already."""
        self._chat.writer.find_own(entry)
        self.take_own(entry)

    def take_own(self, entry: Entry) -> None:
        """The entry that an ack of ours stands for."""
        self._see(self.state.take_entry(entry))
        self._look_for_holes()

    def take_durable(self, frame: Frame) -> None:
        """Up to where it is in the database."""
        if self.state.take_durable(frame):
            self._chat.chats.observe(Durable(frame["ticket"], frame["epoch"], frame["seq"]))
        self._chat.writer.durable(frame["epoch"], frame["seq"])

    def _see(self, new: list[Entry]) -> None:
        for entry in new:
            self._chat.chats.observe(
                Seen(
                    entry["ticket"],
                    entry["epoch"],
                    entry["seq"],
                    entry["prev"],
                    entry["entry_id"],
                    entry["kind"],
                    entry.get("text"),
                    entry["participant"],
                    entry.get("device"),
                    entry.get("n"),
                )
            )
            if entry["kind"] == "assigned":
                self._chat.writer.learn(self.state)

    # -- what is missing

    def look(self) -> None:
        """An ack came without a place: only the log knows it."""
        self.state.hole = True
        self._look_for_holes()

    def _look_for_holes(self) -> None:
        if self.state.more:
            self.fetch("pull")
        elif not self.state.needs_pull:
            self.calm()
        elif self._patience is None:
            self._wait(HOLE_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._patience = self._chat.chats.loop.call_later(seconds, self._out_of_patience, seconds)

    def _out_of_patience(self, waited: float) -> None:
        self._patience = None
        if self.state.needs_pull and self.attached:
            self.fetch("pull")
            self._wait(min(2 * waited, HOLE_TOP_SECONDS))

    def calm(self) -> None:
        """Nothing is missing, or nobody wants it."""
        if self._patience:
            self._patience.cancel()
            self._patience = None
