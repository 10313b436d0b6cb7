"""The public keys of seals as they are published: `{"keys": [{"key_id", "algorithm", "public_key"}, …]}`."""

from collections.abc import Mapping

import msgspec

from transcripts.errors import UnreadableError
from transcripts.segment import key_id_of


class _Key(msgspec.Struct):
    key_id: str
    algorithm: str
    public_key: str


class _Keys(msgspec.Struct):
    keys: list[_Key]


def published(keys: Mapping[str, bytes]) -> bytes:
    """{key_id: public key} as the JSON that is published. It has nothing in it that means something in HTML."""
    return msgspec.json.encode(_Keys([_Key(name, "Ed25519", public.hex()) for name, public in keys.items()]))


def read_published(body: bytes) -> dict[str, bytes]:
    """The reverse.

    Raises:
        UnreadableError: it is no such list, or a key does not bear its own name.
    """
    try:
        keys = {one.key_id: bytes.fromhex(one.public_key) for one in msgspec.json.decode(body, type=_Keys).keys}
    except (msgspec.MsgspecError, ValueError) as exc:
        raise UnreadableError(f"it is not a list of public seal keys: {exc}") from exc
    for key_id, public in keys.items():
        if len(public) != 32 or key_id_of(public) != key_id:
            raise UnreadableError(f"key {key_id} is not what its name says")
    return keys
