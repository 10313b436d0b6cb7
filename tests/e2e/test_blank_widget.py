"""A widget that cannot work says why: on the screen, in the browser's console, and to the operator."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.e2e.pages import Customer
from tests.support.server import RunningServer, wait_until

NewBrowser = Callable[..., Page]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def other_site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that another web server shows, and its address."""
    handler = partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield tmp_path, f"http://localhost:{site.server_address[1]}/"
        site.shutdown()
        thread.join()


def embed(folder: Path, server: RunningServer, site_key: str = "default") -> None:
    script = f'<script async src="{server.base}/widget.js" data-site="{site_key}"></script>'
    (folder / "index.html").write_text(f"<!doctype html><title>Shop</title><h1>Shop</h1>{script}")


def says(page: Page, words: str) -> AbstractContextManager[object]:
    """The page writes this to the browser's console within the block."""
    return page.expect_console_message(lambda message: words in message.text)


def test_an_origin_that_is_not_allowed(new_browser: NewBrowser, other_site: tuple[Path, str]) -> None:
    folder, address = other_site
    with RunningServer(env={"CHAT_SITE_ORIGINS": "https://shop.example"}) as server:
        embed(folder, server)
        page = new_browser()
        page.goto(address)
        with says(page, f"{address.rstrip('/')}, may not show the chat"):
            page.get_by_role("button", name="Open chat").click()
        expect(page.get_by_text("Chat is not available here")).to_be_visible()
        assert "widget.blank" in server.log
        assert "CHAT_SITE_ORIGINS" in server.log


def test_a_wrong_site_key(server: RunningServer, new_browser: NewBrowser, other_site: tuple[Path, str]) -> None:
    folder, address = other_site
    embed(folder, server, site_key="nonsense")
    page = new_browser()
    page.goto(address)
    with says(page, "site key is not known"):
        page.get_by_role("button", name="Open chat").click()
    expect(Customer(page, server.port).panel.get_by_text("Chat is not available here.")).to_be_visible()
    assert "nonsense" in server.log


def test_a_blocked_socket(server: RunningServer, new_browser: NewBrowser) -> None:
    page = new_browser()

    def refuse(socket: WebSocketRoute) -> None:
        socket.close(code=1006)

    page.context.route_web_socket("**/ws", refuse)
    customer = Customer(page, server.port)
    customer.visit()
    customer.open_widget()
    with says(page, "WebSocket"):
        customer.start_chat(topic="Returns", order="1", message="hello?")
    expect(customer.panel.get_by_text("This network does not let the chat through.")).to_be_visible(timeout=90_000)
    wait_until(lambda: "problem=socket" in server.log, "the operator finds it in the log")
