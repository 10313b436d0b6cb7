"""One question for all who ask at once: few questions, no answer older than its question, nobody in another's way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from chatserver.stores import together
from chatserver.stores.together import Together

pytestmark = pytest.mark.anyio


class Asked:
    """Answers when the test says so, with what is true then."""

    def __init__(self) -> None:
        self.known = {"ann": 1, "ben": 2}
        self.questions: list[list[str]] = []
        self.may_answer = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, keys: Sequence[str]) -> dict[str, int]:
        self.questions.append(list(keys))
        answer = {key: self.known[key] for key in keys if key in self.known}
        await self.may_answer.wait()
        if self.error:
            raise self.error
        return answer


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_meanwhile_shares_the_next_question() -> None:
    asked = Asked()
    agents = Together(asked)
    first = asyncio.create_task(agents.get("ann"))
    await soon()
    asked.known["ann"] = 7  # the question on its way does not know of it
    later = [asyncio.create_task(agents.get(key)) for key in ("ann", "ben", "ann", "nobody")]
    await soon()
    assert asked.questions == [["ann"]]
    asked.may_answer.set()
    assert await first == 1
    assert [await one for one in later] == [7, 2, 7, None]
    assert asked.questions == [["ann"], ["ann", "ben", "nobody"]]


async def test_an_error_is_everybodys_and_the_next_question_is_asked() -> None:
    asked = Asked()
    agents = Together(asked)
    asked.error = OSError("away")
    asked.may_answer.set()
    answers = await asyncio.gather(agents.get("ann"), agents.get("ben"), return_exceptions=True)
    assert answers == [asked.error, asked.error]
    asked.error = None
    assert await agents.get("ben") == 2


async def test_who_gives_up_takes_nobodys_answer_away() -> None:
    asked = Asked()
    agents = Together(asked)
    impatient, patient = (asyncio.create_task(agents.get("ann")) for _ in range(2))
    await soon()
    impatient.cancel()
    await soon()
    asked.may_answer.set()
    assert await patient == 1


async def test_a_question_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST", 2)
    asked = Asked()
    agents = Together(asked)
    asked.may_answer.set()
    await asyncio.gather(*(agents.get(str(number)) for number in range(5)))
    assert asked.questions == [["0", "1"], ["2", "3"], ["4"]]
