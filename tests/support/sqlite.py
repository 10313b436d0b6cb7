"""A SQLite file that can be kept and brought back, as `tests.support.postgres` does with a database."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Database(Protocol):
    """A database of either engine. Whoever is connected disconnects before it goes back."""

    url: str

    def keep(self) -> None:
        """Keeps everything as it is now."""

    def go_back(self) -> None:
        """As if nothing had happened since."""


@dataclass
class SqliteFile:
    """`chat.db` in a folder, made by whoever opens it."""

    folder: Path

    def __post_init__(self) -> None:
        self.url = f"sqlite:///{self.folder}/chat.db"

    def keep(self) -> None:
        with closing(sqlite3.connect(self.folder / "chat.db")) as file:
            file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.folder / "chat.db", self.folder / "kept.db")

    def go_back(self) -> None:
        for ending in ("-wal", "-shm"):
            (self.folder / f"chat.db{ending}").unlink(missing_ok=True)
        shutil.copyfile(self.folder / "kept.db", self.folder / "chat.db")
