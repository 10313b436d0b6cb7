"""What the server sends, as typed structs; fields that are None are left out. Entries and events come ready-made from
the log.
"""

from __future__ import annotations

from typing import Any

import msgspec

from chatserver.errors import ChatError


class Frame(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="op"):
    """What all have in common: `op`."""


class Welcome(Frame, frozen=True, tag="welcome"):
    """The connection is open."""

    id: int
    connection: str
    now: int
    person: dict[str, Any]
    limits: dict[str, int]
    ping_every: int
    resume_token: str
    chats: list[Any]


class Page(Frame, frozen=True, tag="page"):
    """A part of a chat's log; exactly one of `ok` and `reset` is there."""

    ticket: int
    epoch: int
    top: int
    state: dict[str, Any]
    reads: dict[str, int]
    entries: list[Any]
    more: bool
    id: int | None = None
    ok: bool | None = None
    reset: bool | None = None


class Ack(Frame, frozen=True, gc=False, tag="ack"):
    """The command with this id was executed."""

    id: int
    ticket: int | None = None
    n: int | None = None
    seq: int | None = None
    prev: int | None = None
    epoch: int | None = None
    entry_id: str | None = None
    at: int | None = None
    text: str | None = None
    dup: bool | None = None
    gen: int | None = None
    access_code: str | None = None
    claim: str | None = None
    topic: str | None = None
    page: Page | None = None


class Snapshot(Frame, frozen=True, tag="snapshot"):
    """A topic as it is; without `id` unasked, where the server may have missed an event."""

    topic: str
    version: int
    state: dict[str, Any]
    id: int | None = None


class Error(Frame, frozen=True, tag="error"):
    """The command with this id was not executed."""

    code: str
    message: str
    id: int | None = None
    ticket: int | None = None
    n: int | None = None
    retry_after_ms: int | None = None
    last_n: int | None = None
    owner: str | None = None

    @classmethod
    def of(cls, error: ChatError, *, id: int | None, ticket: int | None = None, n: int | None = None) -> Error:
        """From an exception."""
        return cls(code=error.code, message=error.message, id=id, ticket=ticket, n=n, **error.details)


class Ping(Frame, frozen=True, tag="ping"):
    """A sign of life, to be answered."""


class Pong(Frame, frozen=True, tag="pong"):
    """A sign of life."""


class Bye(Frame, frozen=True, tag="bye"):
    """The server is about to go."""

    after_ms: int
    reconnect: bool
