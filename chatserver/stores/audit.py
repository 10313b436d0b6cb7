"""Who did what that somebody may ask about later. Never any text of a chat."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from chatserver.clock import now_ms
from chatserver.ids import new_id
from chatserver.stores.schema import audit


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
