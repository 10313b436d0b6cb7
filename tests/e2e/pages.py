"""The pages as a person uses them: what they see and click, by role and label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import FrameLocator, Locator, Page, expect

from tests.support.server import PASSWORD

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"


@dataclass
class Screenshots:
    """Where pictures go: docs/images for the README when asked for, else a folder that is thrown away."""

    folder: Path

    def take(self, page: Page, name: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=self.folder / f"{name}.png", animations="disabled")


class Remembered:
    """Whether words have ever been on a page since now: for what comes and goes while nobody looks."""

    WATCH = """(html, words) => {
        const look = () => { if (document.body.innerText.includes(words)) html.dataset.remembered = words; };
        new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true });
        look();
    }"""

    def __init__(self, html: Locator, words: str) -> None:
        self.html, self.words = html, words
        html.evaluate(self.WATCH, words)

    def expect(self) -> None:
        """They have been there, or will be in a moment."""
        expect(self.html).to_have_attribute("data-remembered", self.words)


class Customer:
    """Somebody in the shop, at the widget."""

    def __init__(self, page: Page, port: int) -> None:
        self.page = page
        self.port = port

    @property
    def panel(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    def visit(self) -> None:
        """The shop is another origin than the chat server: localhost against 127.0.0.1."""
        self.page.goto(f"http://localhost:{self.port}/")

    def open_widget(self) -> None:
        self.page.get_by_role("button", name="Open chat").click()
        expect(self.panel.get_by_role("heading", name="How can we help?")).to_be_visible()

    def start_chat(self, *, topic: str, order: str, message: str, name: str = "") -> None:
        self.panel.get_by_role("radio", name=topic).check(force=True)
        self.panel.get_by_label("Order number").fill(order)
        if name:
            self.panel.get_by_label("Your name").fill(name)
        self.panel.get_by_label("Message", exact=True).fill(message)
        self.panel.get_by_role("button", name="Start chat").click()

    def ticket(self) -> int:
        text = self.panel.get_by_text(re.compile(r"^#\d{6,}$")).first.inner_text()
        return int(text.lstrip("#"))

    def access_code(self) -> str:
        return self.panel.get_by_text(re.compile(r"^[0-9A-Z]{5} ?[0-9A-Z]{5}$")).inner_text()

    def say(self, text: str) -> None:
        field = self.panel.get_by_role("textbox", name="Message")
        field.fill(text)
        field.press("Enter")

    def log(self) -> Locator:
        return self.panel.get_by_role("log")

    def remember(self, words: str) -> Remembered:
        return Remembered(self.panel.locator("html"), words)


class Agent:
    """Somebody at the console."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base

    def sign_in(self, email: str) -> None:
        self.page.goto(f"{self.base}/console")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", name=re.compile("Waiting"))).to_be_visible()

    def take_oldest(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Take")).first.click()
        expect(self.page.get_by_label("Write to the customer")).to_be_visible()

    def say(self, text: str) -> None:
        field = self.page.get_by_label("Write to the customer")
        field.fill(text)
        field.press("Enter")

    def log(self) -> Locator:
        return self.page.get_by_role("log")

    def remember(self, words: str) -> Remembered:
        return Remembered(self.page.locator("html"), words)

    def close_chat(self) -> None:
        self.page.get_by_role("button", name="Close chat").first.click()
        self.page.get_by_role("button", name="Close chat").last.click()
        expect(self.page.get_by_text("Closed by the agent.")).to_be_visible()

    def search(self, query: str) -> Locator:
        """The results of a search, as rows."""
        link = self.page.get_by_role("navigation", name="Console").get_by_role("link", name="Search")
        if link.is_visible():
            link.click()
        else:  # on a phone the chat has the whole screen
            self.page.keyboard.press("Control+/")
        box = self.page.get_by_role("searchbox", name="Search transcripts")
        box.fill(query)
        box.press("Enter")
        expect(self.page.get_by_role("searchbox", name="Search transcripts")).to_have_value(query)
        return self.page.get_by_role("region", name="Search transcripts").get_by_role("listitem")


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds, in the page and in each of its frames: rule and place."""
    source = AXE.read_text()
    found = []
    for frame in page.frames:
        frame.evaluate(source)
        result: dict[str, Any] = frame.evaluate("axe.run(document, {iframes: false, resultTypes: ['violations']})")
        for violation in result["violations"]:
            places = ", ".join(" ".join(map(str, node["target"])) for node in violation["nodes"])
            found.append(f"{frame.url}: {violation['id']}: {places}")
    return found
