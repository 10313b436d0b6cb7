import copy
import json
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st
from record_factories import EPOCH, OTHER_TICKET, START, TICKET, make_batch, make_chat, make_entry
from sqlalchemy import delete, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from transcripts import schema
from transcripts.canonical import canonical_body, commitment
from transcripts.database import open_database, read, write
from transcripts.errors import HoleError
from transcripts.export import as_json
from transcripts.migrate import upgrade
from transcripts.seal import Sealer, SealKey
from transcripts.segment import START as CHAIN_START
from transcripts.segment import Segment, leaf, segment_of
from transcripts.store import Store
from transcripts.verify import verify

KEY = SealKey.from_bytes(bytes(range(32)))
KEYS = {KEY.key_id: KEY.public}


@pytest.fixture
def sealer(engine: AsyncEngine) -> Sealer:
    return Sealer(engine, KEY, now=lambda: START + 60_000)


async def exported(store: Store, audience: str = "staff", ticket: int = TICKET) -> dict[str, Any]:
    found = await as_json(store, ticket, audience)
    assert found is not None
    decoded: dict[str, Any] = json.loads(json.dumps(found))
    return decoded


@pytest.mark.anyio
class TestSealing:
    async def test_a_closing_chat_becomes_closed(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat()])
        segment = await sealer.seal(TICKET)
        chat = await store.chat(TICKET)
        assert segment is not None
        assert chat is not None
        assert (segment.from_seq, segment.to_seq, segment.number) == (1, 6, 1)
        assert segment.prev_seal == CHAIN_START
        assert (chat.state, chat.sealed_seq) == ("closed", 6)
        assert await store.closing() == []

    async def test_sealing_twice_gives_the_same_segment(
        self, store: Store, sealer: Sealer, engine: AsyncEngine
    ) -> None:
        await store.append([make_chat()])
        first = await sealer.seal(TICKET)
        again = await Sealer(engine, SealKey.generate()).seal(TICKET)
        assert first == again

    async def test_an_open_or_unknown_chat_is_not_sealed(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat(closed=False)])
        assert await sealer.seal(TICKET) is None
        assert await sealer.seal(OTHER_TICKET) is None

    async def test_a_hole_is_never_signed(self, store: Store, sealer: Sealer, engine: AsyncEngine) -> None:
        await store.append([make_chat()])
        async with write(engine) as connection:
            await connection.execute(delete(schema.entries).where(schema.entries.c.seq == 3))
        with pytest.raises(HoleError) as caught:
            await sealer.seal(TICKET)
        assert (caught.value.ticket, caught.value.missing) == (TICKET, 3)
        chat = await store.chat(TICKET)
        assert chat is not None
        assert chat.state == "closing"

    async def test_later_entries_close_a_further_segment(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat()])
        first = await sealer.seal(TICKET)
        await store.append([make_batch(make_entry(7, kind="rated", data={"rating": 5}))])
        assert await store.closing() == [TICKET]
        second = await sealer.seal(TICKET)
        assert first is not None
        assert second is not None
        assert (second.from_seq, second.to_seq, second.prev_seal) == (7, 7, first.digest())
        assert verify(await exported(store), KEYS).ok

    async def test_a_database_has_one_chain(self, store: Store, sealer: Sealer, engine: AsyncEngine) -> None:
        await store.append([make_chat(), make_chat(OTHER_TICKET, chat_key="k")])
        await sealer.seal_many([TICKET])
        await Sealer(engine, SealKey.generate()).seal(OTHER_TICKET)
        async with read(engine) as connection:
            rows = (await connection.execute(select(schema.seals).order_by(schema.seals.c.number))).mappings().all()
            head = (await connection.execute(select(schema.seal_chain))).one()
        first, second = (segment_of(dict(row)) for row in rows)
        assert (first.prev_seal, second.prev_seal) == (CHAIN_START, first.digest())
        assert (head.number, head.digest) == (2, second.digest())

    async def test_a_crash_before_the_commit_leaves_nothing(self, store: Store, engine: AsyncEngine) -> None:
        await store.append([make_chat()])

        def crash() -> int:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await Sealer(engine, KEY, now=crash).seal(TICKET)
        chat = await store.chat(TICKET)
        assert chat is not None
        assert (chat.state, chat.sealed_seq) == ("closing", 0)
        async with read(engine) as connection:
            assert (await connection.execute(select(schema.seals))).all() == []


