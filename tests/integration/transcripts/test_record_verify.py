"""Verifying exported files, by the record and by the page: the same answers on the same cases, and on random ones."""

import copy
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.alterations import KINDS, alter
from tests.support.sealed_chats import KEYS, Record, sealed_chats
from tests.support.verifier import PageVerifier
from transcripts.canonical import canonical
from transcripts.errors import UnreadableError
from transcripts.strict_json import read_json
from transcripts.verify import verify

CASES: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/seal_cases.json").read_text())
Problems = list[tuple[str, int | None]]


def problems_of(body: bytes, keys: dict[str, bytes]) -> Problems:
    try:
        return [(one.what, one.seq) for one in verify(read_json(body), keys).problems]
    except UnreadableError:
        return [("format", None)]


def edited(case: dict[str, Any]) -> Any:
    file = copy.deepcopy(CASES["files"][case["file"]])
    for op, (*path, last), *value in case.get("edits", ()):
        inner = file
        for step in path:
            inner = inner[step]
        match op:
            case "set":
                inner[last] = value[0]
            case "insert":
                inner.insert(last, value[0])
            case "remove":
                del inner[last]
    return file


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_the_cases_of_the_documentation(case: dict[str, Any]) -> None:
    trusted = case.get("trusted", CASES["public_keys"])
    keys = {key_id: bytes.fromhex(public) for key_id, public in CASES["public_keys"].items() if key_id in trusted}
    assert problems_of(json.dumps(edited(case)).encode(), keys) == [(what, seq) for what, seq in case["problems"]]


def test_the_cases_show_every_kind_of_problem() -> None:
    shown = {what for case in CASES["cases"] for what, _ in case["problems"]}
    order = {"altered", "missing", "added", "reordered", "erased", "unsealed"}
    assert shown == order | {"signature", "proof", "unknown_key", "format"}


@pytest.fixture
async def record() -> AsyncIterator[Record]:
    async with sealed_chats(6) as record:
        yield record


@pytest.mark.anyio
class TestRandomChats:
    async def test_any_alteration_is_caught_and_the_entry_named_and_the_page_says_the_same(
        self, record: Record
    ) -> None:
        for ticket in record.tickets[::2]:
            await record.redact(ticket)
        files = [await record.file(ticket, audience) for ticket in record.tickets for audience in ("all", "staff")]
        chance, seen = random.Random(3), set()
        with PageVerifier() as page:
            for _ in range(150):
                kind, body, seq = alter(chance, chance.choice(files))
                found = problems_of(body, KEYS)
                assert found, (kind, body)
                assert page.problems(body, KEYS) == found, (kind, body)
                assert seq is None or found[0][1] == seq, (kind, found)
                seen.add(kind)
        assert seen == set(KINDS)

    async def test_lawful_redactions_pass(self, record: Record) -> None:
        with PageVerifier() as page:
            for ticket in record.tickets * 8:
                await record.redact(ticket)
                for audience in ("all", "staff"):
                    body = canonical(await record.file(ticket, audience))
                    assert problems_of(body, KEYS) == []
                    assert page.problems(body, KEYS) == []


@pytest.mark.parametrize(
    "text", ['{"a":1,"a":1}', "NaN", "[1", "", "\ufeff{}", '{"a":Infinity}', "[" * 100_000, "9" * 5_000]
)
def test_json_with_more_than_one_meaning_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        read_json(text.encode())


def test_what_is_not_utf_8_is_refused() -> None:
    with pytest.raises(UnreadableError):
        read_json(b"\xff\xfe")


def test_a_number_is_what_it_means() -> None:
    assert read_json(b"[1.0, 1e3, 0.5, -0, 18446744073709551617]") == [1, 1000, 0.5, 0, 2**64 + 1]
    assert [type(one) for one in read_json(b"[1.0, 1e3, 0.5]")] == [int, int, float]
