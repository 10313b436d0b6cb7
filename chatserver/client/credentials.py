"""Ways to get in: a customer, an agent, a pass or a resume token from somewhere else.

Asked only when there is no resume token (or the server refused it), so a client that comes back needs no HTTP.
"""

from __future__ import annotations

import asyncio
import http.client
import json
from typing import Any, Protocol
from urllib.parse import urlsplit

HTTP_SECONDS = 20.0


class CredentialsError(Exception):
    """No pass. `status` is the HTTP status (0: nobody answered); `retry_after` in seconds, when the server said so."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.retry_after = status, retry_after

    @property
    def temporary(self) -> bool:
        """Whether it is worth another try."""
        return self.status in (0, 408, 429) or self.status >= 500


class Credentials(Protocol):
    """What a client asks when it needs to say who it is."""

    async def secret(self, base: str) -> dict[str, str]:
        """`{"pass": …}` or `{"resume_token": …}` for the server at `base` (`http://HOST:PORT`).

        Raises:
            CredentialsError: why not.
        """


class Pass:
    """A pass that somebody else has got. It opens one connection; after that the resume token goes on."""

    def __init__(self, value: str) -> None:
        self._value: str | None = value

    async def secret(self, base: str) -> dict[str, str]:
        """The pass, once."""
        if self._value is None:
            raise CredentialsError(401, "The pass has been used.")
        value, self._value = self._value, None
        return {"pass": value}


class ResumeToken:
    """The resume token of an earlier connection; the client has to have that one's `device`."""

    def __init__(self, value: str) -> None:
        self._value: str | None = value

    async def secret(self, base: str) -> dict[str, str]:
        """The token, once: a server that refused it will do so again."""
        if self._value is None:
            raise CredentialsError(401, "The resume token was refused.")
        value, self._value = self._value, None
        return {"resume_token": value}


class CustomerSession:
    """A customer without a name: made with the first connection, the same person from then on."""

    def __init__(
        self, site_key: str = "default", *, customer_token: str | None = None, local_address: str | None = None
    ) -> None:
        self.site_key, self.customer_token, self.local_address = site_key, customer_token, local_address

    async def secret(self, base: str) -> dict[str, str]:
        """A fresh pass."""
        body = {"site_key": self.site_key, "customer_token": self.customer_token}
        answer, _ = await post(base, "/api/v1/customer-sessions", body, local_address=self.local_address)
        self.customer_token = answer["customer_token"]
        return {"pass": answer["pass"]}


class AgentSignIn:
    """A member of staff. May be shared by several clients: they sign in once, for a sign-in costs a password hash."""

    def __init__(self, email: str, password: str, *, local_address: str | None = None) -> None:
        self.email, self._password, self.local_address = email, password, local_address
        self._cookie: str | None = None
        self._signing_in = asyncio.Lock()

    async def secret(self, base: str) -> dict[str, str]:
        """A fresh pass; signs in when there is no session, or no longer."""
        cookie = self._cookie
        if cookie:
            try:
                return await self._pass(base, cookie)
            except CredentialsError as error:
                if error.status != 401:
                    raise
        async with self._signing_in:
            if self._cookie == cookie:
                body = {"email": self.email, "password": self._password}
                _, headers = await post(base, "/api/v1/agent-sessions", body, local_address=self.local_address)
                self._cookie = (headers.get("set-cookie") or "").split(";")[0]
        return await self._pass(base, self._cookie or "")

    async def _pass(self, base: str, cookie: str) -> dict[str, str]:
        answer, _ = await post(base, "/api/v1/passes", {}, local_address=self.local_address, Cookie=cookie)
        return {"pass": answer["pass"]}


async def post(
    base: str, path: str, body: dict[str, Any], *, local_address: str | None = None, **headers: str
) -> tuple[dict[str, Any], http.client.HTTPMessage]:
    """One call of the server's HTTP interface; the answer and its headers. `None` values of the body are left out.

    Raises:
        CredentialsError: the server refused, or did not answer.
    """
    return await asyncio.to_thread(_post, base, path, body, local_address, headers)


def _post(
    base: str, path: str, body: dict[str, Any], local_address: str | None, headers: dict[str, str]
) -> tuple[dict[str, Any], http.client.HTTPMessage]:
    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    source = (local_address, 0) if local_address else None
    connection = kind(parts.hostname or "", parts.port, timeout=HTTP_SECONDS, source_address=source)
    given = {name: value for name, value in body.items() if value is not None}
    try:
        connection.request("POST", path, json.dumps(given), {"Content-Type": "application/json"} | headers)
        response = connection.getresponse()
        data = response.read()
    except (OSError, http.client.HTTPException) as exc:
        raise CredentialsError(0, f"{base} does not answer: {exc}") from exc
    finally:
        connection.close()
    if response.status >= 300:
        retry_after = response.headers.get("Retry-After", "")
        raise CredentialsError(
            response.status, f"{path}: HTTP {response.status}", float(retry_after) if retry_after.isdigit() else None
        )
    answer: dict[str, Any] = json.loads(data)
    return answer, response.headers
