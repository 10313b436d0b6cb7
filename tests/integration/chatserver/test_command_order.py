"""A device's commands reach the log in the order in which they came, and what is said of a gap is true when it is said:
a client gives the numbers behind `last_n` to other commands.
"""

from __future__ import annotations

import asyncio

import pytest

from chatserver.actions.messages import Messages
from chatserver.actions.text import TextCleaner
from chatserver.broker.log import Accepted
from chatserver.errors import ChatError, GapError, UnavailableError
from chatserver.wire.commands import PostMessage
from tests.support.backstage import Backstage, Writer
from transcripts.masking import Masker


def post(stage: Backstage, ticket: int, writer: Writer, n: int) -> asyncio.Future[Accepted | ChatError]:
    """As the hub does it: on its way when this returns."""
    answer: asyncio.Future[Accepted | ChatError] = asyncio.get_running_loop().create_future()
    Messages(stage.chats, TextCleaner(Masker())).post_message(
        writer.author,
        PostMessage(id=1, ticket=ticket, n=n, text=f"words {n}"),
        writer.participant,
        lambda found, _: answer.set_result(found),
    )
    return answer


@pytest.mark.anyio
async def test_commands_keep_their_order_while_their_chat_is_compared(stage: Backstage) -> None:
    ticket, writer = await stage.open()
    await stage.persist()
    stage.valkey.begin_history()
    await stage.answered()
    answers = await asyncio.gather(*(post(stage, ticket, writer, n) for n in range(2, 18)))
    assert [one.seq if isinstance(one, Accepted) else one for one in answers] == list(range(3, 19))


@pytest.mark.anyio
async def test_nobody_is_told_of_a_gap_that_has_been_filled(stage: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, writer = await stage.open()
    look = stage.store.last_n

    async def look_for_long(ticket: int, participant: str, device: str) -> int:
        found = await look(ticket, participant, device)
        await stage.send(writer, ticket, 2, "words 2")  # it comes while somebody looks
        return found

    monkeypatch.setattr(stage.store, "last_n", look_for_long)
    answer = await post(stage, ticket, writer, 3)
    assert type(answer) is UnavailableError  # and not executed: this frame may be the second of two
    assert (await stage.live(ticket)).seq == 3


@pytest.mark.anyio
async def test_what_had_to_wait_is_not_executed_once_its_connection_is_gone(stage: Backstage) -> None:
    """Its sender sends it over another, perhaps under another number because one before it was refused there."""
    ticket, writer = await stage.open()
    await stage.persist()
    stage.valkey.begin_history()
    await stage.answered()
    answer = post(stage, ticket, writer, 2)
    writer.author.gone = True
    assert type(await answer) is UnavailableError
    assert (await stage.live(ticket)).seq == 2


@pytest.mark.anyio
async def test_of_a_gap_that_stays_the_last_number_is_told(stage: Backstage) -> None:
    ticket, writer = await stage.open()
    answer = await post(stage, ticket, writer, 3)
    assert isinstance(answer, GapError)
    assert answer.details["last_n"] == 1


@pytest.mark.anyio
async def test_second_of_two_frames_is_not_executed_when_the_first_was_answered(
    stage: Backstage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number may be another's by then: a number before it was refused, given to the next, and is in SQL."""
    ticket, writer = await stage.open()
    look = stage.store.last_n

    async def look_for_long(ticket: int, participant: str, device: str) -> int:
        await stage.send(writer, ticket, 2, "words 3")
        await stage.persist()
        return await look(ticket, participant, device)

    monkeypatch.setattr(stage.store, "last_n", look_for_long)
    assert type(await post(stage, ticket, writer, 3)) is UnavailableError
    assert (await stage.live(ticket)).seq == 3


@pytest.mark.anyio
async def test_what_fails_unforeseen_is_answered(stage: Backstage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gets no answer waits for it, and so does a process that wants to end."""
    ticket, writer = await stage.open()

    async def look(ticket: int, participant: str, device: str) -> int:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(stage.store, "last_n", look)
    assert type(await asyncio.wait_for(post(stage, ticket, writer, 3), 10)) is UnavailableError
