"""Who did what that somebody may ask about later. Never any text of a chat."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chatserver.clock import now_ms
from chatserver.ids import new_id
from chatserver.stores.schema import audit
from transcripts.erasure import Certificate
from transcripts.erasure.eraser import Keep


async def record(connection: AsyncConnection, *, actor: str, action: str, subject: str, **details: Any) -> None:
    """Adds a line, in the transaction of what it is about: both are there, or neither.

    Args:
        connection: in that transaction.
        actor: an agent's id, `command line`, or `worker`.
        action: such as `hold_placed`.
        subject: what it was done to, such as `chat #100009`.
        details: more that is no text of a chat.
    """
    row = {"id": new_id(), "at": now_ms(), "actor": actor, "action": action, "subject": subject}
    await connection.execute(insert(audit).values(row | {"details": json.dumps(details) if details else None}))


def keeps_certificates(*, actor: str, action: str) -> Keep:
    """Keeps the certificate of an erasure, under its own id."""

    async def keep(connection: AsyncConnection, certificate: Certificate) -> None:
        row = {"id": certificate.id, "at": now_ms(), "actor": actor, "action": action, "subject": _names(certificate)}
        details = msgspec.json.encode(certificate).decode()
        await connection.execute(insert(audit).values(row | {"details": details}))

    return keep


def _names(certificate: Certificate) -> str:
    chats = [f"chat #{one.ticket}" for one in certificate.chats]
    shown = chats if len(chats) <= MOST_NAMED else [f"{len(chats)} chats"]
    return ", ".join([f"customer {one}" for one in certificate.customers] + shown)


MOST_NAMED = 20
