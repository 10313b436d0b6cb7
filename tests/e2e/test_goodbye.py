"""A rolling restart as people see it: not at all."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.e2e.pages import Agent, Customer
from tests.e2e.test_whole_chat import recorded
from tests.support.balancer import Balancer
from tests.support.client import PATIENCE
from tests.support.ports import free_port
from tests.support.server import RunningServer, make_agent, wait_until

NewBrowser = Callable[..., Page]

# Notes down every banner that is there for however short a time.
WATCH = """() => {
    window.seen = [];
    const look = () => document.querySelectorAll(".banner").forEach((one) => window.seen.push(one.textContent));
    new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


class Visit:
    """A page with a clock that stands still where a machine's speed would show, and what it was told by whom."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.sockets = 0
        self.heard: list[dict[str, Any]] = []
        page.on("websocket", self._watch)
        page.context.clock.install()

    def _watch(self, socket: WebSocket) -> None:
        self.sockets += 1
        socket.on("framereceived", self._hear)

    def _hear(self, payload: str | bytes) -> None:
        self.heard += [json.loads(line) for line in str(payload).split("\n") if line]

    def all(self, op: str) -> list[dict[str, Any]]:
        """What it was told of this kind."""
        return [frame for frame in self.heard if frame["op"] == op]

    def until(self, op: str, count: int) -> dict[str, Any]:
        """Waits for the `count`th of this kind."""
        for _ in range(int(PATIENCE * 50)):
            if len(found := self.all(op)) >= count:
                return found[count - 1]
            self.page.wait_for_timeout(20)  # the page's own clock has no part in it
        raise AssertionError(f"no {op} after {[frame['op'] for frame in self.heard]}")

    def hold(self) -> None:
        """From now on only `pass_by` lets time pass here."""
        self.page.context.clock.pause_at(self.page.evaluate("Date.now()") / 1000 + 1)  # seconds

    def pass_by(self, ms: int) -> None:
        self.page.context.clock.run_for(ms)

    def go_on(self) -> None:
        self.page.context.clock.resume()


@dataclass
class Installation:
    """Two nodes behind one address."""

    front: Balancer
    nodes: tuple[RunningServer, RunningServer]
    ports: tuple[int, int]

    def restart(self, number: int, visits: list[Visit], meanwhile: Callable[[str], None]) -> None:
        """As docs/operating.md says: new connections go elsewhere, then the node ends and begins again."""
        node, done = self.nodes[number], len(visits[0].all("bye"))
        self.front.target = self.ports[1 - number]
        for visit in visits:
            visit.hold()
        node.tell(signal.SIGTERM)
        byes = [visit.until("bye", done + 1) for visit in visits]
        meanwhile("after the goodbye")
        for visit, bye in zip(visits, byes, strict=True):
            visit.pass_by(bye["after_ms"])
            visit.until("welcome", done + 2)
            visit.go_on()
        assert node.ended() == 0
        node.start()
        wait_until(lambda: self.is_ready(number), "the node is back")

    def is_ready(self, number: int) -> bool:
        """Of the node itself: its own address is that of the balancer."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[number]}/readyz", timeout=5, verify=False).is_success
        except httpx.HTTPError:
            return False


@pytest.fixture
def installation() -> Iterator[Installation]:
    with Balancer() as front:
        ports = free_port(), free_port()
        env = {
            "CHAT_PUBLIC_URL": f"http://127.0.0.1:{front.port}",
            "CHAT_SITE_ORIGINS": f"http://localhost:{front.port}",
            "CHAT_DEMO": "1",
            "CHAT_DRAIN_SECONDS": "1",  # less than the trouble that is worth a word
        }
        front.target = ports[0]
        with RunningServer("--port", str(ports[0]), env=env) as first:
            make_agent(first.data, "ann@shop.example", "Ann")
            with RunningServer("--no-worker", "--port", str(ports[1]), env=env, beside=first) as second:
                made = Installation(front, (first, second), ports)
                wait_until(lambda: made.is_ready(1), "the second node is ready")
                yield made


def test_nobody_sees_a_rolling_restart(new_browser: NewBrowser, installation: Installation) -> None:
    server = installation.nodes[0]
    agent, customer = Agent(new_browser(), server.base), Customer(new_browser(), server.port)
    visits = [Visit(agent.page), Visit(customer.page)]
    agent.sign_in("ann@shop.example")
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
    agent.take_oldest()
    expect(customer.log()).to_contain_text("Ann joined the chat")
    panel = next(frame for frame in customer.page.frames if "/widget/frame" in frame.url)
    for frame in (agent.page.main_frame, panel):
        frame.evaluate(WATCH)

    said: dict[str, list[str]] = {"customer": [], "agent": []}

    def say(when: str) -> None:
        for who, person in (("customer", customer), ("agent", agent)):
            said[who].append(f"{who} {len(said[who])} {when}")
            person.say(said[who][-1])

    for number in (0, 1):
        say("before")
        installation.restart(number, visits, say)
        say("elsewhere")
    for log in (customer.log(), agent.log()):
        for who in said:
            expect(log).to_contain_text(said[who][-1])

    for visit in visits:
        assert len(visit.all("bye")) == 2
        assert visit.sockets == len(visit.all("welcome")) == 3, "it went once for each goodbye, and was let in at once"
    for frame in (agent.page.main_frame, panel):
        assert frame.evaluate("window.seen") == []
    ticket = customer.ticket()
    wait_until(lambda: len(recorded(server, ticket)) == 13, "everything is in the record")
    for who in said:
        assert [text for text in recorded(server, ticket) if text.startswith(who)] == said[who]
