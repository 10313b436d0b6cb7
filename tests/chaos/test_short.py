"""A short run against real processes: every kind of fault about once, and the guarantee holds."""

from pathlib import Path

import pytest

from tests.chaos.world import Plan, run_world

pytestmark = pytest.mark.anyio


async def test_the_guarantee_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = Plan("short-1", 28.0, customers=20, agents=4, rate=150, once=True, haste=0.3)
    with capsys.disabled():
        print(f"\nchaos, seed {plan.seed}")
    outcome = await run_world(plan, tmp_path, lambda _: None)
    assert outcome.verdict.violations == []
    assert not outcome.broken, outcome.said
    assert len(outcome.traffic.acks) > 500
    assert outcome.said["counts"]["sent twice"] > 0
    assert outcome.said["counts"]["replayed"] > 0
    assert len({fault.kind.name for fault in outcome.struck}) > 10
