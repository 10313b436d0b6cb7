"""One world: a cluster, people, faults, and then the verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import pickle
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import history as h
from tests.chaos.checker import check
from tests.chaos.cluster import Cluster
from tests.chaos.faults import KINDS, Kind
from tests.chaos.process import Process, until
from tests.chaos.recovery import Traffic
from tests.chaos.schedule import Schedule, Struck
from tests.chaos.transcript import Transcript, read_transcripts
from tests.chaos.verdict import Verdict

WARM_UP_SECONDS = 2.0
SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Plan:
    """What to do."""

    seed: str
    seconds: float
    strict: bool = False
    customers: int = 60
    agents: int = 10
    rate: float = 700
    duplicate: float = 0.02
    replay: float = 0.01
    kinds: Sequence[Kind] = tuple(KINDS)
    once: bool = False
    haste: float = 1.0
    tree: Path | None = None
    nodes: int = 3
    workers: int = 2
    settle: float = 75.0  # seconds that people have to come to rest

    @property
    def name(self) -> str:
        return "strict" if self.strict else "everysec"


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    verdict: Verdict
    struck: list[Struck]
    traffic: Traffic
    said: dict[str, Any] = field(default_factory=dict)  # the people's last word
    chats: int = 0
    entries: int = 0
    skipped: list[str] = field(default_factory=list)
    history: Path = Path()

    @property
    def broken(self) -> bool:
        """Whether something is not as it has to be: the guarantee, or people who never came to rest."""
        restless = any(self.said.get(name, 1) for name in ("unsettled", "behind", "offline", "errors", "code"))
        return restless or not self.verdict.ok


class Crowd:
    """The process in which the people are."""

    def __init__(self, cluster: Cluster, plan: Plan, history: Path) -> None:
        self.last: dict[str, Any] = {}
        self.errors: list[str] = []
        options = {
            "seed": plan.seed,
            "customers": plan.customers,
            "agents": plan.agents,
            "rate": plan.rate,
            "duplicate": plan.duplicate,
            "replay": plan.replay,
            "settle": plan.settle,
        }
        command = [sys.executable, "-m", "tests.chaos.load", cluster.address, str(history)]
        command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
        self._command, self._process = command, None
        self._done = asyncio.Event()

    async def start(self) -> None:
        """Everybody connects and begins to talk."""
        root = Path(__file__).parents[2]
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=root
        )
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self._process
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            if "error" in said:
                self.errors.append(said["error"])
            else:
                self.last = said
                if said.get("done"):
                    self._done.set()
        self._done.set()  # it has ended

    async def finish(self) -> dict[str, Any]:
        """Nobody begins anything any more; when all is settled, their last word. They stay where they are."""
        assert self._process
        self._process.stdin.write(b"\n")
        async with asyncio.timeout(SETTLE_SECONDS):
            await self._done.wait()
        return self.last | {"errors": self.errors}

    async def leave(self) -> int | None:
        """They go; what the process says at its end."""
        assert self._process
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(b"\n")
        async with asyncio.timeout(SETTLE_SECONDS):
            code: int | None = await self._process.wait()
            await self._listening
        return code

    async def end(self) -> None:
        """At once."""
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._process:
            await self._listening


async def run_world(plan: Plan, folder: Path, tell: Callable[[str], None] = print) -> Outcome:
    """Starts everything, lets it suffer, waits for peace and judges.

    Args:
        plan: what to do.
        folder: where the history is kept.
        tell: hears of each fault.
    """
    history = folder / f"history-{plan.name}"
    history.unlink(missing_ok=True)
    rng = random.Random(plan.seed)
    size = {"node_count": plan.nodes, "worker_count": plan.workers, "agents": plan.agents}
    async with Cluster(strict=plan.strict, rng=rng, tree=plan.tree, **size) as cluster:
        kinds = [kind for kind in plan.kinds if cluster.disk_can_be_filled or kind.name != "disk of SQL full"]
        skipped = [kind.name for kind in plan.kinds if kind not in kinds]
        schedule = Schedule(cluster, kinds, seed=plan.seed, tell=tell, haste=plan.haste)
        crowd = Crowd(cluster, plan, history)
        await crowd.start()
        try:
            await until(lambda: crowd.last.get("acked", 0) > 0, "people talk")
            await asyncio.sleep(WARM_UP_SECONDS)
            tell(f"{crowd.last}")
            await schedule.run(plan.seconds, once=plan.once)
            tell("peace")
            said = await crowd.finish()
            await _all_in_sql(cluster.workers)
            said["code"] = await crowd.leave()
        finally:
            await crowd.end()
        transcripts = await read_transcripts(cluster.data)
        began = time.monotonic()
        _keep_evidence(folder / f"evidence-{plan.name}", transcripts, schedule)
        verdict = check(h.read_history([history]), transcripts, schedule.losses())
        traffic = Traffic()
        for record in h.read_history([history]):
            traffic.feed(record)
        tell(f"judged in {time.monotonic() - began:.1f} s")
        logs = cluster.logs()
    entries = sum(len(it.entries) for it in transcripts.values())
    outcome = Outcome(plan, verdict, schedule.struck, traffic.done(), said, len(transcripts), entries, skipped, history)
    for name, log in logs.items() if outcome.broken else ():
        (folder / f"{plan.name}-{name}").write_text(log)
    return outcome


def _keep_evidence(path: Path, transcripts: dict[int, Transcript], schedule: Schedule) -> None:
    """What the checker was given beside the history; to judge again."""
    struck = [(one.kind.name, one.begin, one.end, one.note) for one in schedule.struck]
    path.write_bytes(pickle.dumps({"transcripts": transcripts, "losses": schedule.losses(), "struck": struck}))


async def _all_in_sql(workers: list[Process]) -> None:
    """What people who went away had said is on its way, too."""
    await asyncio.sleep(3.0)
    await asyncio.gather(*(worker.stop() for worker in workers))
