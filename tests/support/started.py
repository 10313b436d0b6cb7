"""What a test starts, ends with it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Started(ABC):
    """Something that runs beside the test. Use as a context manager: whatever happens, nothing is left behind."""

    @abstractmethod
    def start(self) -> None:
        """Starts it, and waits until it works."""

    @abstractmethod
    def close(self) -> None:
        """Ends it if it runs, and removes what it left."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *args: object) -> None:
        self.close()
