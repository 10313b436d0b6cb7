"""Commands that read the record: what they print cannot be forged, and they make nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.integration.chatserver.test_command_line import done, refused
from tests.support.server import chatserver
from transcripts.database import open_database, write

FORGED = "2025-03-09 14:00:05  agent Ida: Keep the money."
TEXT = f"All is well.\r\n{FORGED}\rmore\x0b\x0c\x85\u2028{FORGED}\n\n\x1b[2Jend"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reading")


@pytest.fixture(scope="module")
def ticket(folder: Path) -> str:
    """A chat whose customer knows what a terminal does."""
    chat = {
        "external_id": "forger",
        "topic": f"Kettles\n{FORGED}",
        "opened_at": "2025-03-09T14:00:00Z",
        "customer": {"name": f"Ida\n{FORGED}"},
        "entries": [{"role": "customer", "text": TEXT}, {"role": "agent", "name": "Ida", "text": "A red lid"}],
    }
    second = {"external_id": "blue", "entries": [{"role": "customer", "text": "A blue lid"}]}
    file = folder / "old.jsonl"
    file.write_text(json.dumps(chat) + "\n" + json.dumps(second) + "\n")
    first = done(chatserver("transcripts", "import", file, "--data", folder / "data")).splitlines()[0]
    return str(json.loads(first)["ticket"])


def test_no_text_passes_for_another_line(folder: Path, ticket: str) -> None:
    shown = done(chatserver("transcripts", "show", ticket, "--data", folder / "data"))
    lines = shown.splitlines()
    starts = [line[:21] for line in lines[1:] if not line.startswith(" " * 21)]
    assert starts == ["2025-03-09 14:00:00  "] * 5  # opened, said, assigned, said, closed
    assert not any(line.startswith(FORGED[:30]) for line in lines)
    assert "2025-03-09 14:00:00  agent Ida: A red lid" in lines
    assert "2025-03-09 14:00:00  customer Ida" in shown
    assert "\x1b" not in shown
    found = done(chatserver("transcripts", "search", "well", "--data", folder / "data"))
    head, excerpt = found.splitlines()
    assert head.startswith(f"#{ticket}")
    assert excerpt.startswith("    ")
    assert "\x1b" not in found


@pytest.mark.anyio
async def test_a_rating_is_shown_with_its_words(folder: Path, ticket: str) -> None:
    def rating(engine: AsyncEngine) -> str:
        return f"UPDATE entries SET kind = 'rated', data = '{{\"rating\": 2}}' WHERE ticket = {ticket} AND seq = 4"

    data = folder / "rated"
    data.mkdir(mode=0o700)
    (data / "chat.db").write_bytes((folder / "data" / "chat.db").read_bytes())
    engine = open_database(f"sqlite:///{data / 'chat.db'}")
    async with write(engine) as connection:
        changed = await connection.exec_driver_sql(rating(engine))
        assert changed.rowcount == 1
    await engine.dispose()
    assert "agent Ida: [rated 2 of 5] A red lid\n" in done(chatserver("transcripts", "show", ticket, "--data", data))


@pytest.mark.parametrize(
    "args",
    [
        ("search", "kettle"),
        ("show", "100009"),
        ("export", "100009"),
        ("verify", "FILE"),
    ],
)
def test_reading_makes_no_installation(tmp_path: Path, args: tuple[str, str]) -> None:
    file = tmp_path / "chat.json"
    file.write_text("{}")
    place = tmp_path / "nowhere"
    command = [str(file) if arg == "FILE" else arg for arg in args]
    line = refused(chatserver("transcripts", *command, "--data", place))
    assert line == f"chatserver: There is no installation in {place} (use --data, or CHAT_DATA)"
    assert not place.exists()


def test_reading_with_a_database_of_its_own(folder: Path, ticket: str, tmp_path: Path) -> None:
    place, database = tmp_path / "nowhere", {"CHAT_DATABASE_URL": f"sqlite:///{folder / 'data' / 'chat.db'}"}
    shown = done(chatserver("transcripts", "show", ticket, "--data", place, env=database))
    assert "A red lid" in shown
    assert not place.exists()
    missing = {"CHAT_DATABASE_URL": f"sqlite:///{tmp_path / 'none.db'}"}
    line = refused(chatserver("transcripts", "show", ticket, "--data", place, env=missing))
    assert "There is no installation in" in line
    assert list(tmp_path.iterdir()) == []


def test_verify_makes_no_keys(folder: Path, ticket: str, tmp_path: Path) -> None:
    export, data = tmp_path / "chat.json", tmp_path / "data"
    done(chatserver("transcripts", "export", ticket, "-o", export, "--data", folder / "data"))
    done(chatserver("migrate", "--data", data))
    assert "There is no seal key" in refused(chatserver("transcripts", "verify", export, "--data", data))
    assert not (data / "keys").exists()
    key = (folder / "data" / "keys" / "seal.key").read_text().strip()
    nowhere = ("--data", tmp_path / "nowhere")
    assert "verified" in done(chatserver("transcripts", "verify", export, *nowhere, env={"CHAT_SEAL_KEY": key}))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (("lid", "-red"), ["blue"]),
        (("--json", "-red"), ["blue"]),
        (("--", "-red"), ["blue"]),
        (("-hat",), ["blue", "forger"]),
        (("-red", "--limit", "5"), ["blue"]),
    ],
)
def test_a_query_may_begin_with_a_hyphen(folder: Path, ticket: str, query: tuple[str, ...], found: list[str]) -> None:
    lines = done(chatserver("transcripts", "search", "--json", "--data", folder / "data", *query)).strip().split("\n")
    assert sorted(json.loads(line)["external_id"] for line in lines) == found


def test_an_option_that_is_none_is_no_query(folder: Path) -> None:
    assert chatserver("transcripts", "search", "lid", "--limt", "5", "--data", folder / "data").returncode == 2
    assert chatserver("transcripts", "search", "--data", folder / "data").returncode == 2
    assert "Usage: " in done(chatserver("transcripts", "search", "-h"))
    assert "docs/importing.md" in done(chatserver("transcripts", "import", "-h"))


def test_a_bad_line_says_what_is_done_and_what_to_do(tmp_path: Path) -> None:
    file, good = tmp_path / "old.jsonl", '{"entries": [{"role": "customer", "text": "%s"}]}\n'
    file.write_text(good % "a" + good % "b" + '{"entries": 7}\n' + good % "c")
    process = chatserver("transcripts", "import", file, "--data", tmp_path / "data")
    line = refused(process)
    assert "line 3: entries: " in line
    assert line.endswith("; 2 chats before it were imported; mend the line and run again")
    assert len(process.stdout.splitlines()) == 2
    file.write_text(good % "a" + good % "b" + good % "c")
    again = done(chatserver("transcripts", "import", file, "--data", tmp_path / "data")).splitlines()
    assert again[:2] == process.stdout.splitlines()
    assert len(again) == 3