@pytest.mark.anyio
class TestExport:
    async def test_staff_s_file_proves_everything(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat()])
        await sealer.seal(TICKET)
        result = verify(await exported(store), KEYS)
        assert result.problems == ()
        assert (result.ticket, result.entries, result.sealed_to, result.key_ids) == (TICKET, 6, 6, (KEY.key_id,))

    async def test_the_customer_s_file_has_nothing_of_staff_entries(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat()])
        await sealer.seal(TICKET)
        staff, customer = await exported(store, "staff"), await exported(store, "all")
        note = next(entry for entry in staff["entries"] if entry["kind"] == "note")
        leaf = dict(staff["proof"]["segments"][0]["leaves"])[note["seq"]]
        for trace in (note["text"], note["salt"], leaf, "note", "staff"):
            assert trace in json.dumps(staff)
            assert trace not in json.dumps(customer)
        assert verify(customer, KEYS).ok

    async def test_the_heading_is_what_the_entries_say(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat()])
        assert (await exported(store, "all"))["summary"] == {
            "topic": "Returns",
            "department": {"id": "support"},
            "customer_name": "Mia",
            "agent_name": "Ann",
            "opened_at": START + 1000,
            "accepted_at": START + 3000,
            "closed_at": START + 6000,
            "close_reason": "agent",
        }

    async def test_an_unknown_chat_has_no_file(self, store: Store) -> None:
        assert await as_json(store, TICKET, "all") is None

    async def test_what_is_not_sealed_is_not_proved(self, store: Store, sealer: Sealer) -> None:
        await store.append([make_chat(closed=False)])
        assert [one.what for one in verify(await exported(store), KEYS).problems] == ["unsealed"]
        await store.append([make_batch(make_entry(6, kind="closed"))])
        await sealer.seal(TICKET)
        await store.append([make_batch(make_entry(7, kind="rated", data={"rating": 1}))])
        first = verify(await exported(store), KEYS).first
        assert first is not None
        assert (first.what, first.seq) == ("unsealed", 7)

    async def test_a_lawful_erasure_passes(self, store: Store, sealer: Sealer, engine: AsyncEngine) -> None:
        await store.append([make_chat()])
        await sealer.seal(TICKET)
        await _erase(engine, 2)
        unexplained = verify(await exported(store), KEYS).first
        assert unexplained is not None
        assert (unexplained.what, unexplained.seq) == ("erased", 2)
        redacted = make_entry(7, kind="redacted", role="system", name=None, data={"entries": [2]})
        await store.append([make_batch(redacted, epoch=EPOCH)])
        await sealer.seal(TICKET)
        for audience in ("all", "staff"):
            export = await exported(store, audience)
            assert "kettle" not in json.dumps(export)
            result = verify(export, KEYS)
            assert result.problems == ()
            assert result.erased == 1

    async def test_an_altered_row_in_the_database_is_found(
        self, store: Store, sealer: Sealer, engine: AsyncEngine
    ) -> None:
        await store.append([make_chat()])
        await sealer.seal(TICKET)
        async with write(engine) as connection:
            await connection.execute(text("UPDATE entries SET text = 'Yes, we promised that.' WHERE seq = 5"))
        first = verify(await exported(store), KEYS).first
        assert first is not None
        # The stored commitment, and with it the list of leaves, is still the sealed one: so the entry can be named.
        assert (first.what, first.seq) == ("altered", 5)


