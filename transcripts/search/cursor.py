"""Where the next page of results begins, as text that a client hands back.

A ranked answer carries the tickets that are left of the candidates ranked last, so later pages neither repeat nor skip
anything, whatever is written in between. A cursor gives no rights: tickets in it are checked against the scope again.
"""

import base64
import binascii
import zlib

import msgspec


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """`query` ties it to its question. `window`: which stretch of candidates `rest` is left of: [(ticket, score)].

    `before` is (opened_at, ticket) of the last one shown, where nothing was ranked.
    """

    query: int
    window: int = 0
    rest: tuple[tuple[int, float], ...] = ()
    before: tuple[int, int] | None = None


_decode = msgspec.msgpack.Decoder(Cursor).decode


def write_cursor(cursor: Cursor) -> str:
    """The cursor as URL-safe text."""
    return base64.urlsafe_b64encode(zlib.compress(msgspec.msgpack.encode(cursor))).decode().rstrip("=")


def read_cursor(text: str | None, query: int) -> Cursor:
    """The cursor of a text. One that is broken or of another question begins at the first page."""
    start = Cursor(query)
    if not text or len(text) > 20_000:
        return start
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        inflated = zlib.decompressobj().decompress(raw, 100_000)
        cursor = _decode(inflated)
    except (binascii.Error, ValueError, zlib.error, msgspec.DecodeError):
        return start
    sound = cursor.query == query and cursor.window >= 0 and len(cursor.rest) <= 1_000
    return cursor if sound else start
