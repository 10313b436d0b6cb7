"""A rolling restart as people see it: not at all."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable

from playwright.sync_api import Frame, Page, WebSocket, expect

from tests.e2e.pages import Agent, Customer
from tests.e2e.test_whole_chat import recorded
from tests.support.server import RunningServer, alive, make_agent, wait_until

NewBrowser = Callable[..., Page]
QUIET_SECONDS = 1.5

# Notes down every banner that is there for however short a time.
WATCH = """() => {
    window.seen = [];
    const look = () => document.querySelectorAll(".banner").forEach((one) => window.seen.push(one.textContent));
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


class Goodbyes:
    """How many a page has heard, over how many sockets it has talked, and for how long it had none at most."""

    def __init__(self, page: Page) -> None:
        self.heard = 0
        self.sockets = 0
        self.longest = 0.0
        self._lost: float | None = None
        page.on("websocket", self._watch)

    def _watch(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framereceived", self._hear)
        socket.on("close", lambda _: self._lose())

    def _hear(self, payload: str | bytes) -> None:
        if self._lost is not None:
            self.longest, self._lost = max(self.longest, time.monotonic() - self._lost), None
        self.heard += sum(json.loads(line)["op"] == "bye" for line in str(payload).split("\n") if line)

    def _lose(self) -> None:
        self._lost = self._lost or time.monotonic()


def test_nobody_sees_a_rolling_restart(new_browser: NewBrowser) -> None:
    with RunningServer("--workers", "2", env={"CHAT_DRAIN_SECONDS": "3"}) as server:
        make_agent(server.data, "ann@shop.example", "Ann")
        agent, customer = Agent(new_browser(), server.base), Customer(new_browser(), server.port)
        goodbyes = [Goodbyes(agent.page), Goodbyes(customer.page)]
        agent.sign_in("ann@shop.example")
        customer.visit()
        customer.open_widget()
        customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
        agent.take_oldest()
        expect(customer.log()).to_contain_text("Ann joined the chat")
        panel: Frame = next(frame for frame in customer.page.frames if "/widget/frame" in frame.url)
        for frame in (agent.page.main_frame, panel):
            frame.evaluate(WATCH)

        said = ["hello?"]
        for child in server.children():
            os.kill(child, signal.SIGTERM)
            while alive(child):
                said += [f"customer {len(said)}", f"agent {len(said) + 1}"]
                customer.say(said[-2])
                agent.say(said[-1])
                agent.page.wait_for_timeout(200)
        for log in (customer.log(), agent.log()):
            expect(log).to_contain_text(said[-1])
            expect(log).to_contain_text(said[-2])

        for one in goodbyes:
            assert one.heard >= 1
            assert one.sockets > one.heard, "it went at each goodbye"
        for one, frame in zip(goodbyes, (agent.page.main_frame, panel), strict=True):
            seen = frame.evaluate("window.seen")
            # On a machine that needs as long as that to connect, a word about it is right.
            assert seen == [] or one.longest > QUIET_SECONDS, f"{seen} after {one.longest} s"
        ticket = customer.ticket()
        wait_until(lambda: len(recorded(server, ticket)) == len(said), "everything is in the record")
        for who in ("customer", "agent"):
            assert [text for text in recorded(server, ticket) if text.startswith(who)] == [
                text for text in said if text.startswith(who)
            ]
