"""The page that checks exported transcripts, in a real browser that is offline; and that it looks and reads well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from chatserver.web.pages import NO_KEYS, STATIC
from tests.e2e.pages import Screenshots, axe_violations
from transcripts.public_keys import published

CASES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/seal_cases.json").read_text())
KEYS = {key_id: bytes.fromhex(public) for key_id, public in CASES["public_keys"].items()}
NewBrowser = Callable[..., Page]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The page as somebody has saved it, with files beside it."""
    html = (STATIC / "verify.html").read_text()
    (tmp_path / "verify.html").write_text(html.replace(NO_KEYS, published(KEYS).decode()))
    (tmp_path / "blank.html").write_text(html)
    good = CASES["files"]["customer"]
    (tmp_path / "good.json").write_text(json.dumps(good))
    (tmp_path / "altered.json").write_text(json.dumps(good).replace("To the address on", "Not to the address on"))
    (tmp_path / "staff.json").write_text(json.dumps(CASES["files"]["staff"]))
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "keys.json").write_bytes(published(KEYS))
    return tmp_path


def choose(page: Page, *files: Path) -> None:
    page.get_by_label("Choose files").set_input_files([str(file) for file in files])


def test_a_saved_page_checks_files_without_a_network(
    new_browser: NewBrowser, saved: Path, screenshots: Screenshots
) -> None:
    page = new_browser(offline=True)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{saved / 'verify.html'}")
    choose(page, *(saved / name for name in ("good.json", "altered.json", "staff.json", "photo.jpg")))
    good, altered, staff, photo = (page.get_by_role("article").nth(place) for place in range(4))
    expect(good.get_by_role("heading", name="Verified", exact=True)).to_be_visible()
    expect(good).to_contain_text("1 lawfully erased")
    expect(good).to_contain_text("To the address on the label.")
    expect(good).not_to_contain_text("wholesale")
    expect(altered.get_by_role("heading", name="Not verified")).to_be_visible()
    expect(altered).to_contain_text("Entry 5 is not as it was sealed.")
    expect(altered.locator(".at")).to_contain_text("Not to the address on the label.")
    expect(staff).to_contain_text("She is a wholesale client.")
    expect(photo.get_by_role("heading", name="Not a transcript")).to_be_visible()
    screenshots.take(page, "verify")
    assert all(url.startswith(("file:", "blob:")) for url in asked), asked


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_both_directions(new_browser: NewBrowser, saved: Path, scheme: str) -> None:
    page = new_browser(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto(f"file://{saved / 'verify.html'}")
    choose(page, saved / "altered.json")
    expect(page.get_by_role("article")).to_be_visible()
    for direction in ("ltr", "rtl"):
        page.evaluate("direction => document.documentElement.dir = direction", direction)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert axe_violations(page) == []


def test_without_keys_nothing_is_verified_until_they_are_chosen(new_browser: NewBrowser, saved: Path) -> None:
    page = new_browser(offline=True)
    page.goto(f"file://{saved / 'blank.html'}")
    expect(page.get_by_text("This page holds no keys.")).to_be_visible()
    choose(page, saved / "good.json")
    expect(page.get_by_role("article")).to_contain_text("which is not known here")
    page.get_by_label("Use other keys").set_input_files(str(saved / "photo.jpg"))
    expect(page.get_by_role("alert")).to_contain_text("photo.jpg is not a list")
    page.get_by_label("Use other keys").set_input_files(str(saved / "keys.json"))
    expect(page.get_by_role("heading", name="Verified", exact=True)).to_be_visible()
