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


def is_genuine(certificate: Mapping[str, Any], keys: Mapping[str, bytes]) -> bool:
    """Whether a certificate, as a JSON decoder gives it, was signed like this with one of the keys. Never raises."""
    try:
        read = msgspec.convert(certificate, Certificate)
        public = Ed25519PublicKey.from_public_bytes(keys[read.key_id])
        public.verify(bytes.fromhex(read.signature), read.signed_bytes())
    except (msgspec.ValidationError, CanonicalError, InvalidSignature, KeyError, ValueError):
        return False
    return read.format == FORMAT