async def _erase(engine: AsyncEngine, seq: int) -> None:
    """What lawful erasure does to a row: body and salt go, the commitment stays."""
    async with write(engine) as connection:
        await connection.execute(
            update(schema.entries)
            .where(schema.entries.c.seq == seq)
            .values(author_name=None, text=None, data=None, salt=None, erased_at=START)
        )


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The files of one chat with two segments, a note and an erased entry: {audience: file}."""

    async def make() -> dict[str, dict[str, Any]]:
        engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('sealed')}/chat.db")
        await upgrade(engine)
        store, sealer = Store(engine), Sealer(engine, KEY, now=lambda: START)
        await store.append([make_chat()])
        await sealer.seal(TICKET)
        await _erase(engine, 2)
        await store.append(
            [
                make_batch(
                    make_entry(7, kind="rated", data={"rating": 5}, text=None),
                    make_entry(8, kind="redacted", role="system", name=None, data={"entries": [2]}),
                )
            ]
        )
        await sealer.seal(TICKET)
        files = {audience: await exported(store, audience) for audience in ("all", "staff")}
        await engine.dispose()
        return files

    with start_blocking_portal("asyncio") as portal:
        return portal.call(make)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every single value in a file."""
    if isinstance(value, dict):
        return [place for key, item in value.items() for place in _places(item, (*path, key))]
    if isinstance(value, list):
        return [place for at, item in enumerate(value) for place in _places(item, (*path, at))]
    return [path]


