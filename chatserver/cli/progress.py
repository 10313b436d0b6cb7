"""How far a long command is."""

from __future__ import annotations

import sys
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class progress:
    """A progress bar on a terminal, nothing elsewhere. `with` gives what is called with the number done."""

    def __init__(self, title: str, total: int | None = None) -> None:
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        self._progress = Progress(
            *columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
        )
        self._task = self._progress.add_task(title, total=total)

    def __enter__(self) -> Advance:
        self._progress.start()
        return self._advance

    def __exit__(self, *args: object) -> None:
        self._progress.stop()

    def _advance(self, done: int, total: int | None = None, title: str | None = None) -> None:
        self._progress.update(self._task, completed=done, total=total, description=title)


class Advance(Protocol):
    """Shows how much is done; with `total` where it was not known at the beginning, with `title` for a further step."""

    def __call__(self, done: int, total: int | None = None, title: str | None = None) -> None: ...
