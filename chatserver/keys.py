"""The secrets of an installation: made at the first start, kept in `data/keys/` with mode 0600, or given in the
environment.

| key | for | variable |
|---|---|---|
| token | signs customer, resume and view tokens, and claims | CHAT_TOKEN_KEY |
| access | access codes of transcripts | CHAT_ACCESS_KEY |
| seal | Ed25519, seals transcripts | CHAT_SEAL_KEY |

Each is 32 random bytes as base64url. No sample value is ever accepted: a key from the environment has to look random.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatserver.errors import ConfigError


@dataclass(frozen=True)
class Keys:
    """The installation's secrets, 32 bytes each; never in `repr`, logs or URLs."""

    token: bytes = field(repr=False)
    access: bytes = field(repr=False)
    seal: bytes = field(repr=False)

    @classmethod
    def load(cls, data: Path, env: Mapping[str, str]) -> Keys:
        """Reads the keys, making what is missing.

        Raises:
            ConfigError: a key is not 32 random bytes, or the folder cannot be written or is open to others.
        """
        return cls(
            *(_load(name, data / "keys", env.get(f"CHAT_{name.upper()}_KEY")) for name in ("token", "access", "seal"))
        )


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
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


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
