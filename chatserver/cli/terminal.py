"""Words for a terminal: what anybody may have written, on one line and without a say in how it is shown."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def one_line(text: str) -> str:
    """On one line, and without characters that command a terminal or turn the direction of writing."""
    return "".join(
        "\ufffd" if unicodedata.category(char) == "Cc" or char in _DIRECTIONS else char
        for char in re.sub(r"\s+", " ", text)
    )


def day(at: int) -> str:
    """The day of a time, in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def clock(at: int) -> str:
    """A time to the second, in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def how_many(count: int) -> str:
    """So many chats, in words."""
    return f"{count} chat{'' if count == 1 else 's'}"


def show_json(fields: dict[str, Any]) -> None:
    """One JSON object on a line."""
    click.echo(msgspec.json.encode(fields).decode())
