"""The one encoding of a value: JSON Canonicalization Scheme (RFC 8785), written out in docs/seal.md.

What is hashed or signed goes through here, so the same value gives the same bytes on every machine and in every
language. One thing is wider than the RFC: whole numbers beyond 2^53 are written out in full instead of being rounded.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from json.encoder import encode_basestring as _string
from typing import Any

from transcripts.errors import CanonicalError


def canonical(value: Any) -> bytes:
    """The canonical JSON of a value, UTF-8.

    Raises:
        CanonicalError: NaN, infinities, keys that are not text, lone surrogates, or a type JSON does not have.
    """
    try:
        return _encode(value).encode()
    except UnicodeEncodeError as exc:
        raise CanonicalError("text with half a surrogate pair has no encoding") from exc
    except RecursionError as exc:
        raise CanonicalError("the value is nested too deeply") from exc


def canonical_body(
    text: str | None, name: str | None, attachments: Sequence[bytes] = (), data: Mapping[str, Any] | None = None
) -> bytes:
    """The bytes that an entry's commitment stands for: `{"attachments":[…],"data":…,"name":…,"text":…}`.

    `attachments` are SHA-256 digests in the order of the entry; they are written as lower-case hex.
    """
    if not attachments and data is None:  # nearly every message: the same bytes without the walk
        plain = f'{{"attachments":[],"data":null,"name":{_scalar(name)},"text":{_scalar(text)}}}'
        try:
            return plain.encode()
        except UnicodeEncodeError as exc:
            raise CanonicalError("text with half a surrogate pair has no encoding") from exc
    return canonical(
        {"attachments": [digest.hex() for digest in attachments], "data": data, "name": name, "text": text}
    )


def commitment(salt: bytes, body: bytes) -> bytes:
    """SHA-256(salt ‖ canonical body), 32 bytes. Without the 16 secret random bytes of salt it tells nothing of the
    body.
    """
    return sha256(salt + body).digest()


def _scalar(value: str | None) -> str:
    return "null" if value is None else _string(value)


def _encode(value: Any) -> str:
    write = _WRITERS.get(type(value)) or _inherited(value)
    return write(value)


def _inherited(value: Any) -> Callable[[Any], str]:
    """For a value whose type is derived from one of JSON's."""
    for kind, write in _WRITERS.items():
        if isinstance(value, kind):
            return write
    raise CanonicalError(f"{type(value).__name__} has no JSON form")


def _object(value: Mapping[Any, Any]) -> str:
    try:
        ascii_only = "".join(value).isascii()
    except TypeError as exc:
        raise CanonicalError("keys must be text") from exc
    # RFC 8785 §3.2.3: sorted by UTF-16 code units, which differs from code points beyond U+FFFF.
    keys = sorted(value, key=None if ascii_only else _utf16)
    return "{" + ",".join(f"{_string(key)}:{_encode(value[key])}" for key in keys) + "}"


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _array(value: Iterable[Any]) -> str:
    return "[" + ",".join(map(_encode, value)) + "]"


def _number(value: float) -> str:
    """ECMAScript's Number::toString (RFC 8785 §3.2.2.3). Python's repr finds the same shortest digits."""
    if not math.isfinite(value):
        raise CanonicalError("NaN and infinity have no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if 0 < point <= 21:
        text = digits.ljust(point, "0")[:point] + ("." + digits[point:] if len(digits) > point else "")
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        e = point - 1
        text = digits[0] + ("." + digits[1:] if len(digits) > 1 else "") + f"e{'+' if e > 0 else '-'}{abs(e)}"
    return sign + text


# Looked up by the type itself: there is a leaf to write for every entry, and asking one kind after another took half
# of its time.
_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    str: _string,
    int: str,
    float: _number,
    dict: _object,
    list: _array,
    tuple: _array,
    Mapping: _object,
}
