"""RFC 6455, section 4.2: who gets a WebSocket."""

import pytest

from tests.support.raw_socket import RawSocket
from tests.support.server import RunningServer


def test_answer_to_the_key_of_the_standard(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        answer = raw.upgrade(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==")
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.headers["upgrade"].lower() == "websocket"
        assert answer.headers["connection"].lower() == "upgrade"
        assert answer.headers["sec-websocket-protocol"] == "chat.v1.json"


@pytest.mark.parametrize("connection", ["keep-alive, Upgrade", "UPGRADE", "upgrade,close"])
def test_connection_is_a_list_in_any_case(server: RunningServer, connection: str) -> None:
    """Firefox sends the first of these."""
    with RawSocket(server) as raw:
        assert raw.upgrade(connection=connection, upgrade="WebSocket").status == 101


def test_compression_is_not_agreed_on(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        answer = raw.upgrade(sec_websocket_extensions="permessage-deflate; client_max_window_bits")
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers


def test_browser_with_many_cookies(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(cookie="x" * 6_000, user_agent="y" * 1_000).status == 101


@pytest.mark.parametrize("version", ["0", "7", "8", "12", "14", "13, 8", "x"])
def test_other_versions_are_refused(server: RunningServer, version: str) -> None:
    with RawSocket(server) as raw:
        answer = raw.upgrade(sec_websocket_version=version)
        assert answer.status in (400, 426)
        assert answer.status == 400 or answer.headers["sec-websocket-version"] == "13"


@pytest.mark.parametrize("key", ["", "short", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZTE=", "*" * 24])
def test_key_that_is_none_is_refused(server: RunningServer, key: str) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(sec_websocket_key=key).status == 400


@pytest.mark.parametrize("name", ["sec-websocket-key", "sec-websocket-version", "sec-websocket-protocol", "host"])
def test_what_is_missing_is_refused(server: RunningServer, name: str) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(without=[name]).status in (400, 426)


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", 400),
        ("host", "elsewhere.example", 400),
        ("origin", "https://evil.example", 403),
    ],
)
def test_what_is_said_twice_is_refused(server: RunningServer, name: str, value: str, status: int) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(more=[(name, value)]).status in (status, 400)


def test_subprotocols_may_be_in_several_lines(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        answer = raw.upgrade(sec_websocket_protocol="chat.v9", more=[("sec-websocket-protocol", "x, chat.v1.msgpack")])
        assert (answer.status, answer.headers["sec-websocket-protocol"]) == (101, "chat.v1.msgpack")


@pytest.mark.parametrize("target", ["/ws/", "/ws/x", "/", "/WS", "/%77s"])
def test_other_paths_are_refused(server: RunningServer, target: str) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(line=f"GET {target} HTTP/1.1").status in ((404, 101) if "%" in target else (404,))


def test_query_is_nobodys_business(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(line="GET /ws?since=2031 HTTP/1.1").status == 101


def test_method_is_get(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        assert 400 <= raw.upgrade(line="POST /ws HTTP/1.1").status <= 405


def test_too_many_headers_are_refused(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        assert raw.upgrade(more=[(f"x-{number}", "y") for number in range(120)]).status == 431


def test_refusal_says_why_and_ends_the_connection(server: RunningServer) -> None:
    with RawSocket(server) as raw:
        answer = raw.upgrade(origin="https://evil.example")
        assert answer.status == 403
        assert "origin" in answer.body
        assert raw.rest() == answer.body.encode()
