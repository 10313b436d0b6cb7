"""Errors as HTTP answers; the only place that does so. No traceback and nothing of the inside reaches a client."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chatserver.errors import ChatError, InvalidCommandError, NotFoundError, UnavailableError
from transcripts.errors import StoreUnavailableError

log = structlog.get_logger()


def answer(error: ChatError) -> Response:
    """The answer for an error."""
    body = {"code": error.code, "message": error.message}
    headers = {"Cache-Control": "no-store"}
    retry = error.details.get("retry_after_ms")
    if retry is not None:
        body["retry_after_ms"] = retry
        headers["Retry-After"] = str(max(1, round(retry / 1000)))
    if error.http_status == HTTPStatus.REQUEST_TIMEOUT:
        headers["Connection"] = "close"  # what is still to come belongs to no request
    return JSONResponse({"error": body}, status_code=error.http_status, headers=headers)


async def on_chat_error(request: Request, exc: Exception) -> Response:
    """An error of ours."""
    assert isinstance(exc, ChatError)
    return answer(exc)


async def on_store_error(request: Request, exc: Exception) -> Response:
    """The database does not answer."""
    log.warning("http.store_unavailable", path=request.url.path[:200], error=str(exc))
    return answer(UnavailableError(retry_after_ms=2_000))


async def on_http_error(request: Request, exc: Exception) -> Response:
    """No such path, wrong method."""
    assert isinstance(exc, HTTPException)
    error = (
        NotFoundError("There is nothing at this address.")
        if exc.status_code == 404
        else InvalidCommandError(exc.detail)
    )
    response = answer(error)
    response.status_code = exc.status_code
    return response


async def on_bug(request: Request, exc: Exception) -> Response:
    """A mistake of ours: logged with its traceback, answered without."""
    log.error("http.failed", path=request.url.path[:200], exc_info=exc)
    return answer(UnavailableError("Something went wrong here. Try again.", retry_after_ms=2_000))


HANDLERS = {
    ChatError: on_chat_error,
    StoreUnavailableError: on_store_error,
    HTTPException: on_http_error,
    Exception: on_bug,
}
