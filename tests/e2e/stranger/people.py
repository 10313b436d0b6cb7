"""Who the stranger is: the HTTP calls with which a customer and an agent get their passes."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from typing import Any

from .chat import Frame
from .client import Client


def _post(url: str, body: Frame, headers: dict[str, str]) -> tuple[Frame, Any]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer), answer.headers


def customer(base: str, subprotocol: str) -> Client:
    """A new customer."""
    known: dict[str, str] = {}

    def ask() -> str:
        if not known:
            session, _ = _post(f"{base}/api/v1/customer-sessions", {"site_key": "default"}, {})
            known["token"] = session["customer_token"]
            return str(session["pass"])
        found, _ = _post(f"{base}/api/v1/passes", {}, {"Authorization": f"Bearer {known['token']}"})
        return str(found["pass"])

    return Client(base, subprotocol, lambda: asyncio.to_thread(ask))


def agent(base: str, subprotocol: str, email: str, password: str) -> Client:
    """A member of staff."""
    known: dict[str, str] = {}

    def ask() -> str:
        if not known:
            _, headers = _post(f"{base}/api/v1/agent-sessions", {"email": email, "password": password}, {})
            known["cookie"] = headers["Set-Cookie"].split(";")[0]
        found, _ = _post(f"{base}/api/v1/passes", {}, {"Cookie": known["cookie"]})
        return str(found["pass"])

    return Client(base, subprotocol, lambda: asyncio.to_thread(ask), staff=True)


__all__ = ["agent", "customer"]
