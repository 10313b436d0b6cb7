"""The system's clock of a process that a test starts: it can jump. Monotonic clocks go on as they do."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path


class FakeClock:
    """`env` is for the process; `jump` moves its time of day, from the next second of its own on."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "faketime"
        self.jump(0)
        package = find_spec("libfaketime")
        assert package
        assert package.origin
        library = Path(package.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"
        assert library.exists()
        self.env = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",  # reading the file at each look takes Python a tenth of its speed
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """Makes the clock show the real time and these seconds."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        os.replace(draft, self._file)
