"""The checker is not fooled: each server that is broken on purpose is found out, by real clients and real processes."""

from pathlib import Path

import pytest

from tests.chaos.broken import BROKEN, Broken
from tests.chaos.faults import KINDS
from tests.chaos.world import Plan, run_world

pytestmark = pytest.mark.anyio

CUTS = tuple(kind for kind in KINDS if kind.name == "client side cut")


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name.replace(" ", "_"))
async def test_a_broken_server_is_found_out(broken: Broken, tmp_path: Path) -> None:
    tree = broken.build(tmp_path / "tree")
    plan = Plan(
        "broken",
        4.0,
        customers=10,
        agents=4,
        rate=150,
        duplicate=0.2,
        kinds=CUTS,
        tree=tree,
        nodes=1,
        workers=1,
        settle=3.0,
    )
    outcome = await run_world(plan, tmp_path, lambda _: None)
    assert len(outcome.traffic.acks) > 50
    assert outcome.verdict.kinds() & broken.found, outcome.verdict.by_kind()
