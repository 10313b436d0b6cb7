"""The secrets of an installation: made at the first start, kept in `data/keys/` with mode 0600, or given in the
environment.

| key | for | variable |
|---|---|---|
| token | signs customer, resume and view tokens, and claims | CHAT_TOKEN_KEY |
| access | access codes of transcripts | CHAT_ACCESS_KEY |
| seal | Ed25519, seals transcripts | CHAT_SEAL_KEY |

Beside them are the public halves of seal keys that were replaced, in `seal_public.json` or CHAT_SEAL_OLD_KEYS: what
they sealed has to be verified for ever.

Each is 32 random bytes as base64url. No sample value is ever accepted: a key from the environment has to look random.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatserver.errors import ConfigError
from transcripts.errors import UnreadableError
from transcripts.public_keys import published, read_published
from transcripts.segment import SealKey, key_id_of

OLD_SEAL_KEYS = "seal_public.json"


@dataclass(frozen=True)
class Keys:
    """The installation's secrets, 32 bytes each; never in `repr`, logs or URLs."""

    token: bytes = field(repr=False)
    access: bytes = field(repr=False)
    seal: bytes = field(repr=False)
    old_seals: Mapping[str, bytes] = field(repr=False, default_factory=dict)

    @property
    def seal_keys(self) -> dict[str, bytes]:
        """{key_id: public key} of everything this installation has sealed with; the current one comes first."""
        return _with_current(self.seal, self.old_seals)

    @classmethod
    def load(cls, data: Path, env: Mapping[str, str]) -> Keys:
        """Reads the keys, making what is missing.

        Raises:
            ConfigError: a key is not 32 random bytes, or the folder cannot be written or is open to others.
        """
        token, access, seal = (
            _load(name, data / "keys", env.get(f"CHAT_{name.upper()}_KEY")) for name in ("token", "access", "seal")
        )
        return cls(token, access, seal, old_seal_keys(data, env))


def public_seal_keys(data: Path, env: Mapping[str, str]) -> dict[str, bytes]:
    """`Keys.seal_keys` for reading only: nothing is made.

    Raises:
        ConfigError: there is no seal key, or it is none.
    """
    return _with_current(seal_key(data, env), old_seal_keys(data, env))


def old_seal_keys(data: Path, env: Mapping[str, str]) -> dict[str, bytes]:
    """{key_id: public key} of the seal keys that were replaced.

    Raises:
        ConfigError: what is there is no list of public keys.
    """
    keys: dict[str, bytes] = {}
    path = data / "keys" / OLD_SEAL_KEYS
    try:
        keys |= read_published(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, UnreadableError) as exc:
        raise ConfigError(f"the public keys in {path} cannot be read: {exc}") from exc
    for text in filter(None, (part.strip() for part in env.get("CHAT_SEAL_OLD_KEYS", "").split(","))):
        if not re.fullmatch("[0-9a-f]{64}", text):
            raise ConfigError("CHAT_SEAL_OLD_KEYS takes public keys as they are published, 64 hex digits each")
        keys[key_id_of(bytes.fromhex(text))] = bytes.fromhex(text)
    return keys


def replace_seal_key(data: Path, env: Mapping[str, str]) -> tuple[SealKey, SealKey]:
    """Makes a new seal key; the public half of the old one is kept. Killed in between, both are as before.

    Returns:
        The old and the new one.

    Raises:
        ConfigError: the key is in the environment, not there, or the folder cannot be written.
    """
    if env.get("CHAT_SEAL_KEY"):
        raise ConfigError(
            "The key is in CHAT_SEAL_KEY: put a new one there, and the old one's public key into CHAT_SEAL_OLD_KEYS"
        )
    old = SealKey.from_bytes(seal_key(data, env))
    folder = data / "keys"
    try:
        # First the list: a key too many in it does no harm, one too few makes every seal of that key worthless.
        draft = folder / f".{OLD_SEAL_KEYS}.{os.getpid()}"
        _write(draft, published(old_seal_keys(data, {}) | {old.key_id: old.public}))
        draft.replace(folder / OLD_SEAL_KEYS)
        draft = folder / f".seal.key.{os.getpid()}"
        _write(draft, _new_key())
        draft.replace(folder / "seal.key")
    except OSError as exc:
        raise ConfigError(f"the keys in {folder} cannot be written: {exc.strerror}") from exc
    return old, SealKey.from_bytes(seal_key(data, env))


def seal_key(data: Path, env: Mapping[str, str]) -> bytes:
    """The key that seals, for reading only: nothing is made.

    Raises:
        ConfigError: it is not there, or not a key.
    """
    given = env.get("CHAT_SEAL_KEY")
    path = data / "keys" / "seal.key"
    if not given and not path.exists():
        raise ConfigError(f"There is no seal key {path.absolute()} (use --keys FILE, or CHAT_SEAL_KEY)")
    return _load("seal", data / "keys", given)


def _with_current(seal: bytes, old: Mapping[str, bytes]) -> dict[str, bytes]:
    current = SealKey.from_bytes(seal)
    return {current.key_id: current.public} | dict(old)


def _load(name: str, folder: Path, given: str | None) -> bytes:
    if given:
        return _parse(f"CHAT_{name.upper()}_KEY", given)
    path = folder / f"{name}.key"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        if path.stat().st_mode & 0o077:
            raise ConfigError(
                f"{path} can be read by others: chmod 600 it, and replace the key if somebody may have read it"
            )
        return _parse(str(path), path.read_text())
    except OSError as exc:
        raise ConfigError(f"the secret {path} cannot be read or made: {exc.strerror}") from exc


def _create(path: Path) -> None:
    """Makes the key whole or not at all, and only once if several processes start together."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    _write(draft, _new_key())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _new_key() -> bytes:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)) + b"\n"


def _write(path: Path, body: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _parse(where: str, text: str) -> bytes:
    try:
        key = base64.b64decode(
            text.strip().replace("-", "+").replace("_", "/") + "=" * (-len(text.strip()) % 4), validate=True
        )
    except ValueError as exc:
        raise ConfigError(
            f"{where} is not base64: it takes 32 random bytes, as `openssl rand -base64 32` makes them"
        ) from exc
    # 32 random bytes have 30 different values on average; fewer than 20 happens once in 10¹⁰, a pattern or a sentence
    # has that.
    if len(key) != 32 or len(set(key)) < 20:
        raise ConfigError(
            f"{where} is not a random key: it takes 32 random bytes, as `openssl rand -base64 32` makes them"
        )
    return key
