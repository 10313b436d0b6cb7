"""One socket for all tabs of a browser: whoever has it may be closed, crash or freeze; everything is sent once."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Error, Page, Route, WebSocket, expect

from tests.e2e.pages import Agent, Customer
from tests.e2e.test_whole_chat import recorded
from tests.support.server import RunningServer, make_agent, wait_until

NewBrowser = Callable[..., Page]


class Tabs:
    """The tabs of one browser, and the WebSockets that each has open."""

    def __init__(self, first: Page) -> None:
        self.context = first.context
        self._open: dict[Page, list[WebSocket]] = {}
        self.watch(first)

    def watch(self, page: Page) -> Page:
        found = self._open[page] = []
        page.on("websocket", lambda socket: found.append(socket) if socket.url.endswith("/ws") else None)
        return page

    def another(self) -> Page:
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        return self.watch(page)

    def sockets(self, page: Page) -> int:
        """How many are open."""
        return sum(not one.is_closed() for one in self._open[page])

    def ever(self, page: Page) -> int:
        """How many there have been."""
        return len(self._open[page])


@pytest.fixture
def chat(server: RunningServer, new_browser: NewBrowser) -> tuple[RunningServer, Tabs, Agent, Customer]:
    """A customer in a chat with an agent who has one tab."""
    make_agent(server.data, "ann@shop.example", "Ann")
    page = new_browser()
    tabs = Tabs(page)
    agent = Agent(page, server.base)
    agent.sign_in("ann@shop.example")
    customer = Customer(new_browser(), server.port)
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
    agent.take_oldest()
    return server, tabs, agent, customer


def second_tab(tabs: Tabs, agent: Agent) -> Agent:
    """Another tab at the same chat."""
    page = tabs.another()
    page.goto(agent.page.url)
    expect(page.get_by_label("Write to the customer")).to_be_visible()
    return Agent(page, agent.base)


def said_once(server: RunningServer, ticket: int, tabs: tuple[Agent | Customer, ...], *texts: str) -> None:
    """Each of these is there once, in this order, on every screen and in the record."""
    wait_until(lambda: len(recorded(server, ticket)) >= len(texts), "everything is in the record")
    assert recorded(server, ticket) == list(texts)
    for tab in tabs:
        log = tab.log().text_content() or ""  # also what is scrolled out of sight
        places = [log.find(text) for text in texts]
        assert places == sorted(places), f"not in order: {log}"
        for text in texts:
            assert log.count(text) == 1, f"{text!r} is there once: {log}"


def say_at_once(tab: Agent, *texts: str) -> None:
    """Without waiting in between for anything that the browser's driver waits for."""
    tab.page.get_by_label("Write to the customer").evaluate(
        """async (area, texts) => {
            for (const text of texts) {
                area.value = text;
                area.dispatchEvent(new InputEvent("input", {bubbles: true}));
                await new Promise(requestAnimationFrame);
                area.form.requestSubmit();
                await new Promise(requestAnimationFrame);
            }
        }""",
        list(texts),
    )


def test_two_tabs_have_one_socket(chat: tuple[RunningServer, Tabs, Agent, Customer]) -> None:
    server, tabs, one, customer = chat
    two = second_tab(tabs, one)
    expect(two.log()).to_contain_text("hello?")
    one.say("from tab one")
    expect(two.log()).to_contain_text("from tab one")
    two.say("from tab two")
    expect(one.log()).to_contain_text("from tab two")
    customer.say("from the customer")
    for log in (one.log(), two.log()):
        expect(log).to_contain_text("from the customer")
    assert (tabs.sockets(one.page), tabs.ever(two.page)) == (1, 0), "the second tab never had one"
    said_once(
        server, customer.ticket(), (one, two, customer), "hello?", "from tab one", "from tab two", "from the customer"
    )


def test_the_tab_with_the_socket_is_closed(chat: tuple[RunningServer, Tabs, Agent, Customer]) -> None:
    server, tabs, one, customer = chat
    two = second_tab(tabs, one)
    say_at_once(two, "a1", "a2")
    one.page.close()
    say_at_once(two, "a3", "a4")
    expect(customer.log()).to_contain_text("a4")
    assert tabs.sockets(two.page) == 1
    three = second_tab(tabs, two)
    three.say("a5")
    expect(two.log()).to_contain_text("a5")
    assert tabs.ever(three.page) == 0
    said_once(server, customer.ticket(), (two, three, customer), "hello?", "a1", "a2", "a3", "a4", "a5")


def test_the_tab_with_the_socket_crashes(chat: tuple[RunningServer, Tabs, Agent, Customer]) -> None:
    server, tabs, one, customer = chat
    two = second_tab(tabs, one)
    say_at_once(one, "b1", "b2")
    say_at_once(two, "b3")
    with one.page.expect_event("crash"), contextlib.suppress(Error):
        one.page.goto("chrome://crash")
    say_at_once(two, "b4", "b5")
    expect(customer.log()).to_contain_text("b5")
    assert tabs.sockets(two.page) == 1
    said_once(server, customer.ticket(), (two, customer), "hello?", "b1", "b2", "b3", "b4", "b5")


