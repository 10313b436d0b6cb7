"""The golden frames in tests/fixtures/frames/, which the tests of the pages read too.

After a wanted change: `python -m tests.support.golden_frames`.
"""

import json
from typing import Any

import msgpack
import msgspec
import pytest

from chatserver.wire import frames
from chatserver.wire.codec import CODECS
from chatserver.wire.commands import BY_OP, parse
from tests.support.golden_frames import FOLDER, commands, golden

GOLDEN = golden()


def stored(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def test_there_is_a_file_for_each_frame_and_no_other() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_codecs_write_what_is_stored(name: str) -> None:
    assert GOLDEN[name] == stored(name)


@pytest.mark.parametrize("name", GOLDEN)
def test_both_formats_say_the_same(name: str) -> None:
    file = stored(name)
    assert msgpack.unpackb(bytes.fromhex(file["msgpack_hex"])) == file["json"]


@pytest.mark.parametrize("name", [f"command_{name}" for name, _ in commands()])
@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_server_reads_the_commands(name: str, codec: Any) -> None:
    file = stored(name)
    data = bytes.fromhex(file["msgpack_hex"]) if codec.binary else json.dumps(file["json"])
    command = parse(codec.decode(data))
    expected = {field: value for field, value in file["json"].items() if field != "op"}
    renamed = {"pass_": "pass"}
    for field, value in msgspec.to_builtins(command).items():
        name_on_the_wire = renamed.get(field, field)
        if name_on_the_wire in expected:
            assert value == expected[name_on_the_wire] or field == "chats"


def test_every_command_and_every_frame_is_there() -> None:
    ops = {file["json"]["op"] for file in GOLDEN.values()}
    assert ops >= set(BY_OP)
    assert ops >= {str(kind.__struct_config__.tag) for kind in frames.Frame.__subclasses__()}
    assert ops >= {"entry", "durable", "event"}


def test_every_field_of_a_command_is_there() -> None:
    fields = {op: set[str]() for op in BY_OP}
    for _, command in commands():
        fields[command["op"]] |= set(command)
    for op, kind in BY_OP.items():
        wanted = {field.encode_name for field in msgspec.structs.fields(kind)}
        if op not in ("ping", "pong"):
            # `keep` is the same in all of them.
            assert wanted - fields[op] <= {"keep", "epoch", "seq", "entry_id", "limit"}, op
