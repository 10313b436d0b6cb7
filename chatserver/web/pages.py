"""The pages and their security headers. Nothing inline: scripts and styles come from our own files (strict CSP,
Trusted Types).
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

import structlog
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from chatserver.errors import ConfigError
from chatserver.web.services import Services
from transcripts.public_keys import published

STATIC = Path(str(files("chatserver.web"))) / "static"
PAGES = ("widget_frame", "console", "inbox", "shop", "verify")
NO_KEYS = '{"keys":[]}'
A_YEAR = "public, max-age=31536000, immutable"

# Only what is the same for everybody is compressed, never a secret beside words of others (BREACH).
_ZIPPED = Middleware(GZipMiddleware, minimum_size=500)

log = structlog.get_logger()


class Pages:
    """Serves what the front-end build made."""

    def __init__(self, services: Services, *, origins: Iterable[str], shows_demo: bool) -> None:
        self._services = services
        self._origins = tuple(origins)
        self._public = self._origins[0]
        self._shows_demo = shows_demo
        try:
            self._html = {name: (STATIC / f"{name}.html").read_text() for name in PAGES}
            self._loader = (STATIC / "widget.js").read_bytes()
        except OSError as exc:
            raise ConfigError(f"the pages are not built: {exc.filename} is missing (make build)") from exc

    def routes(self) -> list[BaseRoute]:
        """Paths of the pages."""
        routes: list[BaseRoute] = [
            Route("/widget.js", self.loader, middleware=[_ZIPPED]),
            Route("/widget/frame", self.frame),
            Route("/console", self.console),
            Route("/inbox", self.inbox),
            Route("/verify", self.verify),
            Mount("/assets", _HashedFiles(directory=STATIC / "assets", check_dir=False), middleware=[_ZIPPED]),
        ]
        if self._shows_demo:
            routes.append(Route("/", self.shop))
        return routes

    async def loader(self, request: Request) -> Response:
        """The script of the embedding page: its name is fixed, so browsers ask again after five minutes."""
        headers = {
            "Cache-Control": "public, max-age=300",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Access-Control-Allow-Origin": "*",
        }
        return Response(self._loader, media_type="text/javascript", headers=headers)

    async def frame(self, request: Request) -> Response:
        """The chat panel. Who may show it, the site says; an unknown site gets the page too, which explains itself."""
        site = await self._services.directory.site(request.query_params.get("site", "")[:100])
        ancestors = " ".join(("'self'", *(site.origins if site else ("*",))))
        return self._page("widget_frame", ancestors=ancestors)

    async def console(self, request: Request) -> Response:
        """The agents' console."""
        return self._page("console")

    async def inbox(self, request: Request) -> Response:
        """The customers' inbox."""
        return self._page("inbox")

    async def verify(self, request: Request) -> Response:
        """The page that checks exported transcripts: one file, to be saved and used without a network, with our public
        keys in it. What it may do (run its own script, and nothing else) it says itself, so that a saved copy keeps to
        it.
        """
        html = self._html["verify"].replace(NO_KEYS, published(self._services.seal_keys).decode())
        return HTMLResponse(html, headers=_headers("frame-ancestors 'none'") | {"X-Frame-Options": "DENY"})

    async def shop(self, request: Request) -> Response:
        """The demo shop, which embeds the widget as any site would."""
        html = (
            self._html["shop"]
            .replace("{{widget_url}}", f"{self._public}/widget.js")
            .replace("{{public_url}}", self._public)
        )
        headers = _headers(
            f"default-src 'none'; script-src 'self' {self._public}; style-src 'self'; img-src 'self' data:; "
            f"frame-src {self._public}; connect-src {self._public}; "
            f"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        return HTMLResponse(html, headers=headers)

    def _page(self, name: str, *, ancestors: str = "'none'") -> Response:
        sockets = " ".join(origin.replace("http", "ws", 1) for origin in self._origins)
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            f"connect-src 'self' {sockets}; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors {ancestors}; require-trusted-types-for 'script'"
        )
        headers = _headers(policy)
        if ancestors == "'none'":
            headers["X-Frame-Options"] = "DENY"
        return HTMLResponse(self._html[name], headers=headers)


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }


class _HashedFiles(StaticFiles):
    """Files whose names change with their content."""

    def file_response(self, *args: object, **options: object) -> Response:
        response = super().file_response(*args, **options)  # type: ignore[arg-type]  # handed through
        response.headers["Cache-Control"] = A_YEAR
        response.headers["X-Content-Type-Options"] = "nosniff"
        # The frame's files are asked for by a page in a frame of another site.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response
