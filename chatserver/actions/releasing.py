"""An agent who is lost loses their chats: back to the waiting list, at the old place. The routing slot decides and
counts `gen`; the chat's own slot follows; then it is listed.
"""

from __future__ import annotations

import contextlib

from chatserver.actions.waiting import Waiting
from chatserver.broker.draft import Draft
from chatserver.broker.log import MissingChat
from chatserver.errors import StaleGenError
from chatserver.ids import new_id
from chatserver.model.person import Participant
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue, Step


class Releasing:
    """Takes chats from agents whose grace is over."""

    def __init__(self, chats: Chats, queue: Queue, waiting: Waiting) -> None:
        self._chats, self._queue, self._waiting = chats, queue, waiting

    async def release(self, agent_id: str) -> int:
        """All chats of this agent, unless they are back at this instant; how many it were.

        Raises:
            UnavailableError: Redis or the database do not answer; what was begun is pending, and completed later.
        """
        steps = await self._queue.release(agent_id)
        for step in steps:
            await self.complete(step)
        return len(steps)

    async def complete(self, step: Step) -> None:
        """The chat's own slot, then the waiting list; by `gen`, so again changes nothing.

        Raises:
            NotFoundError: there is no such chat.
        """
        await self.follow(step)
        await self._waiting.agree(step.ticket)

    async def follow(self, step: Step) -> None:
        """The chat's own slot does as the routing slot has decided, unless that is out of date.

        Raises:
            NotFoundError: there is no such chat.
        """
        chat = await self._chats.head(step.ticket)
        owner = chat.owner_participant()
        if owner:
            with contextlib.suppress(StaleGenError):  # done before, ended, or another's: `agree` finds out
                await self._append(chat.ticket, owner, step.gen)

    async def _append(self, ticket: int, owner: Participant, gen: int) -> None:
        draft = Draft(
            ticket=ticket,
            kind="released",
            role="system",
            entry_id=new_id(),
            person_id=owner.person_id,
            participant=owner.id,
            device="",
            n=0,
            name=owner.name,
            data={"reason": "agent_lost", "gen": gen},
        )
        while True:
            try:
                await self._chats.log.release(draft, gen=gen)
                return
            except MissingChat:
                await self._chats.rebase(ticket)
