import pytest

from tests.chaos.rolling_restart import rolling_restart

pytestmark = pytest.mark.anyio


async def test_nobody_notices_a_rolling_restart() -> None:
    """The small form of what `python -m tests.chaos.rolling_restart` does with 2,000."""
    report = await rolling_restart(clients=60, agents=4, rate=120)
    print(report)
    assert report.ok, str(report)
    moved = [away for restart in report.restarts for away in restart.aways]
    assert len(moved) >= 60  # each of them at least once
    assert all(away.bye is not None for away in moved)
