import base64
import secrets
import stat
from pathlib import Path

import pytest

from chatserver.errors import ConfigError
from chatserver.keys import Keys, public_seal_keys, replace_seal_key
from transcripts.segment import SealKey


def as_text(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).decode()


def test_keys_are_made_once_and_private(tmp_path: Path) -> None:
    first = Keys.load(tmp_path, {})
    assert Keys.load(tmp_path, {}) == first
    assert len({first.token, first.access, first.seal}) == 3
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    names = sorted(path.name for path in (tmp_path / "keys").iterdir())
    assert names == ["access.key", "seal.key", "token.key"]
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622])
def test_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.load(tmp_path, {})
    (tmp_path / "keys" / "seal.key").chmod(mode)
    with pytest.raises(ConfigError, match=r"seal\.key"):
        Keys.load(tmp_path, {})


def test_keys_from_the_environment_are_not_written(tmp_path: Path) -> None:
    key = secrets.token_bytes(32)
    env = {f"CHAT_{name}_KEY": as_text(key) for name in ("TOKEN", "ACCESS", "SEAL")}
    assert Keys.load(tmp_path, env) == Keys(key, key, key)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", [base64.b64encode, base64.urlsafe_b64encode])
def test_every_common_form_of_base64_is_read(tmp_path: Path, form: object) -> None:
    key = bytes(range(224, 256))
    text = form(key).decode()  # type: ignore[operator]
    for given in (text, text.rstrip("="), f" {text}\n"):
        assert Keys.load(tmp_path, {"CHAT_TOKEN_KEY": given}).token == key


@pytest.mark.parametrize(
    "sample",
    [
        "changeme",
        "secret",
        "x" * 43,
        as_text(b"changeme" * 4),
        as_text(b"\x00" * 32),
        as_text(b"0123456789abcdef" * 2),
        as_text(b"please change this secret please"),
        as_text(bytes(range(31))),
        as_text(bytes(range(33))),
        "not base64 at all!",
        "ключ",
    ],
)
def test_sample_secrets_are_refused(tmp_path: Path, sample: str) -> None:
    for name in ("TOKEN", "ACCESS", "SEAL"):
        with pytest.raises(ConfigError, match=f"CHAT_{name}_KEY") as caught:
            Keys.load(tmp_path, {f"CHAT_{name}_KEY": sample})
        assert sample not in str(caught.value)


def test_random_keys_are_never_taken_for_samples(tmp_path: Path) -> None:
    for _ in range(500):
        Keys.load(
            tmp_path, {f"CHAT_{name}_KEY": as_text(secrets.token_bytes(32)) for name in ("TOKEN", "ACCESS", "SEAL")}
        )


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    Keys.load(tmp_path, {})
    (tmp_path / "keys" / "token.key").write_text("")
    with pytest.raises(ConfigError, match=r"token\.key"):
        Keys.load(tmp_path, {})


def test_keys_do_not_show_in_repr(tmp_path: Path) -> None:
    keys = Keys.load(tmp_path, {})
    assert repr(keys) == "Keys()"


def test_a_replaced_seal_key_stays_known(tmp_path: Path) -> None:
    first = Keys.load(tmp_path, {})
    old, new = replace_seal_key(tmp_path, {})
    third, _ = replace_seal_key(tmp_path, {})
    keys = Keys.load(tmp_path, {})
    assert (old.to_bytes(), third.to_bytes()) == (first.seal, new.to_bytes())
    assert keys.seal not in (old.to_bytes(), new.to_bytes())
    assert list(keys.seal_keys)[1:] == [old.key_id, new.key_id]
    assert public_seal_keys(tmp_path, {}) == keys.seal_keys
    assert (keys.token, keys.access) == (first.token, first.access)
    for path in (tmp_path / "keys").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.suffix == ".key" or old.to_bytes().hex() not in path.read_text()


def test_a_key_that_is_lost_on_the_way_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Keys.load(tmp_path, {})
    monkeypatch.setattr("chatserver.keys._new_key", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        replace_seal_key(tmp_path, {})
    keys = Keys.load(tmp_path, {})
    assert keys.seal == first.seal
    assert list(keys.seal_keys.items()) == list(first.seal_keys.items())


def test_a_key_of_the_environment_is_replaced_there(tmp_path: Path) -> None:
    old, new = SealKey.generate(), SealKey.generate()
    env = {"CHAT_SEAL_KEY": as_text(old.to_bytes())}
    with pytest.raises(ConfigError, match="CHAT_SEAL_OLD_KEYS"):
        replace_seal_key(tmp_path, env)
    env = {"CHAT_SEAL_KEY": as_text(new.to_bytes()), "CHAT_SEAL_OLD_KEYS": f" {old.public.hex()}, "}
    assert public_seal_keys(tmp_path, env) == {new.key_id: new.public, old.key_id: old.public}
    for wrong in ("hello", "00" * 31, as_text(old.public)):
        with pytest.raises(ConfigError, match="CHAT_SEAL_OLD_KEYS"):
            public_seal_keys(tmp_path, {**env, "CHAT_SEAL_OLD_KEYS": wrong})


def test_a_damaged_list_of_old_keys_is_refused(tmp_path: Path) -> None:
    Keys.load(tmp_path, {})
    (tmp_path / "keys" / "seal_public.json").write_text("{}")
    with pytest.raises(ConfigError, match="seal_public"):
        Keys.load(tmp_path, {})
