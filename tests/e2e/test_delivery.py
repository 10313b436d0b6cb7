"""What people see of delivery: on its way, refused, no room for more, offline, a chat that went back to the queue."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages import Agent, Customer, Screenshots, axe_violations
from tests.e2e.test_whole_chat import recorded
from tests.support.server import RunningServer, make_agent, wait_until

NewBrowser = Callable[..., Page]
SIZES = {"phone": (390, 844), "desk": (1280, 800)}
OFFLINE = "You are offline. Your messages will be sent when you are back."

WRITE_MANY = """async (area, count) => {
    for (let i = 0; i < count; i++) {
        area.value = `message ${i}`;
        area.dispatchEvent(new InputEvent("input", {bubbles: true}));
        await new Promise(requestAnimationFrame);
        area.form.requestSubmit();
        await new Promise(requestAnimationFrame);
    }
}"""


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desk", "light")])
def test_offline_and_full(
    server: RunningServer, new_browser: NewBrowser, screenshots: Screenshots, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    make_agent(server.data, "ann@shop.example", "Ann")
    agent, customer = Agent(new_browser(**options), server.base), Customer(new_browser(**options), server.port)
    agent.sign_in("ann@shop.example")
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
    agent.take_oldest()

    def look(page: Page, name: str) -> None:
        screenshots.take(page, f"{name}_{size}_{scheme}")
        assert axe_violations(page) == [], name

    for page in (agent.page, customer.page):
        page.context.set_offline(True)
    customer.say("Are you there?")
    agent.say("One moment.")
    expect(customer.panel.get_by_text(OFFLINE)).to_be_visible()
    expect(agent.page.get_by_text(OFFLINE)).to_be_visible()
    for log in (customer.log(), agent.log()):
        expect(log.get_by_label("Sending")).to_be_visible()
    look(customer.page, "delivery_widget_offline")
    look(agent.page, "delivery_console_offline")

    field = customer.panel.get_by_role("textbox", name="Message")
    field.evaluate(WRITE_MANY, 98)
    expect(customer.panel.get_by_text("Many messages are waiting")).to_have_count(0)
    field.evaluate(WRITE_MANY, 1)
    expect(customer.panel.get_by_text("Many messages are waiting to be sent.")).to_be_visible()
    customer.say("one too many")
    expect(field).to_have_value("one too many")
    agent.page.get_by_label("Write to the customer").evaluate(WRITE_MANY, 99)
    expect(agent.page.get_by_text("Many messages are waiting to be sent.")).to_be_visible()
    look(customer.page, "delivery_widget_full")
    look(agent.page, "delivery_console_full")

    for page in (agent.page, customer.page):
        page.context.set_offline(False)
    expect(customer.panel.get_by_text("Many messages are waiting")).to_have_count(0, timeout=60_000)
    field.press("Enter")
    ticket = customer.ticket()
    wait_until(lambda: len(recorded(server, ticket)) == 202, "everything is in the record", patience=120)
    texts = recorded(server, ticket)
    many = [f"message {i}" for i in range(98)] + ["message 0"]
    assert [text for text in texts if text in {"Are you there?", "one too many"}] == ["Are you there?", "one too many"]
    assert sorted(texts) == sorted(
        ["hello?", "Are you there?", *many, "one too many", "One moment.", *(f"message {i}" for i in range(99))]
    )
    for banner in (customer.panel, agent.page):
        expect(banner.get_by_text(OFFLINE)).to_have_count(0)


@pytest.mark.parametrize(("size", "scheme"), [("phone", "light"), ("desk", "dark")])
def test_an_agent_is_away_for_too_long(
    new_browser: NewBrowser, screenshots: Screenshots, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    with RunningServer(env={"CHAT_AGENT_GRACE_SECONDS": "1"}) as server:
        make_agent(server.data, "ann@shop.example", "Ann")
        agent, customer = Agent(new_browser(**options), server.base), Customer(new_browser(**options), server.port)
        agent.sign_in("ann@shop.example")
        customer.visit()
        customer.open_widget()
        customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
        agent.take_oldest()
        agent.say("One moment.")
        expect(customer.log()).to_contain_text("One moment.")

        agent.page.context.set_offline(True)
        agent.say("This comes too late.")
        expect(customer.log()).to_contain_text("Ann lost the connection. You are next in line", timeout=60_000)
        expect(customer.panel.get_by_text("You are next in line", exact=True)).to_be_visible()
        screenshots.take(customer.page, f"delivery_widget_released_{size}_{scheme}")
        assert axe_violations(customer.page) == []

        agent.page.context.set_offline(False)
        expect(agent.page.get_by_text("You lost this chat because your connection was gone.")).to_be_visible()
        expect(agent.page.get_by_label("Write to the customer")).to_have_count(0)
        failed = agent.log().get_by_role("alert")
        expect(failed).to_contain_text("We couldn't send this. The chat was no longer yours.")
        screenshots.take(agent.page, f"delivery_console_released_{size}_{scheme}")
        assert axe_violations(agent.page) == []
        expect(customer.log()).not_to_contain_text("This comes too late.")

        # A refused message is still there after a reload, and goes out once the chat is ours again.
        agent.page.reload()
        expect(failed).to_contain_text("We couldn't send this.")
        agent.page.locator("footer").get_by_role("button", name="Take").click()
        expect(agent.page.get_by_label("Write to the customer")).to_be_visible()
        failed.get_by_role("button", name="Try again").click()
        expect(customer.log()).to_contain_text("This comes too late.")
        expect(failed).to_have_count(0)
        ticket = customer.ticket()
        wait_until(lambda: "This comes too late." in recorded(server, ticket), "it is in the record")
        assert recorded(server, ticket) == ["hello?", "One moment.", "This comes too late."]


def test_a_refused_message_can_be_removed(server: RunningServer, new_browser: NewBrowser) -> None:
    make_agent(server.data, "ann@shop.example", "Ann")
    agent, customer = Agent(new_browser(), server.base), Customer(new_browser(), server.port)
    agent.sign_in("ann@shop.example")
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="hello?")
    agent.take_oldest()
    expect(customer.log()).to_contain_text("Ann joined the chat")
    customer.page.context.set_offline(True)
    customer.say("One more thing")
    agent.close_chat()
    customer.page.context.set_offline(False)
    expect(customer.log()).to_contain_text("We couldn't send this: the chat has ended.")
    customer.panel.get_by_role("button", name="Remove").click()
    expect(customer.log()).not_to_contain_text("One more thing")
    expect(customer.log().get_by_text(re.compile("couldn't send"))).to_have_count(0)
