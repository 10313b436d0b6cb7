"""The routing slot follows the chats: onto the waiting list, into an agent's hands, off everything."""

from __future__ import annotations

from collections.abc import Iterable

from chatserver.model.chat import LiveChat
from chatserver.stores.chats import Chats
from chatserver.stores.queue import Queue


class Waiting:
    """Makes the routing slot agree with a chat."""

    def __init__(self, chats: Chats, queue: Queue) -> None:
        self._chats, self._queue = chats, queue

    async def agree(self, ticket: int, *, preview: str | None = None, strays: Iterable[str] = ()) -> LiveChat:
        """Until both slots say the same, or the routing slot is ahead and the step is pending; then off the
        sweeper's list. Doing it again does nothing. `strays` are agents with whom it was found by mistake.

        Raises:
            NotFoundError: there is no such chat.
            UnavailableError: Redis does not answer; the sweeper does it later.
        """
        chat = await self._chats.head(ticket)
        while True:
            await self._queue.agree(chat, preview=preview, strays=strays)
            now = await self._chats.head(ticket)
            if (now.state, now.gen) == (chat.state, chat.gen):
                break
            chat = now  # somebody was quicker: what we have just written may be out of date
        await self._chats.log.routed(ticket)
        return chat
