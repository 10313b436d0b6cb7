"""The relevance of `make search-report`, in small: the questions that the search was tuned on, about fewer chats."""

import random

import pytest
from search_factories import STAFF
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.search.dialogues import Writer
from bench.search.questions import Asker
from bench.search.report import ask, mrr, odd_query, success
from transcripts.search import Scope, Search
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_what_is_asked_for_is_among_the_first(engine: AsyncEngine, store: Store) -> None:
    dialogues, search = Writer(seed=5).dialogues(300), Search(engine)
    await store.append([one.batch() for one in dialogues])
    await search.index_pending(400)
    asked = await ask(search, Asker(dialogues, held=False, seed=3).questions(4))
    missed = [(one.question.kind, one.question.query) for one in asked if not one.place]
    assert len(asked) >= 50
    assert success(asked) >= 0.93, missed
    assert mrr(asked) >= 0.90


async def test_what_nobody_would_type_is_answered(search: Search) -> None:
    """The report asks 10,000 of them."""
    chance = random.Random(2)
    for number in range(300):
        scope = Scope.customer("cust-eva") if number % 3 == 0 else STAFF
        await search.search(odd_query(chance), scope=scope, facets=number % 2 == 0)
