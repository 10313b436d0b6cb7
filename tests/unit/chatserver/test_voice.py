"""The quick way to the bytes of a message is the long one's equal."""

from __future__ import annotations

import hiredis
from hypothesis import given, settings
from hypothesis import strategies as some

from chatserver.broker.draft import Voice
from chatserver.broker.scripts import script
from chatserver.ids import new_id
from chatserver.model.person import CUSTOMER_RIGHTS, NOTE_RIGHTS, OWNER_RIGHTS, Participant

NUMBERS = some.integers(1, 2**32 - 1)
TEXTS = some.text(some.characters(exclude_categories=["Cs"]), max_size=300)


def parts(packed: bytes) -> list[bytes]:
    """A command as Redis reads it."""
    reader = hiredis.Reader()
    reader.feed(packed)
    found: list[bytes] = reader.gets()
    assert reader.gets() is False, "nothing is left over"
    return found


@settings(max_examples=200)
@given(
    ticket=some.integers(1, 2**53 - 1),
    name=some.none() | TEXTS,
    rights=some.sampled_from([CUSTOMER_RIGHTS, OWNER_RIGHTS, NOTE_RIGHTS, ""]),
    said=some.lists(some.tuples(NUMBERS, TEXTS, some.none() | NUMBERS), min_size=1, max_size=4),
    at=some.integers(0, 2**45),
    replids=some.lists(some.binary(min_size=40, max_size=40), min_size=1, max_size=2),
)
def test_a_voice_says_what_the_draft_says(
    ticket: int, name: str | None, rights: str, said: list[tuple[int, str, int | None]], at: int, replids: list[bytes]
) -> None:
    me = Participant("k" * 16, new_id(), "customer", rights, name)
    voice, origin = Voice(ticket, me, "d" * 22, b"12345678"), b"12345678"
    for n, text, gen in said:
        for replid in replids:  # another history of Redis' data began
            entry_id = new_id()
            count, packed = voice.draft(entry_id, n, text, gen).send(origin, replid, at)
            expected = parts(script("send").by_name(count) + packed)
            assert parts(voice.message(entry_id, n, text, gen, replid, at)) == expected
