import msgspec
import pytest
from record_factories import (
    ANN,
    CUSTOMER,
    EPOCH,
    OTHER_TICKET,
    START,
    TICKET,
    make_batch,
    make_chat,
    make_entry,
    make_opening,
)
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.canonical import canonical_body, commitment
from transcripts.database import read
from transcripts.entry import ChatBatch
from transcripts.store import Store

pytestmark = pytest.mark.anyio


async def test_a_new_chat_is_durable_with_all_its_entries(store: Store) -> None:
    batch = make_chat()
    appended = await store.append([batch])
    assert appended.durable == {TICKET: 6}
    assert not appended.stale
    assert not appended.conflicts
    assert await store.entries(TICKET, staff=True) == list(batch.entries)


async def test_entries_project_onto_the_chat(store: Store) -> None:
    await store.append([make_chat()])
    chat = await store.chat(TICKET)
    assert chat is not None
    assert (chat.state, chat.owner, chat.owner_name, chat.gen) == ("closing", "agent-ann", "Ann", 1)
    assert (chat.opened_at, chat.accepted_at, chat.closed_at) == (START + 1000, START + 3000, START + 6000)
    assert (chat.close_reason, chat.topic, chat.order) == ("agent", "Returns", "112-7788231-1234567")
    assert (chat.last_seq, chat.last_public_seq, chat.last_at) == (6, 6, START + 6000)


async def test_a_rating_after_the_close_lands_on_the_chat(store: Store) -> None:
    await store.append([make_chat(), make_batch(make_entry(7, kind="rated", data={"rating": 4}), opening=None)])
    chat = await store.chat(TICKET)
    assert chat is not None
    assert (chat.rating, chat.last_seq) == (4, 7)


async def test_the_owner_is_found_among_participants_of_an_earlier_batch(store: Store) -> None:
    opened = make_batch(make_entry(1, kind="opened"))
    await store.append([opened])
    await store.append([make_batch(make_entry(2, kind="assigned", data={"owner": "p-ann", "name": "Ann", "gen": 1}))])
    chat = await store.chat(TICKET)
    assert chat is not None
    assert chat.owner == "agent-ann"


async def test_a_mail_chat_waits_instead_of_queueing(store: Store) -> None:
    await store.append([make_batch(make_entry(1, kind="opened"), opening=make_opening(mode="mail"))])
    chat = await store.chat(TICKET)
    assert chat is not None
    assert chat.state == "waiting"
    assert chat.open


async def test_repeating_a_batch_changes_nothing(store: Store) -> None:
    await store.append([make_chat()])
    before = await store.entries(TICKET, staff=True)
    again = await store.append([make_chat()])
    assert again.durable == {TICKET: 6}
    assert not again.conflicts
    assert await store.entries(TICKET, staff=True) == before


async def test_a_batch_that_overlaps_adds_only_what_is_new(store: Store) -> None:
    await store.append([make_batch(make_entry(1), make_entry(2))])
    appended = await store.append([make_batch(make_entry(2), make_entry(3), opening=None)])
    assert appended.durable == {TICKET: 3}
    assert [entry.seq for entry in await store.entries(TICKET, staff=True)] == [1, 2, 3]


async def test_a_taken_number_is_a_conflict_and_nothing_of_the_batch_is_written(store: Store) -> None:
    await store.append([make_batch(make_entry(1), make_entry(2))])
    appended = await store.append([make_batch(make_entry(2, entry_id="another"), make_entry(3), opening=None)])
    assert list(appended.conflicts) == [TICKET]
    assert not appended.durable
    assert [entry.entry_id for entry in await store.entries(TICKET, staff=True)] == ["e100009-1", "e100009-2"]


async def test_a_hole_is_a_conflict(store: Store) -> None:
    await store.append([make_batch(make_entry(1))])
    appended = await store.append([make_batch(make_entry(3), opening=None)])
    assert "2" in appended.conflicts[TICKET]
    assert len(await store.entries(TICKET, staff=True)) == 1


async def test_a_chat_cannot_begin_in_the_middle(store: Store) -> None:
    appended = await store.append([make_batch(make_entry(2), opening=make_opening())])
    assert TICKET in appended.conflicts
    assert await store.chat(TICKET) is None


async def test_another_epoch_is_stale_and_writes_nothing(store: Store) -> None:
    await store.append([make_batch(make_entry(1))])
    appended = await store.append([make_batch(make_entry(2), epoch=EPOCH + 1, reads={"p-mia": 1})])
    assert appended.stale == (TICKET,)
    assert not appended.durable
    assert len(await store.entries(TICKET, staff=True)) == 1
    assert await store.reads(TICKET) == {}


async def test_an_unknown_chat_without_its_opening_is_a_conflict(store: Store) -> None:
    appended = await store.append([make_batch(make_entry(1), opening=None)])
    assert TICKET in appended.conflicts


async def test_one_bad_batch_does_not_hold_up_the_others(store: Store) -> None:
    bad = make_batch(make_entry(1, device="d", n=1), make_entry(2, device="d", n=1))  # one command, two entries
    good = make_chat(OTHER_TICKET, chat_key="k1")
    appended = await store.append([bad, good])
    assert appended.durable == {OTHER_TICKET: 6}
    assert TICKET in appended.conflicts
    assert await store.chat(TICKET) is None


