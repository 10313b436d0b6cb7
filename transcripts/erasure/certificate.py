"""The certificate of an erasure: what was erased, when, where it was looked for afterwards; signed with the seal's key.

It says nothing of what was erased and names nobody: ids and numbers only.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from transcripts.canonical import canonical
from transcripts.errors import CanonicalError
from transcripts.segment import SealKey

FORMAT = "chat-erasure/1"


class ErasedChat(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat of which something is erased.

    `entries` are all numbers that have no body any more, also from earlier erasures. `sealed_to` is the last entry that
    the chat's seal covers, the `redacted` one that says so among them.
    """

    ticket: int
    entries: tuple[int, ...]
    sealed_to: int


class Searched(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place whose raw files were read: how many, how many bytes, and how many of the samples were found in them.

    `unread` says why it could not be read; then nothing is claimed of it.
    """

    place: str
    files: int
    bytes: int
    found: int
    unread: str = ""


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed is the canonical JSON (RFC 8785) of everything but the signature."""

    format: str = FORMAT
    id: str
    erased_at: int
    chats: tuple[ErasedChat, ...]
    customers: tuple[str, ...]
    rows: dict[str, int]
    samples: int
    searched: tuple[Searched, ...]
    key_id: str = ""
    signature: str = ""

    def signed_bytes(self) -> bytes:
        """What the signature covers."""
        fields = msgspec.to_builtins(self)
        del fields["signature"]
        return canonical(fields)

    def signed(self, key: SealKey) -> "Certificate":
        """With this key's id and signature."""
        named = msgspec.structs.replace(self, key_id=key.key_id)
        return msgspec.structs.replace(named, signature=key.sign_bytes(named.signed_bytes()).hex())


def is_certificate(value: object) -> bool:
    """Whether a JSON value says of itself that it is a certificate, of this or another version."""
    return isinstance(value, dict) and str(value.get("format")).startswith("chat-erasure/")


def doubt(certificate: Mapping[str, Any], keys: Mapping[str, bytes]) -> str | None:
    """Why a certificate, as a JSON decoder gives it, is not to be believed; None: one of the keys signed just this.

    Never raises. `keys` are public ones by their id.
    """
    if certificate.get("format") != FORMAT:
        return f"this is no erasure certificate of the form {FORMAT}"
    try:
        read = msgspec.convert(certificate, Certificate)
    except msgspec.ValidationError as exc:
        return f"it is not as it was issued: {exc}"
    if read.key_id not in keys:
        return f"it was signed with the key {read.key_id!r}, which is none of those trusted"
    try:
        Ed25519PublicKey.from_public_bytes(keys[read.key_id]).verify(bytes.fromhex(read.signature), read.signed_bytes())
    except (CanonicalError, InvalidSignature, ValueError):
        return "its signature does not hold: it was altered, or not issued by this key"
    return None


def is_genuine(certificate: Mapping[str, Any], keys: Mapping[str, bytes]) -> bool:
    """Whether nothing speaks against it."""
    return doubt(certificate, keys) is None
