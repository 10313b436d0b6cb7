"""What a process takes Redis' clock to show."""

from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chatserver.broker import redis_clock
from chatserver.broker.redis_clock import SOON_SECONDS, RedisClock
from chatserver.errors import UnavailableError

BEGAN = 1_790_000_000.25  # Redis' clock, when ours is at 0
SECONDS = some.integers(1, 10**8).map(lambda tenths: tenths / 10)


def shown(at: float) -> list[bytes]:
    """What TIME answers."""
    seconds, part = divmod(BEGAN + at, 1)
    return [b"%d" % seconds, b"%d" % (part * 1_000_000)]


@given(asked=SECONDS, there=some.floats(0, 0.2), back=some.floats(0, 0.2), later=SECONDS)
def test_it_is_never_ahead_and_behind_by_as_long_as_the_answer_came_back(
    asked: float, there: float, back: float, later: float
) -> None:
    clock = RedisClock()
    with mock.patch.object(redis_clock, "_passed") as passed:
        passed.return_value = asked
        heard = clock.asking()
        passed.return_value = asked + there + back
        heard(shown(asked + there))
        passed.return_value = asked + there + back + later
        behind = (BEGAN + passed.return_value) * 1000 - clock.now_ms()
    assert 0 <= behind + 0.1 < back * 1000 + 2  # it counts whole milliseconds, and these are floats


def test_it_is_not_known_until_it_was_heard_and_after_it_was_forgotten() -> None:
    clock = RedisClock()
    assert clock.now_ms() == 0
    clock.asking()(shown(0))
    assert clock.now_ms() > 0
    clock.forget()
    assert clock.now_ms() == 0


@pytest.mark.parametrize("reply", [UnavailableError(), b"OK", None])
def test_what_is_no_answer_changes_nothing(reply: object) -> None:
    clock = RedisClock()
    clock.asking()(shown(0))
    known = clock.now_ms()
    clock.asking()(reply)
    assert 0 <= clock.now_ms() - known < 60_000


def test_an_answer_that_lay_unread_changes_nothing() -> None:
    """The process was stopped when it came."""
    clock = RedisClock()
    with mock.patch.object(redis_clock, "_passed") as passed:
        passed.return_value = 10.0
        clock.asking()(shown(10))
        heard = clock.asking()
        passed.return_value += SOON_SECONDS
        heard(shown(10))
        assert clock.now_ms() == int((BEGAN + 10 + SOON_SECONDS) * 1000)
