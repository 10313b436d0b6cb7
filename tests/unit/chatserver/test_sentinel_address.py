"""What the address of Sentinels says."""

import pytest

from chatserver.broker.sentinel import Sentinels


def test_everything_that_can_be_said() -> None:
    known = Sentinels.of(
        "rediss+sentinel://chat:p%40ss%2Fw@one.example,[::1]:26380,10.0.0.3:5000/my%20chats"
        "?db=3&ssl_ca_certs=/ca.pem&sentinel_username=watch&sentinel_password=s3cret"
    )
    assert known
    assert known.places == (("one.example", 26379), ("::1", 26380), ("10.0.0.3", 5000))
    assert known.master == "my chats"
    tls = {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert known.redis == {"username": "chat", "password": "p@ss/w", "db": 3, **tls}
    assert {name: known.own[name] for name in ("username", "password", *tls)} == {
        **{"username": "watch", "password": "s3cret"},
        **tls,
    }
    assert "ss/w" not in repr(known) + str(known)
    assert "s3cret" not in repr(known) + str(known)


def test_little_is_enough() -> None:
    known = Sentinels.of("redis+sentinel://one/chats")
    assert known
    assert (known.places, known.master, known.redis) == ((("one", 26379),), "chats", {})
    assert known.own["username"] is known.own["password"] is None


def test_other_addresses_are_not_theirs() -> None:
    assert Sentinels.of("redis://one/0") is Sentinels.of("unix:///some+sentinel.sock") is None


@pytest.mark.parametrize(
    "url", ["redis+sentinel://one:26379", "redis+sentinel:///chats", "redis+sentinel://one,/chats"]
)
def test_too_little(url: str) -> None:
    with pytest.raises(ValueError, match="NAME-OF-THE-MASTER"):
        Sentinels.of(url)
