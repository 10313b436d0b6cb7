"""The commands, as an operator types them. Exit codes: 0 done, 1 refused with one line, 2 bad usage."""

import asyncio
import json
import sqlite3
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from zipfile import ZipFile

import pytest

from chatserver.keys import public_seal_keys, seal_key
from tests.support.log import until_state
from tests.support.people import People, start_talk
from tests.support.server import PASSWORD, RunningServer, chatserver
from transcripts.checkpoint import Checkpoint, checkpoint
from transcripts.database import open_database
from transcripts.public_keys import published
from transcripts.seal import SealKey

EXPORTS = Path(__file__).resolve().parents[2] / "fixtures" / "imports"
DIALOGUES: list[dict[str, Any]] = [
    {
        "external_id": "old-1",
        "topic": "Returns",
        "order": "112-7788",
        "opened_at": 1_700_000_000_000,
        "closed_at": 1_700_000_600_000,
        "customer": {"id": "c-1", "name": "Sam Sample", "email": "sam@example.com"},
        "agent": {"name": "Ida", "email": "ida@shop.example"},
        "entries": [
            {"at": 1_700_000_000_000, "role": "customer", "text": "The kettle whistles off key."},
            {
                "at": 1_700_000_300_000,
                "role": "agent",
                "text": "Send it back. The refund goes to 4111 1111 1111 1111.",
            },
        ],
    },
    {"external_id": "old-2", "entries": [{"role": "customer", "text": "Where is my saxophone?"}]},
    {"external_id": "old-3", "topic": "Delivery", "entries": [{"role": "bot", "text": "Hello, I am a robot."}]},
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands") / "data"


@pytest.fixture(scope="module")
def tickets(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """The imported dialogues."""
    file = tmp_path_factory.mktemp("files") / "old.jsonl"
    file.write_text("".join(json.dumps(dialogue) + "\n" for dialogue in DIALOGUES))
    first = done(chatserver("transcripts", "import", file, "--json", "--data", data))
    again = done(chatserver("transcripts", "import", file, "--data", data))
    assert again == first
    found = {one["external_id"]: one["ticket"] for one in map(json.loads, first.splitlines())}
    assert list(found) == ["old-1", "old-2", "old-3"]
    assert len(set(found.values())) == 3
    return found


def done(process: CompletedProcess[str]) -> str:
    assert process.returncode == 0, process.stderr
    assert process.stderr == ""
    return process.stdout


def refused(process: CompletedProcess[str]) -> str:
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    (line,) = process.stderr.strip().splitlines()
    return line


def test_search_finds_imported_dialogues(tickets: dict[str, int], data: Path) -> None:
    cases = {
        "kettle": ["old-1"],
        "saxophon*": ["old-2"],
        f"ticket:{tickets['old-3']}": ["old-3"],
        "unheard-of": [],
    }

    def search(query: str) -> list[dict[str, Any]]:
        found = done(chatserver("transcripts", "search", query, "--json", "--data", data))
        return [json.loads(line) for line in found.splitlines()]

    with ThreadPoolExecutor(2) as pool:
        for (query, expected), hits in zip(cases.items(), pool.map(search, cases), strict=True):
            assert [hit["external_id"] for hit in hits] == expected, query
            for hit in hits:
                assert set(hit) == {"ticket", "external_id", "score", "opened_at", "topic", "snippet"}
                assert hit["ticket"] == tickets[hit["external_id"]]


def test_show(tickets: dict[str, int], data: Path) -> None:
    shown = json.loads(done(chatserver("transcripts", "show", str(tickets["old-1"]), "--json", "--data", data)))
    assert (shown["ticket"], shown["external_id"], shown["topic"]) == (tickets["old-1"], "old-1", "Returns")
    texts = [entry["text"] for entry in shown["entries"] if entry["kind"] == "message"]
    assert texts == ["The kettle whistles off key.", "Send it back. The refund goes to •••• 1111."]
    for secret in ("chat_key", "access_gen", "epoch"):
        assert secret not in shown
    plain = done(chatserver("transcripts", "show", f"#{tickets['old-1']}", "--data", data))
    assert "Sam Sample" in plain
    assert "The kettle whistles off key." in plain


def test_export_and_verify(tickets: dict[str, int], data: Path, tmp_path: Path) -> None:
    good, altered, not_json = (tmp_path / f"{name}.json" for name in ("good", "altered", "not"))
    ticket = str(tickets["old-1"])
    assert done(chatserver("transcripts", "export", ticket, "-o", good, "--data", data)) == ""
    altered.write_text(good.read_text().replace("whistles", "sings"))
    not_json.write_text("hello")
    process = chatserver("transcripts", "verify", altered, good, not_json, "--data", data)
    assert process.returncode == 1
    one, other = process.stderr.splitlines()
    assert one.startswith(f"{altered}: NOT VERIFIED")
    assert "entry" in one
    assert other.startswith(f"{not_json}: NOT VERIFIED")
    assert process.stdout.startswith(f"{good}: verified")


def test_export_to_read_and_of_a_whole_search(tickets: dict[str, int], data: Path, tmp_path: Path) -> None:
    page, packed, folder = tmp_path / "chat.html", tmp_path / "all.zip", tmp_path / "new" / "folder"
    export = ("transcripts", "export", "--data", data, "--format")
    done(chatserver(*export, "html", str(tickets["old-1"]), "-o", page, "--tz", "Europe/Berlin"))
    assert "whistles" in page.read_text()
    assert "1111 1111" not in page.read_text()
    text = done(chatserver(*export, "txt", str(tickets["old-1"])))
    assert "The kettle whistles off key." in text
    assert done(chatserver(*export, "eml", "--search", "", "-o", packed)).startswith("3 chats")
    assert done(chatserver(*export, "json", "--search", "saxophone", "-o", folder)) == f"1 chat in {folder}\n"
    with ZipFile(packed) as archive:
        assert set(archive.namelist()) == {f"chat-{ticket}.eml" for ticket in tickets.values()}
        archive.extractall(tmp_path)
    files = [page, *tmp_path.glob("*.eml"), *folder.iterdir()]
    assert done(chatserver("transcripts", "verify", *files, "--data", data)).count("verified: ") == 5
    page.write_text(page.read_text().replace("off key", "in tune", 1))
    assert "what the file shows" in refused(chatserver("transcripts", "verify", page, "--data", data))


def test_after_a_new_key_older_seals_hold_and_checkpoints_and_all_seals_are_verified(
    tickets: dict[str, int], data: Path, tmp_path: Path
) -> None:
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    done(chatserver("transcripts", "export", str(tickets["old-1"]), "-o", old, "--data", data))
    before = public_seal_keys(data, {})
    said = done(chatserver("transcripts", "rekey", "--data", data))
    after = public_seal_keys(data, {})
    assert all(key_id in said for key_id in after)
    assert before.items() <= after.items()
    more = tmp_path / "more.jsonl"
    more.write_text('{"external_id": "new-1", "entries": [{"role": "customer", "text": "Sealed by the new key"}]}')
    ticket = str(json.loads(done(chatserver("transcripts", "import", more, "--data", data)))["ticket"])
    done(chatserver("transcripts", "export", ticket, "-o", new, "--data", data))
    assert {json.loads(one.read_text())["proof"]["segments"][0]["key_id"] for one in (old, new)} == set(after)

    heads = tmp_path / "checkpoints.jsonl"
    heads.write_bytes(asyncio.run(head_of(data)).line())
    verified = done(chatserver("transcripts", "verify", old, new, heads, "--all", "--data", data))
    assert verified.count("verified: ") == 4
    heads.write_text(heads.read_text().replace('"number":', '"number":1'))
    assert "does not hold" in refused(chatserver("transcripts", "verify", heads, "--data", data))


async def head_of(data: Path) -> Checkpoint:
    engine = open_database(f"sqlite:///{data}/chat.db")
    try:
        made = await checkpoint(engine, SealKey.from_bytes(seal_key(data, {})), 1)
    finally:
        await engine.dispose()
    assert made
    return made


@pytest.mark.anyio
async def test_verify_on_another_machine_with_the_published_keys(
    people: People, server: RunningServer, tmp_path: Path
) -> None:
    talk = await start_talk(people)
    await talk.end(2)
    await until_state(talk.customer, talk.ticket, "closed")
    api = await people.signed_in("ann")
    export = (await api.http.get(f"/api/v1/transcripts/{talk.ticket}/export.json")).content
    keys = (await api.http.get("/.well-known/chat-seal-keys.json")).content
    (tmp_path / "chat.json").write_bytes(export)
    (tmp_path / "keys.json").write_bytes(keys)
    (tmp_path / "other.json").write_text(json.dumps({"keys": []}))
    verify = ("transcripts", "verify", tmp_path / "chat.json", "--data", tmp_path / "nothing", "--keys")
    with ThreadPoolExecutor(2) as pool:
        good = pool.submit(chatserver, *verify, tmp_path / "keys.json")
        bad = pool.submit(chatserver, *verify, tmp_path / "other.json")
        # The same by a command on the running server's folder.
        same = pool.submit(server.command, "transcripts", "export", str(talk.ticket), "--staff")
        assert f"#{talk.ticket}" in done(good.result())
        assert "NOT VERIFIED" in refused(bad.result())
        assert done(same.result()) == export.decode()


def test_agent_add(data: Path, tickets: dict[str, int]) -> None:
    add = ("agent", "add", "Eve@Shop.example", "--name", "Eve", "--password-stdin", "--data", data)
    assert "eve@shop.example" in done(chatserver(*add, "--department", "second-line", stdin=PASSWORD + "\n"))
    short = ("agent", "add", "kim@shop.example", "--name", "Kim", "--password-stdin", "--data", data)
    with ThreadPoolExecutor(2) as pool:
        twice = pool.submit(chatserver, *add, stdin=PASSWORD + "\n")
        weak = pool.submit(chatserver, *short, stdin="short\n")
        none = pool.submit(chatserver, *short[:5], *short[6:])
        assert "eve@shop.example" in refused(twice.result())
        assert "10 characters" in refused(weak.result())
        assert "--password-stdin" in refused(none.result())


def test_an_export_of_another_system_is_recognised(tmp_path: Path) -> None:
    printed = done(chatserver("transcripts", "import", EXPORTS / "intercom.json", "--data", tmp_path / "data"))
    assert [json.loads(line)["external_id"] for line in printed.splitlines()] == ["intercom:471", "intercom:472"]


def test_all_data_of_a_customer(tickets: dict[str, int], data: Path, tmp_path: Path) -> None:
    file = tmp_path / "sam.zip"
    printed = done(chatserver("transcripts", "export-customer", "external:c-1", "-o", file, "--data", data))
    assert printed == f"{file}: 1 chat\n"
    with zipfile.ZipFile(file) as archive:
        assert json.loads(archive.read("customer.json"))["email"] == "sam@example.com"
        export = json.loads(archive.read(f"transcripts/chat-{tickets['old-1']}.json"))
    assert "The kettle whistles off key." in [entry.get("text") for entry in export["entries"]]
    assert {path.name for path in tmp_path.iterdir()} == {"sam.zip"}


def test_holds_and_retention(data: Path, tickets: dict[str, int], tmp_path: Path) -> None:
    def run(*args: str | Path) -> list[str]:
        return done(chatserver("transcripts", *args, "--data", data)).splitlines()

    kept = {"external_id": "kept-1", "topic": "Kept", "closed_at": "2020-03-09T14:00:00Z"}
    said = [{"role": "customer", "text": "The samovar sings.", "at": "2020-03-09T13:00:00Z"}]
    file, altered = tmp_path / "kept.jsonl", tmp_path / "altered.json"
    file.write_text(json.dumps(kept | {"customer": {"id": "c-kept"}, "entries": said}))
    ticket = json.loads(run("import", file)[0])["ticket"]
    assert run("retention", "set", "--topic", "Kept", "--days", "30") == ["topic 'Kept': kept for 30 days"]
    assert run("hold", "set", "--customer", "external:c-kept", "--reason", "case 7")[0].endswith("is held.")
    (held,) = map(json.loads, run("hold", "list", "--json"))
    assert (held["reason"], held["placed_by"], held["ticket"]) == ("case 7", "command line", None)
    (due,) = map(json.loads, run("retention", "preview", "--list", "--json"))
    assert (due["ticket"], due["days"], due["held"]) == (ticket, 30, True)
    assert run("retention", "apply", "--yes") == []  # it is held
    assert run("hold", "lift", "--customer", held["customer"])
    # The site's own kinds of secrets are masked in a reason, too.
    given = ("--ticket", str(ticket), "--reason", "see EMP-123456")
    staff = {"CHAT_MASK_PATTERNS": r"staff=EMP-\d{6}"}
    assert chatserver("transcripts", "hold", "set", *given, "--data", data, env=staff).returncode == 0
    (masked,) = map(json.loads, run("hold", "list", "--json"))
    assert "123456" not in masked["reason"]
    assert run("hold", "lift", "--ticket", str(ticket))
    # Nobody can be asked here, so nothing goes unasked.
    unasked = chatserver("transcripts", "retention", "apply", "--data", data)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert run("retention", "preview")[-1] == "  due: 1 of topic 'Kept'"

    file.write_text(done(chatserver("transcripts", "retention", "apply", "--yes", "--data", data)))
    certificate = json.loads(file.read_text())
    assert [one["ticket"] for one in certificate["chats"]] == [ticket]
    assert b"samovar" not in (data / "chat.db").read_bytes()
    with sqlite3.connect(data / "chat.db") as db:
        rows = db.execute("SELECT id, actor, action, subject, details FROM audit ORDER BY id").fetchall()
    (of_certificate,) = [row for row in rows if row[0] == certificate["id"]]
    (customer,) = certificate["customers"]  # who came by an import goes with their last chat
    assert of_certificate[1:4] == ("command line", "retention_applied", f"customer {customer}, chat #{ticket}")
    assert json.loads(of_certificate[4]) == certificate
    actions = [row[2] for row in rows if row[2] != "customer_exported"]
    assert actions == ["retention_set", *["hold_placed", "hold_lifted"] * 2, "retention_applied"]
    run("retention", "remove", "--topic", "Kept")

    # Verified offline with the keys of this installation, or with published ones; not when a number is another.
    assert f"verified: erasure of 3 entries in 1 chat (#{ticket})" in run("verify", file)[0]
    altered.write_text(json.dumps(certificate | {"samples": certificate["samples"] + 1}))
    keys = tmp_path / "keys.json"
    keys.write_bytes(published(public_seal_keys(data, {})))
    nowhere = ("transcripts", "verify", "--data", tmp_path / "nowhere", "--keys", keys)
    assert "NOT VERIFIED: its signature does not hold" in refused(chatserver(*nowhere, altered))


def test_refused_with_one_line(data: Path, tickets: dict[str, int], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"entries": [{"role": "customer", "text": "fine"}]}\n{"entries": 7}\n')
    cases: list[tuple[tuple[str | Path, ...], str]] = [
        (("transcripts", "show", "100008"), "100008"),
        (("transcripts", "export", "99999999"), "99999999"),
        (("transcripts", "export", str(tickets["old-1"]), "-o", "/proc/x/file.json"), "/proc/x/file.json"),
        (("transcripts", "import", broken), "line 2"),
        (("transcripts", "export-customer", "external:nobody", "-o", tmp_path / "x.zip"), "external:nobody"),
        (("transcripts", "hold", "set", "--ticket", "100008", "--reason", "x"), "100008"),
        (("transcripts", "hold", "lift", "--ticket", str(tickets["old-1"])), "no hold"),
        (("transcripts", "retention", "remove", "--topic", "Nobody's"), "no rule"),
        (("transcripts", "import", EXPORTS / "zendesk-chat.json", "--from", "intercom"), "line 3: chats[0]: "),
        (("transcripts", "search", "kettle", "--tz", "Mars/Olympus"), "Mars/Olympus"),
    ]
    with ThreadPoolExecutor(2) as pool:
        lines = pool.map(lambda case: refused(chatserver(*case[0], "--data", data)), cases)
        for (args, named), line in zip(cases, lines, strict=True):
            assert named in line, (args, line)


def test_bad_usage(data: Path) -> None:
    cases: list[tuple[str | Path, ...]] = [
        ("nonsense",),
        ("serve", "--port", "http"),
        ("serve", "--data"),
        ("agent", "add", "no-address", "--name", "X", "--password-stdin", "--data", data),
        ("transcripts", "import", "/nowhere/file.jsonl", "--data", data),
        ("transcripts", "export", "100009", "--format", "papyrus", "--data", data),
        ("transcripts", "verify", "--data", data),
        ("transcripts", "export", "--data", data),
        ("transcripts", "export", "100009", "--search", "x", "--data", data),
        ("transcripts", "export", "--search", "x", "--data", data),
        ("transcripts", "export", "100009", "--staff", "--format", "eml", "--data", data),
        ("transcripts", "hold", "set", "--reason", "x", "--data", data),
        ("transcripts", "retention", "set", "--data", data),
    ]
    with ThreadPoolExecutor(2) as pool:
        for args, process in zip(cases, pool.map(lambda case: chatserver(*case), cases), strict=True):
            assert process.returncode == 2, (args, process.stderr)
            assert "Traceback" not in process.stderr
            assert "Error: " in process.stderr


def test_mask_keeps_the_order() -> None:
    texts = [f"{number}: pay with 4111 1111 1111 1111, or {number}" for number in range(2_000)]
    texts += ["", "ü 🙂\n\x00", "no secret"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    masked = [json.loads(line) for line in done(chatserver("mask", stdin=lines)).splitlines()]
    assert masked == [{"masked": text.replace("4111 1111 1111 1111", "•••• 1111")} for text in texts]


def test_mask_names_the_line_that_it_cannot_read() -> None:
    process = chatserver("mask", stdin='{"text": "fine"}\n\n{"words": 7}\n')
    assert "line 3" in refused(process)
    assert json.loads(process.stdout) == {"masked": "fine"}
