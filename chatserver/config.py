"""Settings: read once from the environment, one explicit line each; docs/configuration.md is compared with this file
by a test.

Only the composition root (`app`, the command line) reads them; everything else gets plain values.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from chatserver.errors import ConfigError
from chatserver.model.limits import ADDRESS_CONNECTIONS, ADDRESS_RATE, AGENT_RATE, CUSTOMER_RATE, Rate
from transcripts.masking import KINDS, Masker, PatternError, SitePattern, site_pattern


@dataclass(frozen=True)
class Settings:
    """The operator's choices. Secrets are not here: `chatserver.keys` makes or reads them."""

    host: str = "127.0.0.1"
    port: int = 8000
    data: Path = Path("./data")
    workers: int = 1
    redis_url: str | None = field(default=None, repr=False)
    database_url: str | None = field(default=None, repr=False)
    database_connections: int = 10
    strict: bool = False
    public_url: str | None = None
    site_name: str = "Shop help"
    site_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    demo: bool | None = None
    customer_rate: Rate = CUSTOMER_RATE
    agent_rate: Rate = AGENT_RATE
    address_connections: int = ADDRESS_CONNECTIONS
    address_rate: Rate = ADDRESS_RATE
    node_lease_seconds: int = 15
    agent_grace_seconds: int = 45
    ping_seconds: int = 25
    audit_seconds: int = 60
    behind_seconds: int = 60
    check_seconds: int = 30
    checkpoint_file: Path | None = None
    checkpoint_url: str | None = field(default=None, repr=False)
    checkpoint_seconds: int = 300
    retention_at: int | None = None  # minute of the day, UTC
    drain_seconds: int = 20
    drain_rate: int = 100
    metrics_token: str = field(default="", repr=False)
    log_json: bool = False
    mask_off: tuple[str, ...] = ()
    mask_patterns: tuple[SitePattern, ...] = ()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads `CHAT_*`.

        Raises:
            ConfigError: names the variable and what it takes.
        """
        get = env.get
        return cls(
            host=get("CHAT_HOST") or cls.host,
            port=_number("CHAT_PORT", get("CHAT_PORT"), cls.port, 0, 65535),
            data=Path(get("CHAT_DATA") or cls.data),
            workers=_number("CHAT_WORKERS", get("CHAT_WORKERS"), cls.workers, 1, 256),
            redis_url=_url("CHAT_REDIS_URL", get("CHAT_REDIS_URL"), ("redis", "rediss", "unix")),
            database_url=_url("CHAT_DATABASE_URL", get("CHAT_DATABASE_URL"), ("sqlite", "postgresql", "postgres")),
            database_connections=_number(
                "CHAT_DATABASE_CONNECTIONS",
                get("CHAT_DATABASE_CONNECTIONS"),
                cls.database_connections,
                2,
                1_000,
            ),
            strict=_switch("CHAT_STRICT", get("CHAT_STRICT")) or False,
            public_url=_url("CHAT_PUBLIC_URL", get("CHAT_PUBLIC_URL"), ("http", "https")),
            site_name=get("CHAT_SITE_NAME") or cls.site_name,
            site_origins=tuple(_origin("CHAT_SITE_ORIGINS", part) for part in _list(get("CHAT_SITE_ORIGINS"))),
            trusted_proxies=tuple(
                _network("CHAT_TRUSTED_PROXIES", part) for part in _list(get("CHAT_TRUSTED_PROXIES"))
            ),
            demo=_switch("CHAT_DEMO", get("CHAT_DEMO")),
            customer_rate=_rate("CHAT_CUSTOMER_RATE", get("CHAT_CUSTOMER_RATE"), cls.customer_rate),
            agent_rate=_rate("CHAT_AGENT_RATE", get("CHAT_AGENT_RATE"), cls.agent_rate),
            address_connections=_number(
                "CHAT_ADDRESS_CONNECTIONS",
                get("CHAT_ADDRESS_CONNECTIONS"),
                cls.address_connections,
                1,
                1_000_000,
            ),
            address_rate=_rate("CHAT_ADDRESS_RATE", get("CHAT_ADDRESS_RATE"), cls.address_rate),
            node_lease_seconds=_number(
                "CHAT_NODE_LEASE_SECONDS", get("CHAT_NODE_LEASE_SECONDS"), cls.node_lease_seconds, 1, 300
            ),
            agent_grace_seconds=_number(
                "CHAT_AGENT_GRACE_SECONDS", get("CHAT_AGENT_GRACE_SECONDS"), cls.agent_grace_seconds, 1, 3_600
            ),
            ping_seconds=_number("CHAT_PING_SECONDS", get("CHAT_PING_SECONDS"), cls.ping_seconds, 1, 55),
            audit_seconds=_number("CHAT_AUDIT_SECONDS", get("CHAT_AUDIT_SECONDS"), cls.audit_seconds, 1, 86_400),
            behind_seconds=_number("CHAT_BEHIND_SECONDS", get("CHAT_BEHIND_SECONDS"), cls.behind_seconds, 1, 86_400),
            check_seconds=_number("CHAT_CHECK_SECONDS", get("CHAT_CHECK_SECONDS"), cls.check_seconds, 1, 600),
            checkpoint_file=_path(get("CHAT_CHECKPOINT_FILE")),
            checkpoint_url=_url("CHAT_CHECKPOINT_URL", get("CHAT_CHECKPOINT_URL"), ("http", "https")),
            checkpoint_seconds=_number(
                "CHAT_CHECKPOINT_SECONDS", get("CHAT_CHECKPOINT_SECONDS"), cls.checkpoint_seconds, 1, 86_400
            ),
            retention_at=_minute("CHAT_RETENTION_AT", get("CHAT_RETENTION_AT")),
            drain_seconds=_number("CHAT_DRAIN_SECONDS", get("CHAT_DRAIN_SECONDS"), cls.drain_seconds, 0, 600),
            drain_rate=_number("CHAT_DRAIN_RATE", get("CHAT_DRAIN_RATE"), cls.drain_rate, 1, 1_000_000),
            metrics_token=_token("CHAT_METRICS_TOKEN", get("CHAT_METRICS_TOKEN")),
            log_json=_switch("CHAT_LOG_JSON", get("CHAT_LOG_JSON")) or False,
            mask_off=_kinds("CHAT_MASK_OFF", get("CHAT_MASK_OFF")),
            mask_patterns=_patterns("CHAT_MASK_PATTERNS", get("CHAT_MASK_PATTERNS")),
        )

    def with_options(self, **options: object) -> Settings:
        """The same with what was given on the command line; None leaves the environment's value."""
        return replace(self, **{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]  # names come from our own options

    def check_address(self) -> None:
        """Whether browsers can name us.

        Raises:
            ConfigError: listening on every address, and nobody has said which one is ours.
        """
        if self.host in ("0.0.0.0", "::", "") and not self.public_url:
            raise ConfigError(
                f"listening on {self.host or 'every address'} needs CHAT_PUBLIC_URL: what browsers call this server"
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach us."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def shows_demo(self) -> bool:
        """Whether `/` is the demo shop: unasked only where nobody else can see it, so not behind a proxy either."""
        return (self.loopback and not self.public_url) if self.demo is None else self.demo

    @property
    def public_origins(self) -> tuple[str, ...]:
        """The origins that our own pages have; the first is the one we print and put into links."""
        if self.public_url:
            parts = urlsplit(self.public_url)
            return (f"{parts.scheme}://{parts.netloc}".lower(),)
        if self.loopback:
            return (f"http://127.0.0.1:{self.port}", f"http://localhost:{self.port}")
        return (f"http://{self.host}:{self.port}",)

    @property
    def embedding_origins(self) -> tuple[str, ...]:
        """Which pages may show the widget of the default site, as CSP sources; the demo shop too, where it is shown."""
        if not self.site_origins and self.loopback and not self.public_url:
            return ("http://localhost:*", "http://127.0.0.1:*")
        demo = (f"http://localhost:{self.port}", f"http://127.0.0.1:{self.port}")
        return tuple(dict.fromkeys((*self.site_origins, *(demo if self.shows_demo and self.loopback else ()))))

    @property
    def masker(self) -> Masker:
        """What is masked here."""
        return Masker(off=self.mask_off, patterns=self.mask_patterns)

    @property
    def database(self) -> str:
        """The database's URL; without one, SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'chat.db'}"


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _kinds(name: str, text: str | None) -> tuple[str, ...]:
    kinds = tuple(_list(text))
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"{name} takes kinds of secrets ({', '.join(KINDS)}), not {kind!r}")
    return kinds


def _patterns(name: str, text: str | None) -> tuple[SitePattern, ...]:
    found: dict[str, SitePattern] = {}
    for part in (text or "").split():
        kind, given, pattern = part.partition("=")
        if not given:
            raise ConfigError(f"{name} takes NAME=PATTERN, separated by blanks, not {part!r}")
        if kind in KINDS or kind in found:
            raise ConfigError(f"{name}: there is a kind {kind!r} already")
        try:
            found[kind] = site_pattern(kind, pattern)
        except PatternError as exc:
            raise ConfigError(f"{name}: {pattern!r} is refused: {exc}") from exc
    return tuple(found.values())


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _number(name: str, text: str | None, default: int, low: int, high: int) -> int:
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise ConfigError(f"{name} has to be a number from {low} to {high}, not {text!r}")
    return int(text)


def _minute(name: str, text: str | None) -> int | None:
    if not text:
        return None
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", text)
    if not found:
        raise ConfigError(f"{name} has to be a time of day in UTC such as 03:30, not {text!r}")
    return int(found[1]) * 60 + int(found[2])


def _switch(name: str, text: str | None) -> bool | None:
    if not text:
        return None
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("0", "false", "no", "off"):
        return False
    raise ConfigError(f"{name} has to be 1 or 0, not {text!r}")


def _token(name: str, text: str | None) -> str:
    if text and not re.fullmatch(r"[!-~]{16,200}", text):
        # It is a secret, however bad: it is not repeated.
        raise ConfigError(f"{name} has to be 16 to 200 characters of ASCII, without blanks")
    return text or ""


def _url(name: str, text: str | None, schemes: tuple[str, ...]) -> str | None:
    if not text:
        return None
    if urlsplit(text).scheme.split("+")[0] not in schemes:
        # The value may hold a password: it is not repeated.
        raise ConfigError(f"{name} has to begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return text


def _origin(name: str, text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.netloc
        or parts.path not in ("", "/")
        or any(c in text for c in ";' ")
    ):
        raise ConfigError(f"{name} takes origins such as https://shop.example, not {text!r}")
    return f"{parts.scheme}://{parts.netloc}".lower()


def _network(name: str, text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError as exc:
        raise ConfigError(f"{name} takes addresses or networks such as 10.0.0.0/8, not {text!r}") from exc


def _rate(name: str, text: str | None, default: Rate) -> Rate:
    if not text:
        return default
    burst, _, per_second = text.partition("/")
    try:
        rate = Rate(float(burst), float(per_second))
    except ValueError:
        rate = Rate(0, 0)
    if not (rate.burst >= 1 and rate.per_second > 0):
        raise ConfigError(f"{name} takes commands at once and a second, such as 10/1, not {text!r}")
    return rate
