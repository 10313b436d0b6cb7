"""Legal holds and who may place them: supervisors and administrators, and the operator at the command line."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from chatserver.clock import now_ms
from chatserver.errors import InvalidCommandError
from chatserver.stores import audit
from transcripts.database import write
from transcripts.holds import HoldOn, lift, place
from transcripts.masking import Masker

LONGEST_REASON = 500


async def place_hold(engine: AsyncEngine, on: HoldOn, *, reason: str, actor: str, masker: Masker) -> bool:
    """Holds a chat or a customer; False if a hold stands already. The reason is masked as the site masks its chats.

    Raises:
        InvalidCommandError: no reason, or a long one.
    """
    reason = masker.mask(" ".join(reason.split())).text
    if not 0 < len(reason) <= LONGEST_REASON:
        raise InvalidCommandError(f"A hold needs a reason of at most {LONGEST_REASON} characters.")
    async with write(engine) as connection:
        placed = await place(connection, on, reason=reason, by=actor, at=now_ms())
        if placed:
            await audit.record(connection, actor=actor, action="hold_placed", subject=str(on))
        return placed


async def lift_hold(engine: AsyncEngine, on: HoldOn, *, actor: str) -> bool:
    """Lifts the hold; False if none stands."""
    async with write(engine) as connection:
        lifted = await lift(connection, on, by=actor, at=now_ms())
        if lifted:
            await audit.record(connection, actor=actor, action="hold_lifted", subject=str(on))
        return lifted
