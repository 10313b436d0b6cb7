import dataclasses
from pathlib import Path

import pytest

from chatserver.config import Settings
from chatserver.errors import ConfigError
from chatserver.model.limits import Rate


def test_without_an_environment_there_are_defaults() -> None:
    assert Settings.from_env({}) == Settings()
    assert Settings.from_env({"CHAT_PORT": "", "CHAT_REDIS_URL": "", "CHAT_DEMO": ""}) == Settings()


def test_everything_can_be_set() -> None:
    settings = Settings.from_env(
        {
            "CHAT_HOST": "0.0.0.0",
            "CHAT_PORT": "9000",
            "CHAT_DATA": "/srv/chat",
            "CHAT_WORKERS": "4",
            "CHAT_REDIS_URL": "rediss://:secret@redis:6380/1",
            "CHAT_DATABASE_URL": "postgresql://chat:secret@db/chat",
            "CHAT_DATABASE_CONNECTIONS": "25",
            "CHAT_STRICT": "1",
            "CHAT_PUBLIC_URL": "https://Chat.Example/",
            "CHAT_SITE_NAME": "The shop",
            "CHAT_SITE_ORIGINS": "https://shop.example, https://www.shop.example:8443",
            "CHAT_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.7",
            "CHAT_DEMO": "no",
            "CHAT_CUSTOMER_RATE": "3/0.5",
            "CHAT_AGENT_RATE": "30/20",
            "CHAT_NODE_LEASE_SECONDS": "10",
            "CHAT_AGENT_GRACE_SECONDS": "90",
            "CHAT_AUDIT_SECONDS": "600",
            "CHAT_LOG_JSON": "1",
            "CHAT_METRICS_TOKEN": "a-long-enough-secret",
            "CHAT_PING_SECONDS": "10",
            "CHAT_BEHIND_SECONDS": "30",
            "CHAT_CHECK_SECONDS": "60",
            "CHAT_CHECKPOINT_FILE": "/srv/worm/heads.jsonl",
            "CHAT_CHECKPOINT_URL": "https://audit.example/?key=secret",
            "CHAT_CHECKPOINT_SECONDS": "60",
            "CHAT_RETENTION_AT": "23:05",
            "CHAT_DRAIN_SECONDS": "60",
            "CHAT_DRAIN_RATE": "300",
            "CHAT_ADDRESS_CONNECTIONS": "5000",
            "CHAT_ADDRESS_RATE": "200/10",
            "CHAT_MASK_OFF": "pin, code",
            "CHAT_MASK_PATTERNS": r"staff=EMP-\d{6} club=KD[-\s]?\d{5,9}",
        }
    )
    assert settings.masker.off == {"pin", "code"}
    assert settings.masker.patterns == {"staff": r"EMP-\d{6}", "club": r"KD[-\s]?\d{5,9}"}
    assert settings.behind_seconds == 30
    assert (settings.ping_seconds, settings.check_seconds) == (10, 60)
    assert (settings.drain_seconds, settings.drain_rate) == (60, 300)
    assert settings.retention_at == 23 * 60 + 5
    assert (settings.checkpoint_file, settings.checkpoint_seconds) == (Path("/srv/worm/heads.jsonl"), 60)
    assert settings.checkpoint_url == "https://audit.example/?key=secret"
    assert (settings.host, settings.port, settings.data, settings.workers) == ("0.0.0.0", 9000, Path("/srv/chat"), 4)
    assert settings.site_origins == ("https://shop.example", "https://www.shop.example:8443")
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.0.2.7/32")
    assert (settings.customer_rate, settings.agent_rate) == (Rate(3, 0.5), Rate(30, 20))
    assert (settings.address_connections, settings.address_rate) == (5_000, Rate(200, 10))
    assert (settings.strict, settings.demo, settings.log_json) == (True, False, True)
    assert settings.metrics_token == "a-long-enough-secret"
    assert (settings.node_lease_seconds, settings.agent_grace_seconds, settings.audit_seconds) == (10, 90, 600)
    assert settings.public_origins == ("https://chat.example",)
    assert (settings.database, settings.database_connections) == ("postgresql://chat:secret@db/chat", 25)
    unset = [field.name for field in dataclasses.fields(Settings) if getattr(settings, field.name) == field.default]
    assert unset == []
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHAT_PORT", "-1"),
        ("CHAT_PORT", "65536"),
        ("CHAT_PORT", "٣"),
        ("CHAT_PORT", "80.0"),
        ("CHAT_WORKERS", "0"),
        ("CHAT_WORKERS", "many"),
        ("CHAT_NODE_LEASE_SECONDS", "0"),
        ("CHAT_AGENT_GRACE_SECONDS", "0"),
        ("CHAT_REDIS_URL", "localhost:6379"),
        ("CHAT_REDIS_URL", "http://localhost"),
        ("CHAT_DATABASE_URL", "mysql://localhost/chat"),
        ("CHAT_PUBLIC_URL", "chat.example"),
        ("CHAT_PUBLIC_URL", "ftp://chat.example"),
        ("CHAT_SITE_ORIGINS", "shop.example"),
        ("CHAT_SITE_ORIGINS", "https://shop.example/path"),
        ("CHAT_SITE_ORIGINS", "https://shop.example; script-src *"),
        ("CHAT_SITE_ORIGINS", "https://a.example,*"),
        ("CHAT_TRUSTED_PROXIES", "proxy"),
        ("CHAT_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("CHAT_DEMO", "maybe"),
        ("CHAT_LOG_JSON", "2"),
        ("CHAT_METRICS_TOKEN", "short"),
        ("CHAT_METRICS_TOKEN", "with a blank in between"),
        ("CHAT_METRICS_TOKEN", "no-line\nends-in-a-header"),
        ("CHAT_METRICS_TOKEN", "ünot-of-ascii-only"),
        ("CHAT_CUSTOMER_RATE", "10"),
        ("CHAT_CUSTOMER_RATE", "0/1"),
        ("CHAT_CUSTOMER_RATE", "10/0"),
        ("CHAT_AGENT_RATE", "nan/nan"),
        ("CHAT_AGENT_RATE", "10/-1"),
        ("CHAT_RETENTION_AT", "24:00"),
        ("CHAT_RETENTION_AT", "3:30"),
        ("CHAT_RETENTION_AT", "daily"),
    ],
)
def test_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({name: value})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("CHAT_MASK_OFF", "pin,pins", "takes kinds of secrets (card, iban, account, "),
        ("CHAT_MASK_PATTERNS", r"EMP-\d{6}", r"takes NAME=PATTERN, separated by blanks, not 'EMP-"),
        ("CHAT_MASK_PATTERNS", "card=abc", "there is a kind 'card' already"),
        ("CHAT_MASK_PATTERNS", "a1=abc a1=abd", "there is a kind 'a1' already"),
        ("CHAT_MASK_PATTERNS", "staff=(a+)+b", "'(a+)+b' is refused: '+' at character 3 has no greatest length"),
        ("CHAT_MASK_PATTERNS", "staff=(abc", "'(abc' is refused: a ) is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_masked_is_said_at_the_start(name: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({name: value})
    assert str(caught.value).startswith(name)
    assert says in str(caught.value)


def test_password_in_a_bad_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.from_env({"CHAT_REDIS_URL": "redsi://:hunter2@localhost"})
    assert "hunter2" not in str(caught.value)


def test_options_win_over_the_environment() -> None:
    settings = Settings.from_env({"CHAT_PORT": "9000", "CHAT_HOST": "::1"}).with_options(port=9001, host=None)
    assert (settings.port, settings.host) == (9001, "::1")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("web", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert Settings(host=host).loopback is loopback


def test_demo_and_embedding_without_being_told() -> None:
    here = Settings()
    assert here.shows_demo
    assert here.public_origins == ("http://127.0.0.1:8000", "http://localhost:8000")
    assert here.embedding_origins == ("http://localhost:*", "http://127.0.0.1:*")
    anywhere = Settings(host="0.0.0.0")
    assert not anywhere.shows_demo
    assert anywhere.embedding_origins == ()
    assert Settings(host="0.0.0.0", demo=True).shows_demo
