"""Redis loses its newest entries after they became durable, and takes new ones under their numbers: SQL counts."""

from __future__ import annotations

import pytest

from chatserver.broker.keys import chat_key
from tests.support.log import whole_log
from tests.support.people import People, position, start_talk
from tests.support.server import RunningServer

pytestmark = pytest.mark.anyio


async def test_durable_entries_keep_their_numbers_and_later_ones_follow(server: RunningServer, people: People) -> None:
    talk = await start_talk(people)
    ticket = talk.ticket
    await talk.say(2, "first")
    await talk.customer.until("durable", ticket=ticket, seq=4)
    keys = chat_key(ticket, b":m"), chat_key(ticket, b":x")
    redis = server.redis()
    remembered = [redis.dump(key) for key in keys]

    await talk.say(3, "second, durable")
    last = await talk.say(4, "third, durable")
    await talk.customer.until("durable", ticket=ticket, seq=6)
    for key, value in zip(keys, remembered, strict=True):
        redis.restore(key, 0, value, replace=True)  # as a failover that lost its tail
    redis.close()

    # Both write on: the agent something new, under a number that SQL has given to "second, durable".
    again = await people.staff("ann", device=talk.agent.device)
    await again.call("attach", ticket=ticket)
    new = await again.call("post_message", ticket=ticket, n=2, text="fourth, after the loss", gen=talk.gen)
    assert new["seq"] == 5

    page = await talk.customer.until("page", ticket=ticket, reset=True)
    said = [(entry["seq"], entry["text"]) for entry in page["entries"] if entry["kind"] == "message"]
    assert said == [
        (2, "Where is my parcel?"),
        (4, "first"),
        (5, "second, durable"),
        (6, "third, durable"),
        (7, "fourth, after the loss"),
    ]
    assert page["epoch"] != last["epoch"]
    await talk.customer.until("durable", ticket=ticket, epoch=page["epoch"], seq=7)

    # An old position is void, a command that is durable is known again, and the next one goes on.
    resumed = await talk.customer.call("pull", **position(last))
    assert resumed["reset"]
    assert (await talk.say(4, "third, durable"))["dup"]
    assert (await talk.say(5, "fifth"))["seq"] == 8
    assert (await again.call("post_message", ticket=ticket, n=2, text="fourth, after the loss", gen=talk.gen))["dup"]


async def test_a_command_that_was_sent_again_after_the_loss_is_there_once(
    server: RunningServer, people: People
) -> None:
    talk = await start_talk(people)
    ticket = talk.ticket
    await talk.say(2, "first")
    await talk.customer.until("durable", ticket=ticket, seq=4)
    keys = chat_key(ticket, b":m"), chat_key(ticket, b":x")
    redis = server.redis()
    remembered = [redis.dump(key) for key in keys]
    await talk.say(3, "second")
    await talk.customer.until("durable", ticket=ticket, seq=5)
    for key, value in zip(keys, remembered, strict=True):
        redis.restore(key, 0, value, replace=True)
    redis.close()

    # The customer's device never saw the ack, so it repeats itself; then somebody else writes.
    await talk.say(3, "second")
    await talk.answer(2, "third")
    page = await talk.customer.until("page", ticket=ticket, reset=True)
    entries = page["entries"]
    while entries[-1]["text"] != "third":  # said before the log was put right, or after
        entries.append(await talk.customer.until("entry", ticket=ticket, epoch=page["epoch"]))
    said = [entry["text"] for entry in entries if entry["kind"] == "message"]
    assert said == ["Where is my parcel?", "first", "second", "third"]
    assert await whole_log(talk.customer, ticket) == entries


async def test_who_knows_more_than_the_log_gets_it_back(server: RunningServer, people: People) -> None:
    """Nobody has written since the loss: the position of a client that comes back gives it away."""
    talk = await start_talk(people)
    ticket = talk.ticket
    await talk.say(2, "first")
    await talk.customer.until("durable", ticket=ticket, seq=4)
    keys = chat_key(ticket, b":m"), chat_key(ticket, b":x")
    redis = server.redis()
    remembered = [redis.dump(key) for key in keys]
    last = await talk.say(3, "second, durable")
    await talk.customer.until("durable", ticket=ticket, seq=5)
    for key, value in zip(keys, remembered, strict=True):
        redis.restore(key, 0, value, replace=True)
    redis.close()

    page = await talk.customer.call("pull", **position(last))
    assert page["reset"]
    assert [entry["text"] for entry in page["entries"] if entry["kind"] == "message"][-1] == "second, durable"
    assert (await talk.say(4, "third"))["seq"] == 6
