"""What the widget hides while somebody writes: said before it is sent, and never sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.pages import Customer, Screenshots, axe_violations
from tests.support.server import RunningServer

SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@pytest.mark.parametrize("size", SIZES)
def test_secrets_are_hidden_before_they_are_sent(
    server: RunningServer, new_browser: Callable[..., Page], screenshots: Screenshots, size: str
) -> None:
    width, height = SIZES[size]
    customer = Customer(new_browser(viewport={"width": width, "height": height}), server.port)
    sent: list[str] = []
    customer.page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(str(frame))))
    customer.visit()
    customer.open_widget()

    # On the first screen; what is no card may be sent as it is.
    message = customer.panel.get_by_label("Message", exact=True)
    message.fill("My password is hunter2")
    expect(customer.panel.get_by_text("Hidden before it is sent: password.")).to_be_visible()
    screenshots.take(customer.page, f"widget_hidden_home_{size}")
    assert axe_violations(customer.page) == []
    customer.panel.get_by_role("button", name="Send as it is").click()
    expect(customer.panel.get_by_text("Sent as it is: password.")).to_be_visible()
    customer.panel.get_by_role("button", name="Hide it").click()
    customer.panel.get_by_role("button", name="Send as it is").click()
    customer.panel.get_by_role("button", name="Start chat").click()
    expect(customer.log()).to_contain_text("My password is hunter2")

    # In the chat; a card has no choice.
    field = customer.panel.get_by_role("textbox", name="Message")
    field.fill("It is 4111 1111 1111 1111")
    expect(customer.panel.get_by_text("Hidden before it is sent: card number.")).to_be_visible()
    expect(customer.panel.get_by_role("button", name="Send as it is")).to_have_count(0)
    field.fill("It is 4111 1111 1111 1111, and my PIN is 4711")
    expect(customer.panel.get_by_text("Hidden before it is sent: card number, PIN.")).to_be_visible()
    screenshots.take(customer.page, f"widget_hidden_chat_{size}")
    assert axe_violations(customer.page) == []
    field.press("Enter")
    expect(customer.log()).to_contain_text("It is •••• 1111")
    expect(customer.log()).to_contain_text("and my PIN is ••••")
    expect(customer.panel.get_by_text("Hidden before it is sent")).to_have_count(0)

    everything = " ".join(sent)
    assert "hunter2" in everything  # so the frames are read in the right way
    assert "4711" not in everything
    assert "4111" not in everything


def test_the_site_s_own_choice_holds_in_the_widget(new_browser: Callable[..., Page]) -> None:
    environment = {"CHAT_MASK_OFF": "pin", "CHAT_MASK_PATTERNS": r"staff=EMP-\d{6}"}
    with RunningServer(env=environment) as server:
        customer = Customer(new_browser(), server.port)
        customer.visit()
        customer.open_widget()
        message = customer.panel.get_by_label("Message", exact=True)
        message.fill("My PIN is 4711 and I am EMP-123456")
        expect(customer.panel.get_by_text("Hidden before it is sent: private number.")).to_be_visible()
        customer.panel.get_by_role("button", name="Start chat").click()
        expect(customer.log()).to_contain_text("My PIN is 4711 and I am •••• 3456")
