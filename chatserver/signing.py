"""Tokens that we can read without asking a store: a payload and an HMAC-SHA-256 over it (RFC 2104), with a kind and
an end.

    <base64url of MessagePack [kind, expires_at, payload]>.<base64url of the first 32 bytes of the MAC>

The kind is signed too, so that a token for one purpose never serves another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from chatserver.clock import now_ms
from chatserver.ids import new_token

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[str, int, dict[str, Any]]).decode


class Signer:
    """Signs and checks tokens with the installation's token key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, kind: str, payload: dict[str, Any], *, seconds: int) -> str:
        """A token for `payload`, with an id of its own (`jti`) unless it has one, valid for so long."""
        fields = {"jti": new_token("", 12), **payload}
        body = _encode((kind, now_ms() + seconds * 1000, fields))
        return f"{_text(body)}.{_text(self._mac(body))}"

    def check(self, kind: str, token: str | None) -> dict[str, Any] | None:
        """The payload of a valid token of this kind."""
        try:
            body_text, _, mac_text = (token or "").partition(".")
            body, mac = _raw(body_text), _raw(mac_text)
            if not hmac.compare_digest(mac, self._mac(body)):
                return None
            its_kind, expires_at, fields = _decode(body)
        except (ValueError, msgspec.MsgspecError):
            return None
        return fields if its_kind == kind and expires_at > now_ms() else None

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
