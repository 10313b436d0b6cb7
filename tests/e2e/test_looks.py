"""Every screen of the pages, small and large, light and dark: axe-core is content, nothing sticks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages import Agent, Customer, Screenshots, axe_violations
from tests.support.server import RunningServer, found, make_agent, wait_until

NewBrowser = Callable[..., Page]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3
SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@pytest.fixture(scope="module")
def looked_at() -> Iterator[RunningServer]:
    with RunningServer() as running:
        make_agent(running.data, "ann@shop.example", "Ann")
        yield running


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_screen(
    looked_at: RunningServer, new_browser: NewBrowser, screenshots: Screenshots, size: str, scheme: str
) -> None:
    server = looked_at
    width, height = SIZES[size]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    agent, customer = Agent(new_browser(**options), server.base), Customer(new_browser(**options), server.port)

    def look(page: Page, name: str) -> None:
        expect(page.locator("[aria-busy=true]")).to_have_count(0)  # what is being asked for anew is dimmed meanwhile
        screenshots.take(page, f"{name}_{size}_{scheme}")
        assert axe_violations(page) == [], name
        for frame in page.frames:
            wide = frame.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name}: {frame.url} is {wide} px too wide"

    agent.page.goto(f"{server.base}/console")
    expect(agent.page.get_by_label("Email")).to_be_visible()
    look(agent.page, "console_sign_in")
    agent.sign_in("ann@shop.example")
    look(agent.page, "console_empty")

    customer.visit()
    look(customer.page, "shop")
    customer.open_widget()
    look(customer.page, "widget_home")
    customer.start_chat(topic="Returns", order="112-7788231", name=LONG[:90], message=f"It came dented. {LONG}")
    expect(customer.panel.get_by_text("You are next.")).to_be_visible()
    look(customer.page, "widget_queue")
    ticket, code = customer.ticket(), customer.access_code()
    expect(agent.page.get_by_text("Returns").first).to_be_visible()
    look(agent.page, "console_queue")
    agent.take_oldest()
    agent.say("Let me see. " + LONG)
    expect(customer.log()).to_contain_text("Let me see.")
    customer.say("My card is 4111 1111 1111 1111.")
    expect(agent.log()).to_contain_text("•••• 1111")
    look(agent.page, "console_chat")
    look(customer.page, "widget_chat")
    agent.close_chat()
    look(agent.page, "console_closed")
    expect(customer.log()).to_contain_text("Ann ended this chat")
    look(customer.page, "widget_ended")
    customer.page.context.set_offline(True)
    expect(customer.panel.get_by_text("You are offline")).to_be_visible()
    look(customer.page, "widget_offline")

    wait_until(lambda: ticket in found(server, "dented"), "the chat can be found")
    agent.search("dented").first.get_by_role("link").click()
    expect(agent.page.get_by_text("Let me see.").first).to_be_visible()
    look(agent.page, "console_transcript")

    inbox = new_browser(**options)
    inbox.goto(f"{server.base}/inbox")
    look(inbox, "inbox_form")
    inbox.get_by_label("Ticket number").fill(str(ticket))
    inbox.get_by_label("Access code").fill(code)
    inbox.get_by_role("button", name="Open the transcript").click()
    expect(inbox.get_by_text("Let me see.").first).to_be_visible()
    look(inbox, "inbox")


def test_right_to_left(looked_at: RunningServer, new_browser: NewBrowser, screenshots: Screenshots) -> None:
    customer = Customer(new_browser(locale="ar"), looked_at.port)
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="7-7", name="منى", message="أين طردي؟ 4111 1111 1111 1111")
    expect(customer.panel.get_by_text("You are next.")).to_be_visible()
    screenshots.take(customer.page, "widget_right_to_left")
    assert axe_violations(customer.page) == []


def test_by_keyboard_alone(looked_at: RunningServer, new_browser: NewBrowser) -> None:
    """Open, choose, write, send, close: no mouse."""
    customer = Customer(new_browser(), looked_at.port)
    customer.visit()
    bubble = customer.page.get_by_role("button", name="Open chat")
    bubble.focus()
    keyboard = customer.page.keyboard
    keyboard.press("Enter")
    message = customer.panel.get_by_label("Message", exact=True)
    expect(message).to_be_focused()  # that comes last: before it, the focus would be taken from us again
    customer.panel.get_by_role("radio", name="Returns").focus()
    keyboard.press("Space")
    expect(customer.panel.get_by_role("radio", name="Returns")).to_be_checked()
    message.focus()
    keyboard.type("By keyboard.")
    for _ in range(6):
        keyboard.press("Tab")
        if customer.panel.get_by_role("button", name="Start chat").evaluate("one => one === document.activeElement"):
            break
    keyboard.press("Enter")
    expect(customer.log()).to_contain_text("By keyboard.")
    expect(customer.panel.get_by_role("textbox", name="Message")).to_be_focused()
    keyboard.press("Escape")
    expect(bubble).to_be_focused()
