"""A segment of a seal: what is signed over a stretch of a chat's entries, and the keys that sign (docs/seal.md).

The bytes that are signed never change their form within one format name; docs/seal_vectors.json holds them to it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from transcripts import merkle
from transcripts.canonical import canonical
from transcripts.errors import SealError

FORMAT = "chat-seal/1"
START = bytes(32)
"""`prev_seal` of the first segment of a database."""


def leaf(*, seq: int, at: int, role: str, participant_id: str, kind: str, audience: str, commitment: bytes) -> bytes:
    """The Merkle leaf hash of one entry: everything about it except its body, for which the commitment stands."""
    return merkle.leaf_hash(canonical((seq, at, role, participant_id, kind, audience, commitment.hex())))


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """The signed statement that the entries from_seq … to_seq of a chat have these roots.

    `public_root` is over the entries everybody may see, `full_root` over all. `number` is the place in the database's
    chain, `prev_seal` the digest of the segment before it there. `sealed_at` is ms UTC.
    """

    number: int
    ticket: int
    from_seq: int
    to_seq: int
    public_root: bytes
    full_root: bytes
    prev_seal: bytes
    sealed_at: int
    key_id: str
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """What the signature is over: canonical JSON, whose `format` keeps it apart from anything else ever signed."""
        return canonical(
            {
                "format": FORMAT,
                "number": self.number,
                "ticket": self.ticket,
                "from": self.from_seq,
                "to": self.to_seq,
                "public_root": self.public_root.hex(),
                "full_root": self.full_root.hex(),
                "prev_seal": self.prev_seal.hex(),
                "sealed_at": self.sealed_at,
                "key_id": self.key_id,
            }
        )

    def digest(self) -> bytes:
        """SHA-256 of the signed bytes: the `prev_seal` of the next segment."""
        return sha256(self.signed_bytes()).digest()

    def is_signed_by(self, keys: Mapping[str, bytes]) -> bool:
        """Whether the signature holds under the key it names. False for a key that is not among `keys`."""
        public = keys.get(self.key_id)
        return public is not None and is_signed(public, self.signature, self.signed_bytes())


class SealKey:
    """An Ed25519 private key (RFC 8032). Its `repr` never shows the secret."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()
        self.key_id: str = key_id_of(self.public)

    @classmethod
    def generate(cls) -> "SealKey":
        """A new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_bytes(cls, secret: bytes) -> "SealKey":
        """The key of these 32 secret bytes (the seed of RFC 8032 §5.1.5).

        Raises:
            SealError: not 32 bytes.
        """
        if len(secret) != 32:
            raise SealError(f"a seal key is 32 bytes, not {len(secret)}")
        return cls(Ed25519PrivateKey.from_private_bytes(secret))

    def to_bytes(self) -> bytes:
        """The 32 secret bytes."""
        return self._private.private_bytes_raw()

    def sign(self, segment: Segment) -> Segment:
        """The segment with this key's id and signature. Ed25519 is deterministic: the same segment, the same bytes."""
        named = msgspec.structs.replace(segment, key_id=self.key_id)
        return msgspec.structs.replace(named, signature=self.sign_bytes(named.signed_bytes()))

    def sign_bytes(self, body: bytes) -> bytes:
        """The signature of canonical JSON. Its `format` has to keep it apart from anything else that is signed."""
        return self._private.sign(body)

    def __repr__(self) -> str:
        return f"<SealKey {self.key_id}>"


def is_signed(public: bytes, signature: bytes, body: bytes) -> bool:
    """Whether the signature of these bytes holds. False for what is no key or no signature."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, body)
    except (InvalidSignature, ValueError):
        return False
    return True


def key_id_of(public: bytes) -> str:
    """The name of a public key: the first 16 hex digits of its SHA-256."""
    return sha256(public).hexdigest()[:16]


def segment_of(row: Mapping[str, Any]) -> Segment:
    """A `seals` row as a segment."""
    return Segment(**{name: row[name] for name in Segment.__struct_fields__})
