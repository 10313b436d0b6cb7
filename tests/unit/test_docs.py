"""The documentation cannot drift: settings, command line, protocol, AsyncAPI file, errors, close codes and links are
compared with the code.
"""

import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
import yaml

from chatserver import errors
from chatserver.broker.draft import Draft
from chatserver.broker.event import decode_event, whole_entry
from chatserver.cli import cli
from chatserver.config import Settings
from chatserver.figures import FIGURES
from chatserver.web.metrics import COMPLETE
from chatserver.wire import close_codes, frames
from chatserver.wire.commands import BY_OP

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
PICTURES = {"widget.png", "console.png", "inbox.png"}  # the browser tests make them

# Only over HTTP (docs/http.md), or never sent to anybody.
HTTP_CODES = {"unauthenticated", "forbidden"}
INNER_CODES = {"error", "config"}
# Close codes of the WebSocket protocol itself, in the same table as ours.
OWN_CODE = range(4000, 5000)

FRAMES = {kind.__struct_config__.tag: kind for kind in frames.Frame.__subclasses__()}


def page(name: str) -> str:
    return (DOCS / name).read_text()


def source(*patterns: str) -> str:
    return "\n".join(path.read_text() for pattern in patterns for path in sorted((ROOT / "chatserver").glob(pattern)))


# -- settings


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bCHAT_[A-Z]+(?:_[A-Z]+)*\b", text))


def settings_table() -> dict[str, tuple[str, str, str]]:
    """{variable: (option, default, example)} of the first table of docs/configuration.md."""
    row = r"^\| `(CHAT_\w+)` \|([^|]*)\|[^|]*\|([^|]*)\| `([^|]*)` \|$"
    rows = re.findall(row, page("configuration.md"), flags=re.MULTILINE)
    return {name: (option.strip(), default.strip(), example) for name, option, default, example in rows}


def test_every_variable_of_the_source_is_in_the_configuration_page_and_the_reverse():
    assert variables(page("configuration.md")) == variables(source("**/*.py"))


def test_other_pages_name_only_variables_that_exist():
    known = variables(page("configuration.md"))
    for path in PAGES:
        assert variables(path.read_text()) <= known, path.name


def test_every_setting_has_a_row():
    assert set(settings_table()) == {f"CHAT_{field.name.upper()}" for field in fields(Settings)}


@pytest.mark.parametrize("name", sorted(settings_table()))
def test_the_example_of_a_setting_is_accepted_and_the_default_is_the_one_of_the_code(name: str):
    option, default, example = settings_table()[name]
    assert not option or f'"{option.strip("`")}"' in source("cli/*.py")
    assert Settings.from_env({name: example}) != Settings.from_env({})
    literal = re.match(r"`(.*)`$", default)
    assert literal or default.startswith("none")
    if literal:
        assert Settings.from_env({name: literal[1]}) == Settings.from_env({})


# -- figures


