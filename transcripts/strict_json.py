"""Reading JSON that is to be verified: one meaning or none.

Python's reader takes the last of two equal keys where another program may show the first, and knows NaN. What is
altered in such a way would otherwise pass.
"""

import json
from typing import Any

from transcripts.errors import UnreadableError


def read_json(body: bytes) -> Any:
    """The value of a JSON text. A number without a fraction is an int, however it is written.

    Raises:
        UnreadableError: it is not JSON, or not JSON with one meaning.
    """
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_unique, parse_float=_number, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError as exc:
        raise UnreadableError("it is not text in UTF-8") from exc
    except RecursionError as exc:
        raise UnreadableError("it is nested too deeply") from exc
    except ValueError as exc:
        raise UnreadableError(f"it is not JSON: {exc}") from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _number(digits: str) -> int | float:
    value = float(digits)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
