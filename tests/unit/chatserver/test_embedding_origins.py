"""The demo shop may show the widget wherever it is shown, and nobody else on this machine with it."""

from __future__ import annotations

from chatserver.config import Settings

SHOP = "https://shop.example"


def test_the_demo_shop_may_show_the_widget_beside_the_named_sites() -> None:
    here = Settings(port=8123, site_origins=(SHOP,))
    assert here.embedding_origins == (SHOP, "http://localhost:8123", "http://127.0.0.1:8123")
    behind_a_proxy = Settings(public_url="https://chat.example", demo=True)
    assert behind_a_proxy.embedding_origins == ("http://localhost:8000", "http://127.0.0.1:8000")


def test_without_the_demo_only_the_named_sites() -> None:
    assert Settings(site_origins=(SHOP,), demo=False).embedding_origins == (SHOP,)
    assert Settings(site_origins=(SHOP,), public_url="https://chat.example").embedding_origins == (SHOP,)
    assert Settings(site_origins=(SHOP,), host="0.0.0.0", demo=True).embedding_origins == (SHOP,)


def test_a_site_that_is_the_demo_is_named_once() -> None:
    named = Settings(site_origins=("http://localhost:8000",)).embedding_origins
    assert named == ("http://localhost:8000", "http://127.0.0.1:8000")
