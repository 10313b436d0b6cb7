"""One question to the database for all who ask at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

MOST = 500  # in one question: engines count the values of a list

K = TypeVar("K")
V = TypeVar("V")


class Together(Generic[K, V]):
    """Gives single answers from a function that answers many.

    Whoever asks while a question is on its way waits for the next one, which is for all who have come meanwhile. So no
    answer is older than what it answers, and hundreds who come back at the same moment cost a few questions.

    Args:
        ask: the answers by what was asked; what has none is missing.
    """

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V | None:
        """The answer; None if there is none. Raises what the question raised."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask_all())
        return await asyncio.shield(answer)  # who gives up takes nobody's answer away

    async def _ask_all(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MOST]
                await self._answer({key: self._waiting.pop(key) for key in keys})
        finally:
            self._asking = None

    async def _answer(self, waiting: dict[K, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._ask(list(waiting))
        except Exception as exc:
            for answer in waiting.values():
                answer.set_exception(exc)
                answer.exception()  # it is nobody's mistake if all have given up meanwhile
        else:
            for key, answer in waiting.items():
                answer.set_result(found.get(key))
