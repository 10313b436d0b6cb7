"""How `make bench-check` judges: what costs half as much again fails, whatever was within the bounds before."""

import pytest

from bench.check import BOUNDS, WORSE, judge


def rounds(**ratios: float) -> list[dict[str, float]]:
    """Three of them, one spoilt by a neighbour."""
    relay = 7.0
    usual = {who: bound / WORSE * 1.01 for who, bound in BOUNDS.items()} | ratios
    found = {who: ratio * relay for who, ratio in usual.items()} | {"relay": relay}
    return [found, {who: micros * 9 for who, micros in found.items()} | {"relay": relay}, found]


@pytest.mark.parametrize("who", BOUNDS)
def test_half_as_much_again_fails(who: str, capsys: pytest.CaptureFixture[str]) -> None:
    least = BOUNDS[who] / WORSE * 1.001  # that nobody is asked to lower the bound for
    assert judge(rounds(**{who: least}))
    assert "lower it" not in capsys.readouterr().out
    assert not judge(rounds(**{who: least * WORSE}))


@pytest.mark.parametrize("who", BOUNDS)
def test_a_gain_is_to_be_kept(who: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert judge(rounds(**{who: BOUNDS[who] / WORSE * 0.99}))
    assert capsys.readouterr().out.count("lower it") == 1
