"""Checkpoints of the chain, and what they show that seals cannot: that history was signed anew."""

import msgspec
import pytest
from record_factories import OTHER_TICKET, START, TICKET, make_chat
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.audit import broken_seals
from transcripts.checkpoint import Checkpoint, broken_checkpoints, checkpoint, read_checkpoints
from transcripts.database import read, write
from transcripts.errors import UnreadableError
from transcripts.public_keys import published, read_published
from transcripts.seal import Sealer, SealKey
from transcripts.segment import segment_of
from transcripts.store import Store

pytestmark = pytest.mark.anyio

KEY = SealKey.from_bytes(bytes(range(32)))
KEYS = {KEY.key_id: KEY.public}


async def sealed(store: Store, engine: AsyncEngine) -> Checkpoint:
    """Two sealed chats; the checkpoint after the first."""
    await store.append([make_chat(), make_chat(OTHER_TICKET, chat_key="k")])
    await Sealer(engine, KEY, now=lambda: START).seal(TICKET)
    made = await checkpoint(engine, KEY, START + 5)
    await Sealer(engine, KEY, now=lambda: START).seal(OTHER_TICKET)
    assert made
    return made


async def problems(engine: AsyncEngine, *checkpoints: Checkpoint, keys: dict[str, bytes] = KEYS) -> list[str]:
    async with read(engine) as connection:
        return [one async for one in broken_checkpoints(connection, checkpoints, keys)]


async def test_it_is_the_head_of_the_chain(store: Store, engine: AsyncEngine) -> None:
    assert await checkpoint(engine, KEY, START) is None
    made = await sealed(store, engine)
    segment = await store.last_segment(TICKET)
    assert segment
    assert (made.number, made.digest, made.at) == (1, segment.digest().hex(), START + 5)
    assert await problems(engine, made) == []


async def test_its_line_is_read_again_and_what_is_torn_is_not(store: Store, engine: AsyncEngine) -> None:
    made = await sealed(store, engine)
    assert read_checkpoints(made.line() * 2) == [made, made]
    assert read_checkpoints(made.line() + made.line()[:-9]) == [made]
    assert read_checkpoints(b"") == []
    for other in (b"{}\n", b"hello\n", made.line()[:-3], made.line().replace(b'"at"', b'"as"')):
        with pytest.raises(UnreadableError):
            read_checkpoints(other)


async def test_history_signed_anew_with_the_right_key_is_found(store: Store, engine: AsyncEngine) -> None:
    made = await sealed(store, engine)
    async with write(engine) as connection:
        rows = (await connection.execute(select(schema.seals).order_by(schema.seals.c.number))).mappings().all()
        before = bytes(32)
        for row in rows:
            told = msgspec.structs.replace(segment_of(dict(row)), sealed_at=START + 99, prev_seal=before)
            forged = KEY.sign(told)
            before = forged.digest()
            await connection.execute(
                update(schema.seals)
                .where(schema.seals.c.number == row["number"])
                .values({**msgspec.structs.asdict(forged), "digest": before})
            )
        await connection.execute(update(schema.seal_chain).values(digest=before))
        assert [one async for one in broken_seals(connection, KEYS)] == []  # no seal can tell
    assert await problems(engine, made) == [
        "segment 1 of the chain is not the one that the checkpoint saw: it was signed anew"
    ]


async def test_a_segment_that_is_gone_is_found(store: Store, engine: AsyncEngine) -> None:
    made = await sealed(store, engine)
    async with write(engine) as connection:
        await connection.execute(delete(schema.seals))
    assert await problems(engine, made) == ["segment 1 of the chain is missing"]


@pytest.mark.parametrize("changed", [{"number": 2}, {"digest": "00" * 32}, {"at": 1}, {"signature": "00" * 64}])
async def test_a_checkpoint_that_was_changed_is_found(
    store: Store, engine: AsyncEngine, changed: dict[str, object]
) -> None:
    made = msgspec.structs.replace(await sealed(store, engine), **changed)
    assert await problems(engine, made) == [f"the signature of the checkpoint of segment {made.number} does not hold"]


async def test_a_stranger_s_checkpoint_is_refused(store: Store, engine: AsyncEngine) -> None:
    made = await sealed(store, engine)
    assert "not known" in (await problems(engine, made, keys={}))[0]


def test_published_keys_are_read_again() -> None:
    assert read_published(published(KEYS)) == KEYS


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"keys": [1]}', published({"0" * 16: KEY.public}), published({KEY.key_id: b"short"})],
)
def test_what_is_no_list_of_keys_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_published(body)
