"""The bytes that are hashed and signed, against vectors and against the definitions they come from."""

import json
from enum import IntEnum
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transcripts import merkle
from transcripts.canonical import canonical, canonical_body, commitment
from transcripts.errors import CanonicalError, SealError
from transcripts.segment import SealKey, Segment, leaf

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[3] / "docs/seal_vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["canonical"], ids=lambda vector: vector["canonical"][:20])
def test_canonical_values(vector: dict[str, Any]) -> None:
    assert canonical(vector["value"]).decode() == vector["canonical"]


@pytest.mark.parametrize("vector", VECTORS["commitments"])
def test_commitments(vector: dict[str, Any]) -> None:
    body = vector["body"]
    encoded = canonical_body(body["text"], body["name"], [bytes.fromhex(d) for d in body["attachments"]], body["data"])
    assert encoded.decode() == vector["canonical_body"]
    assert commitment(bytes.fromhex(vector["salt"]), encoded).hex() == vector["commitment"]


@pytest.mark.parametrize("vector", VECTORS["leaves"])
def test_leaves(vector: dict[str, Any]) -> None:
    assert sha256(b"\x00" + vector["encoded"].encode()).hexdigest() == vector["leaf"]
    hashed = leaf(
        seq=vector["seq"],
        at=vector["at"],
        role=vector["role"],
        participant_id=vector["participant"],
        kind=vector["kind"],
        audience=vector["audience"],
        commitment=bytes.fromhex(vector["commitment"]),
    )
    assert hashed.hex() == vector["leaf"]


@pytest.mark.parametrize("vector", VECTORS["roots"], ids=lambda vector: str(len(vector["leaves"])))
def test_roots(vector: dict[str, Any]) -> None:
    assert merkle.root(bytes.fromhex(one) for one in vector["leaves"]).hex() == vector["root"]


def test_the_signature_of_a_segment() -> None:
    vector = VECTORS["segment"]
    key = SealKey.from_bytes(bytes.fromhex(vector["secret_key"]))
    assert (key.public.hex(), key.key_id) == (vector["public_key"], vector["key_id"])
    # RFC 8032 §7.1, test 1 uses this key.
    assert key.public.hex() == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    said = json.loads(vector["signed_bytes"])
    assert said["format"] == VECTORS["format"]
    segment = key.sign(
        Segment(
            number=said["number"],
            ticket=said["ticket"],
            from_seq=said["from"],
            to_seq=said["to"],
            public_root=bytes.fromhex(said["public_root"]),
            full_root=bytes.fromhex(said["full_root"]),
            prev_seal=bytes.fromhex(said["prev_seal"]),
            sealed_at=said["sealed_at"],
            key_id="",
        )
    )
    assert segment.signed_bytes().decode() == vector["signed_bytes"]
    assert segment.signature.hex() == vector["signature"]
    assert segment.digest().hex() == vector["digest"]
    assert segment.is_signed_by({key.key_id: key.public})
    assert not segment.is_signed_by({})


def _rfc_6962(leaves: list[bytes]) -> bytes:
    """MTH as §2.1 writes it: split at the largest power of two below n."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + _rfc_6962(leaves[:split]) + _rfc_6962(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=4).map(merkle.leaf_hash), max_size=70))
def test_the_root_is_that_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == _rfc_6962(leaves)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_json_is_json_with_the_same_meaning(value: Any) -> None:
    assert json.loads(canonical(value)) == value
    assert canonical(json.loads(canonical(value))) == canonical(value)


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    assert canonical(dict(reversed(value.items()))) == canonical(value)


@given(st.text() | st.none(), st.text() | st.none())
def test_the_short_way_to_a_body_gives_the_same_bytes(text: str | None, name: str | None) -> None:
    assert canonical_body(text, name) == canonical({"text": text, "name": name, "attachments": [], "data": None})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_json_made_whole_is_still_the_same_number(value: float) -> None:
    assert float(canonical(value)) == value
    assert canonical(json.loads(canonical(value))) == canonical(value)


def test_whole_numbers_keep_all_their_digits() -> None:
    assert canonical(2**64 + 1) == b"18446744073709551617"


class Word(str):
    """A type that is derived from text."""


class Number(IntEnum):
    """A type that is derived from a number."""

    ONE = 1


def test_a_derived_type_is_written_as_what_it_is() -> None:
    value = MappingProxyType({Word("b"): [Word("c")], "a": Number.ONE})
    assert canonical(value) == b'{"a":1,"b":["c"]}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, b"bytes", "half \ud83d", {"a": object()}])
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(CanonicalError):
        canonical(value)


def test_a_key_survives_its_bytes_and_keeps_its_secret_to_itself() -> None:
    key = SealKey.generate()
    again = SealKey.from_bytes(key.to_bytes())
    assert (again.public, again.key_id) == (key.public, key.key_id)
    assert key.to_bytes().hex() not in repr(key)
    with pytest.raises(SealError, match="32 bytes"):
        SealKey.from_bytes(b"short")
