"""The customer's own chats in the inbox: from the chat window to the list, the search, the entry, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.pages import Customer, Screenshots, axe_violations
from tests.support.server import RunningServer, found, make_agent, wait_until

NewBrowser = Callable[..., Page]
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2
OWN = "**/api/v1/own-chats?*"


@pytest.fixture(scope="module")
def shop() -> Iterator[RunningServer]:
    with RunningServer() as running:
        make_agent(running.data, "ann@shop.example", "Ann")
        yield running


def from_the_chat_window(customer: Customer, link: str) -> Page:
    """The tab that the link opens."""
    with customer.page.context.expect_page() as opened:
        customer.panel.get_by_role("link", name=link).click()
    expect(opened.value.get_by_role("heading", level=1)).to_be_visible()
    return opened.value


def looks_well(page: Page, screenshots: Screenshots, name: str) -> None:
    screenshots.take(page, name)
    assert axe_violations(page) == [], name
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{name}: {wide} px too wide"


def write_much(customer: Customer, server: RunningServer) -> int:
    """A chat that is longer than a screen, with one line about a turquoise house in it."""
    customer.start_chat(topic="Returns", order="112-7788231", name="Pedro", message=f"It came dented. {LONG}")
    ticket = customer.ticket()
    for n in range(12):
        customer.say(f"line {n}\nof many\nlines")
    customer.say("Please send it to the turquoise house.")
    for n in range(12):
        customer.say(f"more {n}\nof many\nlines")
    expect(customer.log()).to_contain_text("more 11")
    wait_until(lambda: ticket in found(server, "turquoise"), "the chat can be found")
    return ticket


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_from_the_chat_window_to_the_entry_and_back(
    shop: RunningServer, new_browser: NewBrowser, screenshots: Screenshots, width: int, scheme: str
) -> None:
    look = f"{width}_{scheme}"
    customer = Customer(new_browser(viewport={"width": width, "height": 844}, color_scheme=scheme), shop.port)
    customer.visit()
    customer.open_widget()
    inbox = from_the_chat_window(customer, "Your earlier chats")
    expect(inbox.get_by_text("You have no chats yet.")).to_be_visible()
    looks_well(inbox, screenshots, f"own_empty_{look}")
    assert "pass=" not in inbox.url, "the secret does not stay in the address"
    inbox.close()

    ticket = write_much(customer, shop)
    customer.panel.get_by_role("button", name="More").click()
    inbox = from_the_chat_window(customer, "Read or save this chat")
    expect(inbox.get_by_role("heading", name=f"Ticket #{ticket}")).to_be_visible()  # without an access code
    inbox.get_by_role("button", name="Your chats").click()

    # A search, by keyboard: type, down to the result, open it.
    box = inbox.get_by_role("searchbox", name="Search your chats")
    expect(inbox.get_by_role("listitem")).to_have_count(1)
    looks_well(inbox, screenshots, f"own_list_{look}")
    box.fill("turqoise house")
    expect(inbox.get_by_role("listitem").locator("mark").first).to_have_text("turquoise")
    expect(inbox.get_by_role("button", name="turquoise house")).to_be_visible()  # did you mean
    expect(inbox.get_by_role("status").first).to_have_text("1 chat found")
    looks_well(inbox, screenshots, f"own_found_{look}")
    box.press("Tab")
    inbox.keyboard.press("Tab")
    expect(inbox.get_by_role("listitem").get_by_role("link")).to_be_focused()
    inbox.keyboard.press("Enter")
    entry = inbox.locator(".document-entry.at")
    expect(entry).to_contain_text("turquoise house")
    expect(entry).to_be_in_viewport()
    expect(entry).to_be_focused()
    expect(entry.locator("mark")).to_have_text(["turquoise", "house"])
    looks_well(inbox, screenshots, f"own_transcript_{look}")

    # Back: the search is as it was, and the focus where it was left.
    inbox.go_back()
    expect(box).to_have_value("turqoise house")
    expect(inbox.get_by_role("listitem").get_by_role("link")).to_be_focused()
    inbox.reload()  # this tab goes on
    expect(box).to_have_value("turqoise house")
    expect(inbox.get_by_role("listitem")).to_have_count(1)
    box.fill("zeppelin")
    expect(inbox.get_by_text("None of your chats has this.")).to_be_visible()
    looks_well(inbox, screenshots, f"own_nothing_{look}")

    # Another tab of the same browser, without the way through the chat window, knows nobody.
    stranger = inbox.context.new_page()
    stranger.goto(f"{shop.base}/inbox#ticket={ticket}")
    expect(stranger.get_by_label("Access code")).to_be_visible()


def test_errors_loading_and_no_network(shop: RunningServer, new_browser: NewBrowser, screenshots: Screenshots) -> None:
    customer = Customer(new_browser(viewport={"width": 390, "height": 844}), shop.port)
    customer.visit()
    customer.open_widget()
    inbox = from_the_chat_window(customer, "Your earlier chats")
    box = inbox.get_by_role("searchbox")
    held: list[Route] = []
    inbox.route(OWN, lambda route: held.append(route))
    inbox.reload()
    expect(inbox.get_by_role("status").first).to_have_text("Loading your chats")
    looks_well(inbox, screenshots, "own_loading")
    held[0].fulfill(status=503, json={"error": {"code": "unavailable", "message": "busy"}})
    inbox.unroute(OWN)
    expect(inbox.get_by_role("alert")).to_contain_text("The server couldn't answer just now.")
    looks_well(inbox, screenshots, "own_failed")
    inbox.get_by_role("button", name="Try again").click()
    expect(inbox.get_by_text("You have no chats yet.")).to_be_visible()

    inbox.context.set_offline(True)
    box.fill("kettle")
    expect(inbox.get_by_role("alert")).to_contain_text("We couldn't reach the server.")
    looks_well(inbox, screenshots, "own_offline")
    inbox.route(OWN, lambda route: route.abort(), times=1)  # the network is not quite there yet
    inbox.context.set_offline(False)  # it is asked again by itself
    expect(inbox.get_by_text("None of your chats has this.")).to_be_visible()

    inbox.route(
        OWN, lambda route: route.fulfill(status=401, json={"error": {"code": "unauthenticated", "message": ""}})
    )
    box.fill("mug")
    expect(inbox.get_by_text("your chats were open for twelve hours")).to_be_visible()
    expect(inbox.get_by_label("Access code")).to_be_visible()
    looks_well(inbox, screenshots, "own_over")


def test_own_chats_from_right_to_left(shop: RunningServer, new_browser: NewBrowser, screenshots: Screenshots) -> None:
    customer = Customer(new_browser(locale="ar"), shop.port)
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="7-7", name="منى", message="أين طردي الفيروزي؟ وصل مكسورا")
    ticket = customer.ticket()
    wait_until(lambda: ticket in found(shop, "الفيروزي"), "the chat can be found")
    customer.panel.get_by_role("button", name="More").click()
    inbox = from_the_chat_window(customer, "Read or save this chat")
    inbox.evaluate("document.documentElement.dir = 'rtl'")
    inbox.get_by_role("button", name="Your chats").click()
    inbox.get_by_role("searchbox").fill("الفيروزي")
    expect(inbox.locator("mark").first).to_have_text("الفيروزي")
    looks_well(inbox, screenshots, "own_right_to_left")
