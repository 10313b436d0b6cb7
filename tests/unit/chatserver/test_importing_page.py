"""docs/importing.md against the code that reads a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from transcripts.foreign import SYSTEMS, intercom, zendesk_chat
from transcripts.import_line import ImportedEntry, ImportedPerson, ImportLine, Item, parse_line

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "importing.md").read_text()
OURS, OTHERS = PAGE.split("## Other systems")
ROWS = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|([^|]*)\|", OURS, flags=re.MULTILINE)
NAMED = {name: kind.strip() for names, kind in ROWS for name in re.findall(r"\w+", names)}


@pytest.mark.parametrize("kind", [ImportLine, ImportedEntry])
def test_every_field_has_a_row(kind: type[msgspec.Struct]) -> None:
    fields = msgspec.structs.fields(kind)
    assert {field.encode_name for field in fields} <= set(NAMED)
    assert {field.encode_name for field in fields if field.required} == {
        field.encode_name for field in fields if NAMED[field.encode_name] == "required"
    }


def test_there_are_no_other_rows() -> None:
    known = {field.encode_name for kind in (ImportLine, ImportedEntry) for field in msgspec.structs.fields(kind)}
    assert set(NAMED) == known


def test_the_example_is_read_as_it_stands() -> None:
    (example,) = re.findall(r"^```json\n(.*)\n```$", PAGE, flags=re.MULTILINE)
    parsed = parse_line(Item(1, "", example), now=0)
    assert parsed.external_id == "t-4711"
    assert [entry.role for entry in parsed.line.entries] == ["customer", "agent"]
    assert parsed.times == (1_741_528_800_000, 1_741_528_920_000)


def test_roles_and_people_are_named() -> None:
    words = set(re.findall(r"\w+", PAGE))
    (role,) = [field for field in msgspec.structs.fields(ImportedEntry) if field.name == "role"]
    assert set(get_args(role.type)) <= words
    assert {field.name for field in msgspec.structs.fields(ImportedPerson)} <= words


def test_every_system_is_explained_with_what_it_reads() -> None:
    named = set(re.findall(r"`([^`]+)`", OTHERS))
    assert {f"{system}:" for system in SYSTEMS if system != "jsonl"} <= named
    assert set(intercom.PUBLIC) | set(zendesk_chat.SAID) <= named
