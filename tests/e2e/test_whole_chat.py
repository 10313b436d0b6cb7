"""One chat from the shop to the sealed transcript, in two real browsers; each step as the two people see it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, expect

from tests.e2e.pages import Agent, Customer, Screenshots
from tests.support.client import decode
from tests.support.server import RunningServer, found, make_agent, wait_until

CARD = "4111 1111 1111 1111"
ORDER = "112-7788231"
NewBrowser = Callable[..., Page]


def test_a_whole_chat_from_the_shop_to_the_transcript(
    server: RunningServer, new_browser: NewBrowser, screenshots: Screenshots
) -> None:
    make_agent(server.data, "ann@shop.example", "Ann")
    agent = Agent(new_browser(), server.base)
    agent.sign_in("ann@shop.example")
    expect(agent.page.get_by_text("Nobody is waiting.")).to_be_visible()

    customer = Customer(new_browser(), server.port)
    customer.visit()
    assert customer.page.locator("iframe").count() == 0, "nothing is loaded before the person asks"
    screenshots.take(customer.page, "shop")
    customer.open_widget()
    screenshots.take(customer.page, "widget_home")
    customer.start_chat(
        topic="Returns", order=ORDER, name="Pedro", message=f"My kettle came dented. My card is {CARD}."
    )

    # The customer sees ticket, access code and place; the card is masked before anybody sees it.
    expect(customer.panel.get_by_text("You are next.")).to_be_visible()
    ticket = customer.ticket()
    code = customer.access_code()
    expect(customer.log()).to_contain_text("•••• 1111")
    expect(customer.log()).not_to_contain_text("4111")
    screenshots.take(customer.page, "widget_queue")

    # A second customer waits behind; the queue moves for both sides.
    other = Customer(new_browser(), server.port)
    other.visit()
    other.open_widget()
    other.start_chat(topic="Delivery", order="99-1", message="When does it come?")
    expect(other.panel.get_by_text("1 person is before you.")).to_be_visible()
    expect(agent.page.get_by_role("heading", name="Waiting 2")).to_be_visible()
    expect(agent.page.get_by_text("•••• 1111")).to_be_visible()
    screenshots.take(agent.page, "console_queue")

    # The agent takes the oldest; the other one is next now, without asking.
    agent.take_oldest()
    expect(agent.page.get_by_role("heading", name=re.compile(f"#{ticket}"))).to_be_visible()
    expect(other.panel.get_by_text("You are next.")).to_be_visible()
    expect(customer.log()).to_contain_text("Ann joined the chat")

    # Both write, see each other type, and see that they were read.
    typing = customer.remember("Ann is typing")
    agent.page.get_by_label("Write to the customer").press_sequentially("I am sorry to", delay=5)
    typing.expect()
    agent.say("I am sorry to hear that, Pedro. Shall I send a new kettle?")
    expect(customer.log()).to_contain_text("Shall I send a new kettle?")
    expect(agent.log().get_by_label("Read by the customer").last).to_be_visible()
    typing = agent.remember("Pedro is typing")
    customer.panel.get_by_role("textbox", name="Message").press_sequentially("Yes ple", delay=5)
    typing.expect()
    screenshots.take(agent.page, "console")
    customer.say("Yes please, to the turquoise house.")
    expect(agent.log()).to_contain_text("Yes please, to the turquoise house.")
    expect(customer.log().get_by_label("Read", exact=True).last).to_be_visible()

    # A note is for staff only.
    agent.page.get_by_role("button", name="Note").or_(agent.page.get_by_role("radio", name="Note")).first.click()
    note = agent.page.get_by_label("Write a note, only agents see it")
    note.fill("Gave him the good one.")
    note.press("Enter")
    expect(agent.log()).to_contain_text("Gave him the good one.")
    screenshots.take(customer.page, "widget")

    # The agent closes, the customer rates.
    agent.close_chat()
    expect(customer.log()).to_contain_text("Ann ended this chat")
    expect(customer.log()).not_to_contain_text("good one")
    customer.panel.get_by_label("5 stars").check(force=True)
    customer.panel.get_by_role("button", name="Send", exact=True).click()
    expect(customer.panel.get_by_text("Thank you for telling us.")).to_be_visible()
    screenshots.take(customer.page, "widget_ended")

    # In the inbox, ticket number and access code open the transcript, in any browser.
    wait_until(lambda: found(server, "good one") == [ticket], "the chat can be found, which comes after its seal")
    inbox = new_browser()
    inbox.goto(f"{server.base}/inbox")
    inbox.get_by_label("Ticket number").fill(f"#{ticket}")
    inbox.get_by_label("Access code").fill("00000 00000")
    inbox.get_by_role("button", name="Open the transcript").click()
    expect(inbox.get_by_text("We found no transcript for this ticket number and access code.")).to_be_visible()
    inbox.get_by_label("Access code").fill(code.lower())
    inbox.get_by_role("button", name="Open the transcript").click()
    expect(inbox.get_by_text("Yes please, to the turquoise house.")).to_be_visible()
    expect(inbox.get_by_text("Sealed").first).to_be_visible()
    inbox.get_by_text("This transcript was opened").click()
    expect(inbox.get_by_text("By you, or with the access code").first).to_be_visible()
    expect(inbox.get_by_text("•••• 1111").first).to_be_visible()
    expect(inbox.locator("body")).not_to_contain_text("good one")
    screenshots.take(inbox, "inbox")

    # The agent finds it by a word, by the ticket number, by the order number, by a word of the note.
    for query in ("turquoise", f"#{ticket}", ORDER, "good one"):
        rows = agent.search(query)
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text(f"#{ticket}")
    agent.search("turquoise").first.get_by_role("link").click()
    expect(agent.page.get_by_text("Gave him the good one.")).to_be_visible()
    screenshots.take(agent.page, "console_search")


def test_the_widget_is_small(
    server: RunningServer, new_browser: NewBrowser, capsys: pytest.CaptureFixture[str]
) -> None:
    requests: list[Request] = []

    def ours(request: Request) -> bool:
        return request.url.startswith(server.base) and "/api/" not in request.url

    page = new_browser()
    page.on("request", lambda request: requests.append(request) if ours(request) else None)
    customer = Customer(page, server.port)
    customer.visit()
    page.wait_for_load_state("networkidle")
    before = [request.url.removeprefix(server.base) for request in requests]
    customer.open_widget()
    expect(customer.panel.get_by_label("Message", exact=True)).to_be_editable()
    sizes = {request.url.removeprefix(server.base): request.sizes()["responseBodySize"] for request in list(requests)}
    with capsys.disabled():
        print("\nwidget, bytes over the wire until one can type:")
        for path, size in sorted(sizes.items()):
            print(f"  {size:6} {path}")
        print(f"  {sum(sizes.values()):6} in all; {sum(sizes[path] for path in before)} before it is opened")
    assert before == ["/widget.js"], "before the click, only the loader"
    assert sum(sizes.values()) < 20 * 1024


def test_both_pages_survive_a_killed_server(server: RunningServer, new_browser: NewBrowser) -> None:
    make_agent(server.data, "ann@shop.example", "Ann")
    agent = Agent(new_browser(), server.base)
    agent.sign_in("ann@shop.example")
    customer = Customer(new_browser(), server.port)
    customer.visit()
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="first")
    agent.take_oldest()
    agent.say("second")
    expect(customer.log()).to_contain_text("second")
    ticket = customer.ticket()

    server.kill9()
    customer.say("third, written while nobody listens")
    agent.say("fourth, too")
    expect(customer.panel.get_by_text(re.compile("Reconnecting"))).to_be_visible()
    expect(agent.page.get_by_text(re.compile("Reconnecting"))).to_be_visible()
    server.start()

    for log in (customer.log(), agent.log()):
        expect(log).to_contain_text("third, written while nobody listens", timeout=90_000)
        expect(log).to_contain_text("fourth, too", timeout=90_000)
    customer.say("fifth")
    expect(agent.log()).to_contain_text("fifth")
    for log in (customer.log(), agent.log()):
        text = log.inner_text()
        for said in ("first", "second", "third,", "fourth,", "fifth"):
            assert text.count(said) == 1, f"{said!r} is there once"
    # The worker takes over the killed one's partitions within five seconds; then the record has it all, once.
    wait_until(lambda: "fifth" in recorded(server, ticket), "everything is in the record")
    everything = ["first", "second", "third, written while nobody listens", "fourth, too", "fifth"]
    assert sorted(recorded(server, ticket)) == sorted(everything)


def recorded(server: RunningServer, ticket: int) -> list[str]:
    """The messages of the transcript."""
    shown = server.command("transcripts", "show", str(ticket), "--json")
    if shown.returncode:  # not even its opening is in the record yet
        return []
    return [entry["text"] for entry in decode(shown.stdout.strip())[0]["entries"] if entry["kind"] == "message"]


def test_a_reload_goes_on_with_the_chat(server: RunningServer, new_browser: NewBrowser) -> None:
    """Where the browser lets the frame keep something: here the shop and the chat have one address."""
    customer = Customer(new_browser(), server.port)
    customer.page.goto(f"{server.base}/")
    customer.open_widget()
    customer.start_chat(topic="Refund", order="5-1", name="Mei", message="before the reload")
    expect(customer.panel.get_by_text("You are next.")).to_be_visible()
    ticket = customer.ticket()
    customer.page.reload()
    expect(customer.log()).to_contain_text("before the reload")  # it was open, so it opens again
    assert customer.ticket() == ticket