def _altered(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + data.draw(st.sampled_from([-1, 1, 1000]))
    if isinstance(value, str) and value:
        at = data.draw(st.integers(0, len(value) - 1))
        return value[:at] + data.draw(st.sampled_from([c for c in "0aZ " if c != value[at]])) + value[at + 1 :]
    return data.draw(st.sampled_from([None, 1, "x", [], {}]).filter(lambda new: new != value))


@given(st.sampled_from(["all", "staff"]), st.data())
def test_any_single_alteration_is_caught(sealed: dict[str, dict[str, Any]], audience: str, data: st.DataObject) -> None:
    file = copy.deepcopy(sealed[audience])
    assert verify(file, KEYS).ok
    path = data.draw(st.sampled_from(_places(file)))
    inner = file
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = _altered(inner[path[-1]], data)
    assert not verify(file, KEYS).ok


@given(st.sampled_from(["all", "staff"]), st.data())
def test_a_missing_entry_is_named(sealed: dict[str, dict[str, Any]], audience: str, data: st.DataObject) -> None:
    file = copy.deepcopy(sealed[audience])
    gone = file["entries"].pop(data.draw(st.integers(0, len(file["entries"]) - 1)))
    first = verify(file, KEYS).first
    assert first is not None
    assert (first.what, first.seq) == ("missing", gone["seq"])


@given(st.sampled_from(["all", "staff"]), st.data())
def test_reordered_entries_are_named(sealed: dict[str, dict[str, Any]], audience: str, data: st.DataObject) -> None:
    file = copy.deepcopy(sealed[audience])
    entries = file["entries"]
    at = data.draw(st.integers(0, len(entries) - 2))
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    problems = verify(file, KEYS).problems
    assert ("reordered", entries[at + 1]["seq"]) in [(one.what, one.seq) for one in problems]


@pytest.mark.parametrize("audience", ["all", "staff"])
def test_an_added_entry_is_named(sealed: dict[str, dict[str, Any]], audience: str) -> None:
    file = copy.deepcopy(sealed[audience])
    file["entries"].insert(3, {**file["entries"][2], "kind": "message", "seq": 4, "salt": "00" * 16})
    first = verify(file, KEYS).first
    assert first is not None
    assert first.seq == 4


@pytest.mark.parametrize("audience", ["all", "staff"])
def test_an_altered_entry_with_a_list_of_leaves_to_match_is_caught(
    sealed: dict[str, dict[str, Any]], audience: str
) -> None:
    file = copy.deepcopy(sealed[audience])
    entry = next(one for one in file["entries"] if one["seq"] == 5)
    entry["text"] = "Yes, we promised that."
    body = canonical_body(entry["text"], entry["name"])
    forged = leaf(
        seq=5,
        at=entry["at"],
        role=entry["role"],
        participant_id=entry["participant"],
        kind=entry["kind"],
        audience=entry["audience"],
        commitment=commitment(bytes.fromhex(entry["salt"]), body),
    )
    leaves = file["proof"]["segments"][0]["leaves"]
    leaves[[seq for seq, _ in leaves].index(5)] = [5, forged.hex()]
    assert [one.what for one in verify(file, KEYS).problems] == ["proof"]


def _signed_anew(file: dict[str, Any], place: int, **changed: Any) -> None:
    """What only the one with the key can do: sign a segment that says something else."""
    said = file["proof"]["segments"][place]
    roots = {name: bytes.fromhex(said[name]) for name in ("public_root", "full_root", "prev_seal")}
    numbers = {"number": said["number"], "ticket": said["ticket"], "from_seq": said["from"], "to_seq": said["to"]}
    segment = Segment(**{**roots, **numbers, "sealed_at": said["sealed_at"], "key_id": said["key_id"], **changed})
    said |= {name: value.hex() if isinstance(value, bytes) else value for name, value in changed.items()}
    said["signature"] = KEY.sign(segment).signature.hex()


def test_a_segment_whose_public_root_is_of_other_entries_is_caught(sealed: dict[str, dict[str, Any]]) -> None:
    # Otherwise the customer's file and the staff's file could tell different stories.
    file = copy.deepcopy(sealed["staff"])
    _signed_anew(file, 1, public_root=bytes(32))
    assert [one.what for one in verify(file, KEYS).problems] == ["altered"]


@pytest.mark.parametrize("changed", [{"prev_seal": bytes(32)}, {"number": 1}])
def test_segments_that_do_not_follow_each_other_are_caught(
    sealed: dict[str, dict[str, Any]], changed: dict[str, Any]
) -> None:
    file = copy.deepcopy(sealed["all"])
    _signed_anew(file, 1, **changed)
    assert [one.what for one in verify(file, KEYS).problems] == ["proof"]


@pytest.mark.parametrize("place", ["file", "entry", "segment", "proof"])
def test_a_field_that_no_proof_covers_is_refused(sealed: dict[str, dict[str, Any]], place: str) -> None:
    file = copy.deepcopy(sealed["all"])
    inner = {"file": file, "entry": file["entries"][1], "proof": file["proof"], "segment": file["proof"]["segments"][0]}
    inner[place]["remark"] = "The customer agreed."
    assert [one.what for one in verify(file, KEYS).problems] == ["format"]


def test_a_stripped_proof_proves_nothing(sealed: dict[str, dict[str, Any]]) -> None:
    file = copy.deepcopy(sealed["all"])
    file["proof"]["segments"] = []
    assert not verify(file, KEYS).ok


def test_a_file_signed_with_a_stranger_s_key_is_refused(sealed: dict[str, dict[str, Any]]) -> None:
    first = verify(sealed["all"], {"0" * 16: SealKey.generate().public}).first
    assert first is not None
    assert first.what == "unknown_key"
    assert not verify(sealed["all"], {KEY.key_id: SealKey.generate().public}).ok


def test_an_entry_cannot_be_passed_off_as_erased(sealed: dict[str, dict[str, Any]]) -> None:
    # The commitment can be computed by anybody who has the body; only a sealed `redacted` entry makes it an erasure.
    file = copy.deepcopy(sealed["all"])
    entry = next(one for one in file["entries"] if one["seq"] == 5)
    body = canonical_body(entry.pop("text"), entry.pop("name"))
    entry["commitment"] = commitment(bytes.fromhex(entry.pop("salt")), body).hex()
    entry["erased"] = True
    first = verify(file, KEYS).first
    assert first is not None
    assert (first.what, first.seq) == ("erased", 5)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_file_is_answered(value: Any) -> None:
    assert not verify(value, KEYS).ok
