from __future__ import annotations

from pathlib import Path

import pytest

import chatserver.stores.migrate
import transcripts.migrate


@pytest.mark.parametrize("package", [chatserver.stores.migrate, transcripts.migrate])
def test_the_head_is_the_newest_migration(package: object) -> None:
    """A start that finds it in the database does not even import Alembic."""
    folder = Path(package.__file__).parent / "migrations" / "versions"  # type: ignore[attr-defined]
    revisions = [line for path in sorted(folder.glob("0*.py")) for line in path.read_text().splitlines()]
    newest = [line.split('"')[1] for line in revisions if line.startswith("revision = ")][-1]
    assert newest == package.HEAD  # type: ignore[attr-defined]