async def test_one_chat_key_opens_one_chat(store: Store) -> None:
    await store.append([make_chat(chat_key="k1")])
    appended = await store.append([make_chat(OTHER_TICKET, chat_key="k1")])
    assert OTHER_TICKET in appended.conflicts
    assert await store.ticket_of_key(CUSTOMER, "k1") == TICKET
    assert await store.ticket_of_key("somebody-else", "k1") is None


async def test_a_text_that_has_no_bytes_is_refused_alone(store: Store) -> None:
    appended = await store.append([make_batch(make_entry(1, text="half \ud83d")), make_chat(OTHER_TICKET)])
    assert TICKET in appended.conflicts
    assert appended.durable == {OTHER_TICKET: 6}


async def test_customers_read_only_what_is_for_everybody(store: Store) -> None:
    await store.append([make_chat()])
    everything = await store.entries(TICKET, staff=True)
    assert [entry.seq for entry in everything if entry.audience == "staff"] == [4]
    assert [entry.seq for entry in await store.entries(TICKET, staff=False)] == [1, 2, 3, 5, 6]
    assert [entry.seq for entry in await store.entries(TICKET, staff=False, after=2, limit=2)] == [3, 5]


async def test_every_entry_has_its_own_salt_and_the_commitment_to_its_body(store: Store, engine: AsyncEngine) -> None:
    await store.append([make_chat()])
    async with read(engine) as connection:
        rows = (await connection.execute(select(schema.entries))).mappings().all()
    assert len({row["salt"] for row in rows}) == 6
    for row, entry in zip(rows, make_chat().entries, strict=True):
        assert row["commitment"] == commitment(row["salt"], canonical_body(entry.text, entry.name, (), entry.data))


async def test_participants_are_kept_and_changed(store: Store) -> None:
    await store.append([make_chat()])
    left = msgspec.structs.replace(ANN, left_at=START + 9000)
    await store.append([ChatBatch(ticket=TICKET, epoch=EPOCH, participants=(left,))])
    assert [one.participant_id for one in await store.participants(TICKET)] == ["p-mia", "p-ann"]
    assert (await store.participants(TICKET))[1] == left


async def test_a_read_marker_never_goes_back(store: Store) -> None:
    await store.append([make_chat()])
    await store.append([ChatBatch(ticket=TICKET, epoch=EPOCH, reads={"p-mia": 5, "p-ann": 2})])
    await store.append([ChatBatch(ticket=TICKET, epoch=EPOCH, reads={"p-mia": 3}, participants=(ANN,))])
    assert await store.reads(TICKET) == {"p-mia": 5, "p-ann": 2}


async def test_windows_hold_the_last_sixteen_commands_of_each_device(store: Store) -> None:
    entries = [make_entry(seq, device="phone", n=seq) for seq in range(1, 21)]
    await store.append([make_batch(*entries, make_entry(21, device="laptop", n=1), make_entry(22))])
    windows = await store.windows(TICKET)
    assert windows[("p-mia", "phone")] == [(n, n) for n in range(20, 4, -1)]
    assert windows[("p-mia", "laptop")] == [(1, 21)]
    assert len(windows) == 2


async def test_a_rebase_makes_the_old_epoch_stale(store: Store) -> None:
    await store.append([make_chat(closed=False)])
    rebased = await store.rebase(TICKET, 4_000_000_000)
    assert rebased is not None
    assert rebased.chat.epoch == 4_000_000_000
    assert (rebased.last_seq, rebased.last_public_seq, rebased.last_at) == (5, 5, START + 5000)
    assert [one.participant_id for one in rebased.participants] == ["p-mia", "p-ann"]
    assert rebased.windows == {("p-mia", "dev-mia-0000000000"): [(1, 2)], ("p-ann", "dev-ann"): [(2, 5)]}
    assert (await store.append([make_batch(make_entry(6))])).stale == (TICKET,)
    assert (await store.append([make_batch(make_entry(6), epoch=4_000_000_000)])).durable == {TICKET: 6}


async def test_an_unknown_chat_cannot_be_rebased(store: Store) -> None:
    assert await store.rebase(TICKET, 1) is None


async def test_work_lists_name_what_waits(store: Store) -> None:
    await store.append([make_chat(), make_chat(OTHER_TICKET, closed=False, chat_key="k")])
    assert await store.closing() == [TICKET]
    assert await store.unsealed() == 1
    assert await store.unindexed(limit=10) == [TICKET, OTHER_TICKET]
    assert await store.unindexed(limit=1) == [TICKET]


async def test_every_opening_of_a_transcript_is_recorded(store: Store) -> None:
    await store.record_access(TICKET, "agent-ann", "agent", START)
    await store.record_access(TICKET, CUSTOMER, "access_code", START + 1)
    assert [(one.who, one.how, one.at) for one in await store.accesses(TICKET)] == [
        (CUSTOMER, "access_code", START + 1),
        ("agent-ann", "agent", START),
    ]
