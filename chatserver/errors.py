"""Every error the hub answers with, as one small tree.

    ChatError
    ├── InvalidCommandError        invalid
    │   ├── UnknownCommandError    unknown_command
    │   ├── TooBigError            too_big
    │   ├── TooSlowError           invalid, over HTTP: 408
    │   └── BadFrameError          closes the connection with 4400
    ├── UnauthenticatedError       unauthenticated
    ├── ForbiddenError             forbidden
    ├── NotFoundError              not_found (also for "not yours")
    ├── ConflictError              conflict
    │   ├── GapError               gap
    │   ├── StaleGenError          stale_gen
    │   ├── AlreadyAssignedError   already_assigned
    │   ├── ChatClosedError        chat_closed
    │   └── ResetError             reset
    ├── RateLimitedError           rate_limited
    ├── UnavailableError           unavailable: undecided, repeat the same command
    └── ConfigError                the operator has to mend something; the program ends with exit code 1

The codes are those of docs/protocol.md; the message defaults to the docstring. Foreign exceptions are translated at
the adapter that meets them.
"""

from __future__ import annotations

from typing import Any, ClassVar


class ChatError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int | None] = None

    def __init__(self, message: str | None = None, **details: Any) -> None:
        self.message = message or (type(self).__doc__ or "").split("\n")[0]
        self.details = details
        super().__init__(self.message)


class InvalidCommandError(ChatError):
    """The command is not valid."""

    code, http_status = "invalid", 400


class UnknownCommandError(InvalidCommandError):
    """There is no such command."""

    code = "unknown_command"


class TooBigError(InvalidCommandError):
    """The text is too long."""

    code, http_status = "too_big", 413


class TooSlowError(InvalidCommandError):
    """The rest of the request did not come in time."""

    http_status = 408


class BadFrameError(InvalidCommandError):
    """The frame is not the protocol."""

    close_code = 4400


class UnauthenticatedError(ChatError):
    """Sign in first."""

    code, http_status, close_code = "unauthenticated", 401, 4401


class ForbiddenError(ChatError):
    """This is not allowed."""

    code, http_status, close_code = "forbidden", 403, 4403


class NotFoundError(ChatError):
    """It is not there, or it is not yours."""

    code, http_status = "not_found", 404


class ConflictError(ChatError):
    """This number was used for another command: take a new device."""

    code, http_status = "conflict", 409


class GapError(ConflictError):
    """A command before this one is missing."""

    code = "gap"


class StaleGenError(ConflictError):
    """Another agent owns the chat now, or `gen` is missing: attach again."""

    code = "stale_gen"


class AlreadyAssignedError(ConflictError):
    """Another agent has taken this chat."""

    code = "already_assigned"


class ChatClosedError(ConflictError):
    """The chat is closed."""

    code = "chat_closed"


class ResetError(ConflictError):
    """The chat's history was rebuilt: attach again."""

    code = "reset"


class RateLimitedError(ChatError):
    """Too fast. Try again later."""

    code, http_status = "rate_limited", 429


class UnavailableError(ChatError):
    """The server cannot reach its log just now. Try again with the same command."""

    code, http_status, close_code = "unavailable", 503, 4005


class ConfigError(ChatError):
    """The configuration has to be mended."""

    code = "config"