def test_the_tab_with_the_socket_freezes(chat: tuple[RunningServer, Tabs, Agent, Customer]) -> None:
    server, tabs, one, customer = chat
    two = second_tab(tabs, one)
    two.say("c1")
    expect(one.log()).to_contain_text("c1")
    # A page that the debugger holds does nothing at all, as one that the browser has frozen.
    debugger = tabs.context.new_cdp_session(one.page)
    debugger.send("Debugger.enable")
    debugger.send("Debugger.pause")
    say_at_once(two, "c2", "c3")
    expect(customer.log()).to_contain_text("c3")
    assert tabs.sockets(two.page) == 1, "it took over"
    debugger.send("Debugger.disable")
    say_at_once(one, "c4")
    expect(customer.log()).to_contain_text("c4")
    say_at_once(two, "c5")
    expect(one.log()).to_contain_text("c5")
    assert (tabs.sockets(one.page), tabs.sockets(two.page)) == (0, 1), "the frozen one follows now"
    said_once(server, customer.ticket(), (one, two, customer), "hello?", "c1", "c2", "c3", "c4", "c5")


def test_what_was_written_offline_is_sent_after_a_reload(chat: tuple[RunningServer, Tabs, Agent, Customer]) -> None:
    server, tabs, one, customer = chat
    two = second_tab(tabs, one)
    tabs.context.set_offline(True)
    for tab in (one, two):
        expect(tab.page.get_by_text("You are offline. Your messages will be sent when you are back.")).to_be_visible()
    say_at_once(one, "d1", "d2")
    expect(two.log()).to_contain_text("d2")
    say_at_once(two, "d3")
    expect(one.log().get_by_label("Sending").last).to_be_attached()
    expect(one.log()).to_contain_text("d3")
    server.kill9()  # a page cannot be reloaded while it is offline; and nothing must be sent before it was
    tabs.context.set_offline(False)
    one.page.close()
    two.page.close()
    server.start()
    three = second_tab(tabs, one)
    expect(customer.log()).to_contain_text("d3", timeout=40_000)
    said_once(server, customer.ticket(), (three, customer), "hello?", "d1", "d2", "d3")


def test_the_widget_on_two_pages_of_a_shop(server: RunningServer, new_browser: NewBrowser) -> None:
    page = new_browser()
    tabs = Tabs(page)
    one = Customer(page, server.port)
    page.goto(f"{server.base}/")
    one.open_widget()
    two = Customer(tabs.another(), server.port)
    two.page.goto(f"{server.base}/")
    two.open_widget()
    one.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
    expect(one.panel.get_by_text("You are next.")).to_be_visible()
    expect(two.panel.get_by_text("You are next.")).to_be_visible()
    assert two.access_code() == one.access_code()
    two.say("from page two")
    one.say("from page one")
    for log in (one.log(), two.log()):
        expect(log).to_contain_text("from page two")
        expect(log).to_contain_text("from page one")
    assert (tabs.sockets(one.page), tabs.ever(two.page)) == (1, 0)
    ticket = two.ticket()
    one.page.close()
    two.say("from the page that is left")
    expect(two.log().get_by_label(re.compile("^Sent")).last).to_be_visible()
    wait_until(lambda: "from the page that is left" in recorded(server, ticket), "it is in the record")
    texts = recorded(server, ticket)
    assert sorted(texts) == sorted(["hello?", "from page two", "from page one", "from the page that is left"])


def test_two_tabs_that_come_at_the_same_moment_are_one_customer(server: RunningServer, new_browser: NewBrowser) -> None:
    """The second asks while the first has no answer yet."""
    tabs = Tabs(new_browser())
    customers = [Customer(page, server.port) for page in (*tabs.context.pages, tabs.another())]
    asked: list[Route] = []
    tabs.context.route("**/api/v1/customer-sessions", lambda route: asked.append(route))
    for customer in customers:
        customer.page.goto(f"{server.base}/")  # not from another site: a new browser gives its frames no storage
        customer.page.get_by_role("button", name="Open chat").click()
        expect(customer.panel.get_by_role("status", name="Loading")).to_be_visible()
        while not asked:
            customer.page.wait_for_timeout(20)
    known = []
    while len(known) < 2:
        if asked:
            route = asked.pop(0)
            answer = route.fetch()
            known.append(answer.json()["customer_id"])
            route.fulfill(response=answer)
        customers[0].page.wait_for_timeout(20)
    for customer in customers:
        expect(customer.panel.get_by_role("heading", name="How can we help?")).to_be_visible()
    assert len(set(known)) == 1
