"""The edge of the HTTP interface: other sites, bodies that are none, addresses that are not there, the pages."""

import base64
import hashlib
import json
import re
from http import HTTPStatus
from typing import Any, cast

import httpx
import pytest

from chatserver.web.agent_api import AgentApi
from chatserver.web.customer_api import CustomerApi
from chatserver.web.services import Services
from chatserver.web.transcript_api import TranscriptApi
from tests.support.client import PATIENCE
from tests.support.people import People
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio

OPEN_TO_ALL = {"/api/v1/widget-problems"}  # any page may ask why its widget stays blank


def unsafe_routes() -> list[tuple[str, str]]:
    """Every (method, path) of ours that changes something; nothing here runs a handler."""
    nobody = cast(Services, None)
    routes = [
        *CustomerApi(nobody, frozenset()).routes(),
        *AgentApi(nobody, frozenset(), secure=False).routes(),
        *TranscriptApi(nobody, frozenset()).routes(),
    ]
    found = [(method, route.path) for route in routes for method in route.methods or ()]
    return sorted({one for one in found if one[0] not in ("GET", "HEAD", "OPTIONS") and one[1] not in OPEN_TO_ALL})


def test_unsafe_routes_are_those_of_the_page() -> None:
    assert unsafe_routes() == [
        ("DELETE", "/api/v1/agent-sessions"),
        ("DELETE", "/api/v1/customer-sessions"),
        ("POST", "/api/v1/agent-sessions"),
        ("POST", "/api/v1/customer-sessions"),
        ("POST", "/api/v1/passes"),
        ("POST", "/api/v1/setup"),
        ("POST", "/api/v1/transcript-views"),
    ]


@pytest.mark.parametrize(("method", "path"), unsafe_routes())
async def test_other_sites_may_send_nothing(people: People, server: RunningServer, method: str, path: str) -> None:
    api = await people.signed_in("ben")
    same = await api.http.request(method, path, json={"site_key": 7}, headers={"Origin": "http://localhost:1"})
    assert same.status_code == HTTPStatus.FORBIDDEN
    foreign: list[dict[str, str]] = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"https://127.0.0.1:{server.port}"},
        {"Origin": f"{server.base}.evil.example"},
        {"Origin": "", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": "same-site"},
    ]
    for headers in foreign:
        sent = {name: value for name, value in headers.items() if value}
        without = {name: value for name, value in api.http.headers.items() if name.lower() != "origin"}
        async with httpx.AsyncClient(
            base_url=server.base, headers=without, cookies=api.http.cookies, timeout=PATIENCE, verify=False
        ) as browser:
            answer = await browser.request(method, path, json={"site_key": "default"}, headers=sent)
        assert answer.status_code == HTTPStatus.FORBIDDEN, sent
        assert answer.json()["error"]["code"] == "forbidden"
    assert (await api.http.get("/api/v1/agent-sessions")).status_code == HTTPStatus.OK  # still signed in


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"site_key": "default"}', "text/plain"),
        (b'{"site_key": "default"}', ""),
        (b"site_key=default", "application/x-www-form-urlencoded"),
        (b"nonsense", "application/json"),
        (b"[]", "application/json"),
        (b'{"site_key": 7}', "application/json"),
        (b"{}", "application/json"),
        (b"[" * 50_000, "application/json"),
        (b'{"site_key": "' + b"x" * 70_000 + b'"}', "application/json"),
        (b'{"site_key": "\xff"}', "application/json"),
    ],
)
async def test_body_that_is_none_is_invalid(people: People, body: bytes, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = await people.browser().http.post("/api/v1/customer-sessions", content=body, headers=headers)
    assert answer.status_code == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["code"] == "invalid"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/setup", 405),
        ("GET", "/api/v1/transcripts/7.5", 401),
        ("GET", "/assets/../../../../etc/passwd", 404),
        ("GET", "/assets/%2e%2e/%2e%2e/__init__.py", 404),
        ("GET", "/ws", 404),
    ],
)
async def test_what_is_not_there(people: People, method: str, path: str, status: int) -> None:
    answer = await people.browser().http.request(method, path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


async def test_health(people: People) -> None:
    http = people.browser().http
    assert (await http.get("/healthz")).status_code == HTTPStatus.OK
    assert (await http.get("/readyz")).json() == {"ready": True}


async def test_blank_widget_gets_a_reason(people: People) -> None:
    http = people.browser().http

    async def ask(**fields: Any) -> str:
        answer = await http.post("/api/v1/widget-problems", json=fields, headers={"Origin": "https://shop.example"})
        assert answer.status_code == HTTPStatus.OK
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        explanation: str = answer.json()["explanation"]
        return explanation

    assert "site key" in await ask(site_key="nowhere", problem="site_key")
    assert "https://shop.example" in await ask(site_key="default", problem="no_frame")
    assert "Upgrade" in await ask(site_key="default", problem="socket")
    preflight = await http.options("/api/v1/widget-problems", headers={"Origin": "https://shop.example"})
    assert preflight.status_code == HTTPStatus.NO_CONTENT


async def test_the_page_that_verifies_brings_everything_and_asks_for_nothing(people: People) -> None:
    http = people.browser().http
    answer = await http.get("/verify")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', answer.text)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (inline,) = re.findall(rf"<{tag}(?: type=\"module\")?>(.*?)</{tag}>", answer.text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert not re.search(r"<(?:link|img|script[^>]*\bsrc=)", answer.text)
    keys = (await http.get("/.well-known/chat-seal-keys.json")).text
    assert f'id="seal-keys">{keys}</script>' in answer.text
    assert len(json.loads(keys)["keys"]) == 1


@pytest.mark.parametrize("path", ["/", "/console", "/inbox", "/widget/frame?site=default"])
async def test_pages_run_nothing_inline(people: People, path: str) -> None:
    answer = await people.browser().http.get(path)
    assert answer.status_code == HTTPStatus.OK
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    ancestors = re.search(r"frame-ancestors ([^;]+)", policy)
    assert ancestors
    if path.startswith("/widget"):
        assert "'self'" in ancestors[1]
        assert "*" not in ancestors[1].split()
    else:
        assert ancestors[1] == "'none'"
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", answer.text)
    assert not re.search(r"\son\w+=", answer.text)
