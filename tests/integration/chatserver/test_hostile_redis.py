"""The link against a server that speaks badly: it hangs at nothing, gives no command another's reply, answers each
exactly once, and is back as soon as the server behaves.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from chatserver.broker import wire
from chatserver.broker.keys import chat_key
from chatserver.broker.link import Link
from chatserver.broker.scripts import ALL, script
from chatserver.errors import ConfigError, UnavailableError
from tests.support.client import PATIENCE
from tests.support.hostile_redis import (
    Answers,
    Command,
    HostileRedis,
    array,
    bulk,
    only,
    surviving,
    well_said,
    works,
)
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

HERE = chat_key(100_009)

NONSENSE = (
    b"\x00",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"$-7\r\n",
    b"$abc\r\n",
    b"$99999999999999999999\r\n",
    b"*99999999999\r\n",
    b":x\r\n",
    b"%1\r\n*0\r\n+a\r\n",  # a map whose key is a list: not for Python
    b"+" + b"x" * 70_000 + b"\n\xff\r\n\xff",
)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """uvloop, as in production: it may read the last bytes and the end in one turn."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[HostileRedis]:
    async with HostileRedis.listening(tmp_path) as redis:
        yield redis


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dozens of connections are lost here: seconds become hundredths."""
    monkeypatch.setattr(wire, "BACKOFF_SECONDS", (0.001, 0.02))
    monkeypatch.setattr(wire, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(wire, "SILENT_SECONDS", 0.4)


async def test_replies_in_single_bytes_are_put_together(redis: HostileRedis) -> None:
    redis.in_pieces = True
    async with surviving(redis) as link:
        answers = Answers()
        answers.ask(link, b"", b"$5\r\n*2\r\n", b"\r\n", b"x" * 300)
        await answers.all()
        assert not answers.unavailable()
        nested = array(b":1\r\n", array(bulk(b"a"), b"*-1\r\n"), b"$-1\r\n", b"+fine\r\n")
        redis.says = only(lambda _: nested, b"GET")
        assert await link.call(b"GET", b"some") == [1, [b"a", None], None, b"fine"]


async def test_connection_is_reset_after_each_byte_of_replies(redis: HostileRedis) -> None:
    words = b"one", b"two", b"three"
    lengths = [len(well_said((b"ECHO", word))) for word in words]
    async with surviving(redis) as link:
        for cut in range(sum(lengths)):
            answers = Answers()
            redis.cut_after = cut
            answers.ask(link, *words)
            await answers.all()
            incomplete = {word for at, word in enumerate(words) if sum(lengths[: at + 1]) > cut}
            assert incomplete <= answers.unavailable()
            redis.behave()
            await until(lambda: link.ready)


async def test_connection_is_reset_after_each_byte_of_a_greeting(redis: HostileRedis) -> None:
    """Also after the last: the reply that says "you are welcome" and the end may be read together."""
    greeting = sum(len(well_said(command)) for command in ((b"INFO",), *[(b"SCRIPT",)] * len(ALL)))
    assert greeting > 150
    async with surviving(redis) as link:
        for cut in (*range(0, greeting - 5, 5), *range(greeting - 5, greeting + 2)):
            redis.cut_after = cut
            before = redis.connections
            redis.cut()
            await until(lambda before=before: redis.connections > before + 1)  # type: ignore[misc]  # bound now
            answers = Answers()
            answers.ask(link, b"meanwhile")
            redis.behave()
            await answers.all()
            await until(lambda: link.ready)


async def test_connection_is_lost_between_the_last_word_of_a_greeting_and_its_use(
    redis: HostileRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet, times = wire.Wire._greet, [1, 2, 3]

    async def and_then_it_is_lost(of: wire.Wire) -> None:
        await greet(of)
        if times:
            times.pop()
            redis.cut()
            await of._lost.wait()

    async with surviving(redis) as link:
        monkeypatch.setattr(wire.Wire, "_greet", and_then_it_is_lost)
        redis.cut()
        await until(lambda: not times)
        await works(link)


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda said: repr(said[:8]))
async def test_what_is_not_the_protocol_ends_the_connection(
    redis: HostileRedis, nonsense: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SILENT_SECONDS", 2 * PATIENCE)  # not because nothing more is heard
    async with surviving(redis) as link:
        answers = Answers()
        redis.says = only(lambda command: nonsense if command[1] == b"two" else well_said(command), b"ECHO")
        with capture_logs() as logs:
            answers.ask(link, b"one", b"two", b"three")
            await answers.all()
        assert {b"two", b"three"} <= answers.unavailable()
        assert [line["event"] for line in logs][:1] == ["redis.nonsense"]


async def test_any_bytes_in_the_place_of_a_reply(redis: HostileRedis) -> None:
    """Bytes that begin like a reply and never end are no reply either: the command is given up in time."""
    dice = random.Random(4)
    async with surviving(redis) as link:
        for _ in range(100):
            said = dice.choice([b"", b"$", b"*", b":", b"-", b"%", b"*1\r\n"]) + dice.randbytes(dice.randrange(12))
            redis.says = only(lambda _, said=said: said + b"\x00\r\n\x00", b"ECHO")  # type: ignore[misc]  # bound now
            error: Any = None
            try:
                await link.call(b"ECHO", b"some")
            except UnavailableError as exc:
                error = exc
            assert error or said[:1] in b":-*%+_#,("  # by chance it was one
            redis.behave()
            await until(lambda: link.ready)


async def test_reply_that_nobody_asked_for_is_not_given_to_the_next_command(redis: HostileRedis) -> None:
    async with surviving(redis) as link:
        for stray in (b"+stray\r\n", b":1\r\n", b"*0\r\n", b"-ERR stray\r\n", b"$-1\r\n"):
            redis.says = only(lambda command, stray=stray: well_said(command) + stray, b"ECHO")  # type: ignore[misc]  # bound now
            with capture_logs() as logs:
                before = redis.connections
                assert await link.call(b"ECHO", b"mine") == b"mine"
                redis.behave()
                answers = Answers()
                answers.ask(link, b"next")  # in the same turn in which the stray one was read
                await answers.all()
                await until(lambda before=before: redis.connections > before)  # type: ignore[misc]  # bound now
            assert logs[0]["event"] == "redis.nonsense"
            await works(link)


async def test_what_redis_says_instead_of_an_answer_is_undecided(redis: HostileRedis) -> None:
    said = (b"-LOADING Redis is loading\r\n", b"-MOVED 3999 127.0.0.1:6381\r\n", b"-ERR unknown\r\n", b"-NOPERM\r\n")
    async with surviving(redis) as link:
        for error in said:
            redis.says = only(lambda _, error=error: error, b"ECHO", b"EVALSHA", b"EVAL")  # type: ignore[misc]  # bound now
            with pytest.raises(UnavailableError):
                await link.call(b"ECHO", b"some")
            with pytest.raises(UnavailableError):
                await link.script("page", (HERE, HERE), ("", 0, "", 1))
        assert redis.connections == 2  # none of it was a reason to leave


async def test_script_that_is_not_known_is_sent_whole_once(redis: HostileRedis) -> None:
    async with surviving(redis) as link:
        redis.says = only(lambda _: b"-NOSCRIPT No matching script.\r\n", b"EVALSHA")
        assert await link.script("page", (HERE, HERE), ("", 0, "", 1)) == b"OK"
        redis.says = only(lambda _: b"-NOSCRIPT No matching script.\r\n", b"EVALSHA", b"EVAL")
        with pytest.raises(UnavailableError):
            await link.script("page", (HERE, HERE), ("", 0, "", 1))
    asked = [command for command in redis.asked if command[0] in (b"EVALSHA", b"EVAL")]
    assert [command[0] for command in asked] == [b"EVALSHA", b"EVAL"] * 2
    assert asked[1] == (b"EVAL", script("page").source, *asked[0][2:])


async def test_what_the_clock_of_one_redis_shows_is_nothing_to_the_next(redis: HostileRedis) -> None:
    async with surviving(redis) as link:
        (shard,) = link.shards
        await until(lambda: shard.now_ms() >= 1_790_000_000_250)
        redis.says = only(lambda _: b"-ERR who am I\r\n", b"TIME")
        redis.cut()
        before = redis.connections
        await until(lambda: redis.connections > before + 1 and link.ready)
        assert shard.now_ms() == 0
        redis.behave()
        await until(lambda: shard.now_ms() >= 1_790_000_000_250)


async def test_greeting_that_is_refused_names_the_reason_and_is_repeated_later(redis: HostileRedis) -> None:
    secret = redis.url.replace("unix://", "unix://chat:hunter2@")
    redis.says = only(lambda _: b"-WRONGPASS invalid username-password pair\r\n", b"AUTH")
    link = Link(secret, on_push=lambda *_: None, on_subscribed=lambda _: None)
    with pytest.raises(ConfigError, match="WRONGPASS") as caught:
        await link.start()
    assert "hunter2" not in caught.value.message
    redis.behave()
    await link.start()
    try:
        for refusal in (b"-LOADING Redis is loading\r\n", b"-ERR max number of clients reached\r\n"):
            for name in (b"AUTH", b"INFO", b"SCRIPT"):
                redis.says = only(lambda _, refusal=refusal: refusal, name)  # type: ignore[misc]  # bound now
                before = redis.connections
                redis.cut()
                await until(lambda before=before: redis.connections > before + 4)  # type: ignore[misc]  # bound now
                assert not link.ready
        redis.behave()
        await works(link)
    finally:
        await link.stop()


async def test_greeting_that_is_never_answered(redis: HostileRedis) -> None:
    redis.says = lambda _: None
    with pytest.raises(ConfigError, match="does not answer"):
        async with surviving(redis):
            pass


async def test_answer_that_never_ends_is_given_up(redis: HostileRedis) -> None:
    """Half a gigabyte, a byte now and then: that something is heard is not enough for who waits."""
    async with surviving(redis) as link:
        redis.says = only(lambda _: b"$536870912\r\n", b"ECHO")
        answers = Answers()
        answers.ask(link, b"one", b"two")
        await until(lambda: redis.asked[-1] == (b"ECHO", b"two"))
        with capture_logs():  # the other connection takes it for nonsense
            trickle = asyncio.create_task(_forever(lambda: redis.push(b"x")))
            await answers.all()
        assert not trickle.done()
        trickle.cancel()
        assert answers.unavailable() == {b"one", b"two"}


async def _forever(step: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        await step()
        await asyncio.sleep(0.01)


async def test_nonsense_among_the_pushes_loses_no_subscription(redis: HostileRedis) -> None:
    confirmed: list[bytes] = []
    pushed: list[tuple[bytes, bytes]] = []
    odd = (
        b":1\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"+some\r\n",
        b"*1\r\n:1\r\n",
        b"-ERR some\r\n",
        b"*1\r\n+smessage\r\n",
    )
    async with surviving(
        redis, on_subscribed=confirmed.append, on_push=lambda channel, payload: pushed.append((channel, payload))
    ) as link:
        link.subscribe(HERE)
        await until(lambda: confirmed == [HERE])
        for said in (*odd, *NONSENSE):
            with capture_logs():  # the connection for commands takes it for what it is
                await redis.push(said)
                await until(lambda: link.ready)
                confirmed.clear()
                redis.cut()
                await until(lambda: confirmed == [HERE])
        await until(lambda: link.ready)
        with capture_logs():
            await redis.push(array(bulk(b"smessage"), bulk(HERE), bulk(b"hello")))
            await until(lambda: pushed == [(HERE, b"hello")])


async def test_one_who_cannot_take_a_reply_harms_nobody_else(redis: HostileRedis) -> None:
    def cannot(reply: Any) -> None:
        raise KeyError(reply)

    async with surviving(redis) as link:
        answers = Answers()
        with capture_logs() as logs:
            link.send((b"ECHO", b"any"), cannot)
            answers.ask(link, b"one")
            await answers.all()
            assert not answers.unavailable()
            redis.says = only(lambda _: None, b"ECHO")
            link.send((b"ECHO", b"any"), cannot)
            answers.ask(link, b"two")
            redis.cut()
            await answers.all()
        assert [line["event"] for line in logs].count("redis.reply_not_taken") == 2
        assert answers.unavailable() == {b"two"}


async def test_more_than_redis_takes_is_refused_at_once(redis: HostileRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SILENT_SECONDS", 30.0)  # only what is in our memory counts here
    async with surviving(redis) as link:
        monkeypatch.setattr(wire, "MAX_WAITING", 50)
        redis.read_nothing()
        answers = Answers()
        answers.ask(link, *[b"%d" % number for number in range(80)])
        await asyncio.sleep(0)
        assert len(answers.unavailable()) == 30
        redis.behave()
        await answers.all()
        assert len(answers.unavailable()) == 30


async def test_more_bytes_than_may_wait_are_refused_at_once(
    redis: HostileRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "SILENT_SECONDS", 30.0)
    monkeypatch.setattr(wire, "MAX_UNSENT_BYTES", 2**20)
    async with surviving(redis) as link:
        redis.read_nothing()
        answers = Answers()
        for number in range(64):
            answers.ask(link, b"%d" % number + b"x" * 2**16)
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = answers.unavailable()
        assert 30 < len(refused) < 64  # four megabytes; one, and what a socket takes, may wait
        redis.behave()
        await answers.all()
        assert answers.unavailable() == refused


async def test_connections_are_made_anew_at_random_and_ever_later(
    redis: HostileRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return 0.0

    async with surviving(redis) as link:
        monkeypatch.setattr(wire, "BACKOFF_SECONDS", (0.05, 2.0))
        redis.says = only(lambda _: b"-LOADING\r\n", b"INFO")
        with monkeypatch.context() as patched:
            patched.setattr("chatserver.broker.wire.random.uniform", draw)
            link.shards[0].renew_pushes()
            await until(lambda: len(drawn) >= 10)
        monkeypatch.setattr(wire, "BACKOFF_SECONDS", (0.001, 0.02))
    assert drawn[:8] == [(0.05, high) for high in (0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0)]


async def test_whatever_it_does_each_command_is_answered_once_and_sent_once(redis: HostileRedis) -> None:
    """A thousand commands while the server turns from one misdeed to the next."""
    dice = random.Random(20)
    misdeeds: list[Callable[[Command], bytes | None]] = [
        *[well_said] * 3,
        only(lambda _: None, b"ECHO"),
        only(lambda command: well_said(command)[:-1], b"ECHO"),
        only(lambda _: b"-ERR no\r\n", b"ECHO"),
        only(lambda _: b"\x00", b"ECHO"),
        only(lambda _: b"-LOADING\r\n", b"INFO"),
    ]
    async with surviving(redis) as link:
        answers = Answers()
        with capture_logs():
            for turn in range(100):
                redis.says, redis.in_pieces = dice.choice(misdeeds), dice.random() < 0.2
                if dice.random() < 0.3:
                    redis.cut_after = dice.randrange(100)
                answers.ask(link, *[b"%d.%d" % (turn, number) for number in range(10)])
                await asyncio.sleep(dice.choice([0, 0, 0.005]))
                if dice.random() < 0.5:
                    redis.behave()
                    await asyncio.sleep(0.01)
            redis.behave()
            await answers.all()
        asked = [command[1] for command in redis.asked if command[0] == b"ECHO"]
        assert len(asked) == len(set(asked)) > 100
        assert len(answers.unavailable()) < 1_000
