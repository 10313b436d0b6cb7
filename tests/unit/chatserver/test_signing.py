import base64

import msgspec
import pytest

from chatserver import signing
from chatserver.signing import Signer

KEY = bytes(range(32))


@pytest.fixture
def signer() -> Signer:
    return Signer(KEY)


def test_signed_is_read_back(signer: Signer) -> None:
    token = signer.sign("claim", {"ticket": 100_009, "sub": "me"}, seconds=60)
    fields = signer.check("claim", token)
    assert fields
    assert (fields["ticket"], fields["sub"]) == (100_009, "me")
    assert fields["jti"]


def test_each_token_has_an_id_of_its_own_unless_given_one(signer: Signer) -> None:
    tokens = [signer.sign("claim", {}, seconds=60) for _ in range(2)]
    assert tokens[0] != tokens[1]
    fields = signer.check("customer", signer.sign("customer", {"jti": "mine"}, seconds=60))
    assert fields == {"jti": "mine"}


def test_kind_is_signed_too(signer: Signer) -> None:
    token = signer.sign("view", {"ticket": 100_009}, seconds=60)
    for kind in ("claim", "resume", "customer", ""):
        assert signer.check(kind, token) is None


def test_token_ends(signer: Signer) -> None:
    assert signer.check("view", signer.sign("view", {}, seconds=0)) is None
    assert signer.check("view", signer.sign("view", {}, seconds=-1)) is None


def test_every_changed_character_is_noticed(signer: Signer) -> None:
    token = signer.sign("view", {"ticket": 100_009}, seconds=60)
    for place, old in enumerate(token):
        new = "A" if old != "A" else "B"
        changed = token[:place] + new + token[place + 1 :]
        fields = signer.check("view", changed)
        # The last character of each part has bits that say nothing.
        assert fields is None or place in (token.index(".") - 1, len(token) - 1)


def test_key_of_another_installation_is_another_key(signer: Signer) -> None:
    assert Signer(bytes(32)).check("view", signer.sign("view", {}, seconds=60)) is None


@pytest.mark.parametrize("token", [None, "", ".", "..", "a.b", "a", "é.é", "AAAA.AAAA", "x" * 10_000, "\x00.\x00"])
def test_nonsense_is_none(signer: Signer, token: str | None) -> None:
    assert signer.check("view", token) is None


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", msgspec.msgpack.encode(("view", "soon", {})), msgspec.msgpack.encode([])]
)
def test_signed_nonsense_is_none(signer: Signer, body: bytes) -> None:
    def text(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    mac = signing.hmac.new(KEY, body, "sha256").digest()
    assert signer.check("view", f"{text(body)}.{text(mac)}") is None