def test_the_figures_of_the_operating_page_are_those_of_the_code():
    table = page("operating.md").partition("| figure | kind |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(chat_\w+)` \| (\w+) \|([^|]*)\|", table, flags=re.MULTILINE)
    documented = [(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows]
    code = [(figure.name, figure.kind.value, figure.labels) for figure in FIGURES.values()]
    assert sorted(documented) == sorted([*code, (COMPLETE, "gauge", ())])


# -- command line


def test_every_command_and_option_is_in_the_readme_and_the_reverse():
    commands, readme = dict(commands_of(cli)), (ROOT / "README.md").read_text()
    shown = set(re.findall(r"^\| `chatserver ([a-z]+(?: [a-z-]+){0,2})", readme, flags=re.MULTILINE))
    assert shown == commands.keys()

    options = {name for command in commands.values() for one in command.params for name in one.opts}
    table = readme.partition("## The command line")[2].partition("\n## ")[0]
    assert set(re.findall(r"--[a-z][a-z-]+", table)) == {name for name in options if name.startswith("--")}


def commands_of(group, before=""):
    """(`transcripts show`, the command) of all commands below a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_of(command, f"{before}{name} ")
        else:
            yield before + name, command


# -- the protocol page


def documented(arrow: str, op: str) -> list[dict[str, bool]]:
    """Each shape of a frame on the protocol page: {field: whether it is required}; `op` is left out."""
    found = re.findall(
        rf"(?:^|\s){arrow}\s+(?:page |ack )?\{{op: \"{op}\"(.*)$", page("protocol.md"), flags=re.MULTILINE
    )
    return [_fields(rest) for rest in found]


def _fields(rest: str) -> dict[str, bool]:
    """The names at the top level of `, a, b?, c: {…}, d? | e?}`."""
    depth, top = 0, ""
    for char in rest:
        depth += (char in "{[") - (char in "}]")
        if depth < 0:
            break
        top += char if depth == 0 else ""
    names = [re.match(r"\s*(\w+)(\??)", part) for part in re.split(r",|(?<=\?)\s*\|", top)]
    return {found[1]: not found[2] for found in names if found}


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_a_command_on_the_page_has_the_fields_of_the_code(op: str):
    shapes = documented("→", op)
    assert shapes, f"{op} is not on the page"
    code = {field.encode_name: field.required for field in msgspec.structs.fields(BY_OP[op])}
    for shape in shapes:
        assert shape.items() <= code.items()
        assert {name for name, required in code.items() if required} <= set(shape)


def test_the_page_has_no_other_commands():
    assert set(re.findall(r'→ +\{op: "(\w+)"', page("protocol.md"))) == set(BY_OP)


@pytest.mark.parametrize("op", sorted(FRAMES))
def test_a_frame_on_the_page_has_only_fields_of_the_code(op: str):
    code = {field.encode_name: field.required for field in msgspec.structs.fields(FRAMES[op])}
    for shape in documented("←", op):
        # `ok: true | reset: true` and what belongs to one command only are optional in the struct.
        assert set(shape) - {"true"} <= set(code)


def test_every_field_of_a_frame_is_named_on_the_page():
    words = set(re.findall(r"\w+", page("protocol.md")))
    for kind in [*BY_OP.values(), *FRAMES.values()]:
        assert {field.encode_name for field in msgspec.structs.fields(kind)} <= words, kind.__name__


def test_the_error_codes_are_those_of_the_code():
    def tree(kind: type[errors.ChatError]) -> set[str]:
        return {kind.code}.union(*(tree(one) for one in kind.__subclasses__() if one.__module__ == errors.__name__))

    table = page("protocol.md").partition("## Errors")[2].partition("\n## ")[0]
    shown = set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE))
    assert shown == tree(errors.ChatError) - HTTP_CODES - INNER_CODES
    assert shown == set(asyncapi()["components"]["schemas"]["ErrorCode"]["enum"])
    assert all(f"`{code}`" in page("http.md") for code in HTTP_CODES)


def test_the_close_codes_are_those_of_the_code():
    table = page("protocol.md").partition("## Close codes")[2].partition("\n## ")[0]
    shown = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, flags=re.MULTILINE) for code in row.split(",")}
    assert {code for code in shown if code in OWN_CODE} == {
        value for name, value in vars(close_codes).items() if name.isupper()
    }


def test_the_kinds_of_entries_and_events_are_those_of_the_code():
    kinds = set(re.findall(r'(?:draft\(\s*[\w.]+,\s*|\bkind=)"(\w+)"', source("actions/*.py")))
    table = page("protocol.md").partition("| kind | `text` | `data` |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)) == kinds

    types = set(asyncapi()["components"]["messages"]["event"]["payload"]["properties"]["type"]["enum"])
    made = re.findall(
        r'\btype="(\w+)"|"type": "(\w+)"', source("actions/*.py", "broker/*.py", "hub/*.py", "stores/*.py")
    )
    of_topics = re.findall(r"tell\([^,]+, '(\w+)'", source("broker/scripts/*.lua"))
    assert types == {one or other for one, other in made} | set(of_topics)
    assert types <= set(re.findall(r"\w+", page("protocol.md")))


# -- the AsyncAPI file


@cache
def asyncapi() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(page("asyncapi.yaml"))
    return loaded


def payload(op: str) -> dict[str, Any]:
    """The schema of a frame, without words and without references."""
    plain: dict[str, Any] = _plain(asyncapi()["components"]["messages"][op]["payload"], asyncapi())
    return plain


def _plain(schema: Any, root: dict[str, Any]) -> Any:
    """References resolved; null left out of what may be absent; descriptions and defaults dropped."""
    if isinstance(schema, list):
        return [_plain(one, root) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _plain(target, root)
    if "anyOf" in schema:
        (one,) = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
        return _plain(one, root)
    kept = {name: value for name, value in schema.items() if name not in ("title", "description", "default")}
    if "properties" in kept:
        kept["properties"] = {name: _plain(one, root) for name, one in kept["properties"].items()}
    return {name: value if name == "properties" else _plain(value, root) for name, value in kept.items()}


def without_op(schema: dict[str, Any], op: str) -> dict[str, Any]:
    properties = dict(schema["properties"])
    name = properties.pop("op")
    assert name == {"const": op} or op in name["enum"]
    return {"properties": properties, "required": sorted(set(schema["required"]) - {"op"})}


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_asyncapi_has_each_command_exactly_as_the_code_takes_it(op: str):
    (reference,), components = msgspec.json.schema_components([BY_OP[op]], ref_template="#/{name}")
    code = _plain(reference, components)
    assert without_op(payload(op), op) == {
        "properties": code["properties"],
        "required": sorted(code.get("required", [])),
    }


@pytest.mark.parametrize("op", sorted(set(FRAMES) - set(BY_OP)))
def test_asyncapi_has_each_frame_with_the_fields_of_the_code(op: str):
    code = msgspec.structs.fields(FRAMES[op])
    shown = without_op(payload(op), op)
    assert set(shown["properties"]) == {field.encode_name for field in code}
    required = {field.encode_name for field in code if field.required}
    if op == "snapshot":
        required.discard("id")  # a lost subscription brings a snapshot that nobody asked for
    assert set(shown["required"]) == required


def test_asyncapi_has_the_entry_with_the_fields_of_its_bytes():
    def entry(**more: Any) -> set[str]:
        draft = Draft(
            ticket=100009,
            kind="message",
            role="agent",
            entry_id="e" * 36,
            person_id="p",
            participant="k",
            device="d",
            **more,
        )
        head, body = draft.parts()
        return set(decode_event(whole_entry(head, body, epoch=1, seq=2, prev=1, at=3)))

    shown = payload("entry")
    assert set(shown["required"]) == entry(n=0)
    everything = entry(n=1, name="Ann", text="Hello", data={"a": 1}, keep=("iban",), masked=("card",))
    assert set(shown["properties"]) == everything | {"erased_at"}


def test_asyncapi_has_durable_with_the_fields_of_the_broker():
    (made,) = re.findall(r'\{("op": "durable".*?)\}', source("broker/event.py"))
    assert set(re.findall(r'"(\w+)":', made)) == set(payload("durable")["properties"])


def test_asyncapi_has_every_frame_in_an_operation_of_its_direction():
    document = asyncapi()
    messages = document["components"]["messages"]
    assert set(document["channels"]["socket"]["messages"]) == set(messages)

    def of(action: str) -> set[str]:
        taken = set()
        for operation in document["operations"].values():
            if operation["action"] == action:
                taken |= {one["$ref"].rsplit("/", 1)[1] for one in operation["messages"]}
            else:
                taken |= {one["$ref"].rsplit("/", 1)[1] for one in operation.get("reply", {}).get("messages", ())}
        return taken

    assert of("receive") == set(BY_OP)
    assert of("send") == set(FRAMES) | {"entry", "durable", "event"}
    assert set(messages) == of("receive") | of("send")


# -- links


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if there.parent == DOCS / "images" and there.suffix == ".png":  # of the pages, taken by a test
            assert there.name in PICTURES
            continue
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


def test_every_page_can_be_reached_from_the_readme():
    reached, todo = set(), [ROOT / "README.md"]
    while todo:
        path = todo.pop()
        if path in reached:
            continue
        reached.add(path)
        names = re.findall(r"\]\(([^)#\s:]+\.md)(?:#[^)]*)?\)", path.read_text())
        todo += [(path.parent / name).resolve() for name in names]
    assert set(PAGES) <= reached


def test_every_decision_is_in_the_list():
    listed = re.findall(r"\((\d{4}-[\w-]+\.md)\)", (DOCS / "adr" / "README.md").read_text())
    assert listed == sorted(path.name for path in (DOCS / "adr").glob("[0-9]*.md"))
