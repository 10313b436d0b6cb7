"""A rolling restart under load: every node in turn gets SIGTERM and starts again, while everybody writes.

    python -m tests.chaos.rolling_restart [--clients 2000] [--agents 20] [--rate 400]

Shown: how long the clients were away, that no chat was closed, and that nothing was lost or doubled (checker.py).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx
import uvloop

from chatserver.client import AgentSignIn, ChatClient, CustomerSession
from chatserver.client import observations as o
from tests.chaos import history as h
from tests.chaos.checker import check
from tests.chaos.losses import Losses
from tests.chaos.people import Run, Scribe
from tests.chaos.process import Process, until
from tests.chaos.transcript import read_transcripts
from tests.chaos.verdict import Verdict
from tests.support.client import new_address
from tests.support.ports import free_port
from tests.support.server import PASSWORD, make_agents

NODES = 3
AT_ONCE = 40  # clients that come in together, before it begins
TURN_SECONDS = 0.02
PAUSE_SECONDS = 3.0  # between two nodes: whoever was sent away has settled
SETTLE_SECONDS = 120.0
BACK_SECONDS = 30.0
SETTINGS = {
    "CHAT_CUSTOMER_RATE": "100000/100000",
    "CHAT_AGENT_RATE": "100000/100000",
    "CHAT_DEMO": "0",
    "PYTHONUNBUFFERED": "1",
}


class Installation:
    """Nodes and a worker on one data folder, with the embedded Valkey. Use as an async context manager."""

    def __init__(self, agents: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rolling-"))
        self.data = self.folder / "data"
        self.agents = agents
        self.ports = [free_port() for _ in range(NODES)]
        self.origin = f"http://127.0.0.1:{self.ports[0]}"
        env = SETTINGS | {"CHAT_DATA": str(self.data), "CHAT_PUBLIC_URL": self.origin}
        self.nodes = [
            self._process(f"node-{port}", env, "serve", "--no-worker", "--port", str(port)) for port in self.ports
        ]
        self.worker = self._process("worker", env, "worker")

    def _process(self, name: str, env: dict[str, str], *command: str) -> Process:
        arguments = [sys.executable, "-m", "chatserver", *command]
        return Process(name, arguments, self.folder / f"{name}.log", env, Path(__file__).parents[2])

    async def __aenter__(self) -> Self:
        try:
            people = [(f"agent{n}@shop.example", f"Agent {n}", "agent", ("support",)) for n in range(self.agents)]
            await asyncio.to_thread(make_agents, self.data, people)
            for process in [*self.nodes, self.worker]:
                process.start()
            await asyncio.gather(*map(self.ready, self.ports))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *args: object) -> None:
        """The last one to go takes Valkey along."""
        await asyncio.gather(*(one.stop() for one in [*self.nodes, self.worker] if one.running))
        shutil.rmtree(self.folder, ignore_errors=True)

    async def ready(self, port: int) -> None:
        """Until `/readyz` says so."""
        async with httpx.AsyncClient(verify=False, timeout=5) as http, asyncio.timeout(120):
            while True:
                try:
                    if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(0.1)

    @property
    def addresses(self) -> list[str]:
        """Where clients connect."""
        return [f"ws://127.0.0.1:{port}/ws" for port in self.ports]


@dataclass
class Away:
    """One client's way from a node to another."""

    left: float  # when its connection ended
    bye: float | None  # when it was told
    back: float | None = None


class Watcher(Scribe):
    """Writes the history down, and when its client was away."""

    def __init__(self, run: Run, person: str, role: str) -> None:
        super().__init__(run, person, role)
        self.aways: list[Away] = []
        self.waits: list[float] = []  # from the first sending of a command to its ack
        self._bye: float | None = None
        self._sent: dict[tuple[int, int], float] = {}

    def __call__(self, it: o.Observation) -> None:
        super().__call__(it)
        now = time.monotonic()
        match it:
            case o.Byed():
                self._bye = now
            case o.Lost() if not self.aways or self.aways[-1].back is not None:
                self.aways.append(Away(now, self._bye))
            case o.Connected():
                self._bye = None
                if self.aways:
                    self.aways[-1].back = self.aways[-1].back or now
            case o.Sent():
                self._sent.setdefault((it.ticket, it.n), now)
            case o.Acked():
                self.waits.append(now - self._sent.pop((it.ticket, it.n), now))
            case _:
                pass


@dataclass
class Member:
    """A client that writes all the while."""

    watcher: Watcher
    client: ChatClient
    tickets: list[int] = field(default_factory=list)


@dataclass
class Restart:
    """One node's turn."""

    node: str
    told: float
    ended: float
    ready: float
    aways: list[Away]

    def row(self) -> list[str]:
        """For the table."""
        away = [one.back - one.left for one in self.aways if one.back]
        since = [one.back - self.told for one in self.aways if one.back]
        byes = sum(one.bye is not None for one in self.aways)
        took = [f"{self.ended - self.told:.1f}", f"{self.ready - self.ended:.1f}"]
        return [self.node, str(len(self.aways)), str(byes), *took, *spread(away, 1_000, 0), *spread(since, 1, 1)]


@dataclass
class Report:
    """What came of it."""

    clients: int
    restarts: list[Restart]
    not_back: int
    worst: float  # seconds from a node's SIGTERM until the last of its clients was back
    open_before: int
    open_after: int
    acked: int
    waits: list[float]
    verdict: Verdict
    unsettled: int

    @property
    def ok(self) -> bool:
        """Whether it is as it has to be."""
        back = self.not_back == 0 and self.worst <= BACK_SECONDS
        return back and self.open_before == self.open_after and self.verdict.ok and self.unsettled == 0

    def __str__(self) -> str:
        head = [
            "node",
            "clients",
            "byes",
            "stop,s",
            "start,s",
            "away,ms:p50",
            "p99",
            "worst",
            "back,s:p50",
            "p99",
            "worst",
        ]
        rows = [head, *(restart.row() for restart in self.restarts)]
        widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
        table = "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
        waits = " / ".join(spread(self.waits, 1_000, 0))
        return "\n".join(
            [
                f"{self.clients} clients, {len(self.restarts)} nodes restarted; "
                f"{self.acked} messages acknowledged, p50 / p99 / worst {waits} ms",
                table,
                f"not back: {self.not_back}; the last one was back {self.worst:.1f} s after its node's SIGTERM",
                f"chats open before: {self.open_before}, after: {self.open_after}; undecided: {self.unsettled}",
                f"checker: {'nothing lost, doubled or out of order' if self.verdict.ok else ''}"
                + "".join(f"\n  {one.kind} #{one.ticket} {one.what}" for one in self.verdict.violations[:20]),
            ]
        )


def spread(values: Sequence[float], scale: float, digits: int) -> list[str]:
    """p50, p99 and the worst."""
    if not values:
        return ["–"] * 3
    ranked = sorted(values)
    found = ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.99)], ranked[-1]
    return [f"{value * scale:.{digits}f}" for value in found]


class RollingRestart:
    """The whole of it."""

    def __init__(self, installation: Installation, clients: int, rate: float, history: Path, seed: str) -> None:
        self.installation, self.count, self.rate, self.history = installation, clients, rate, history
        self.rng = random.Random(seed)
        self.run = Run("", h.Writer(history), self.rng, 0)
        self.members: list[Member] = []
        self._stop = asyncio.Event()

    async def play(self) -> Report:
        """Everybody comes, writes, and stays."""
        door = asyncio.Semaphore(AT_ONCE)
        agents = [self._member(f"agent{n}", "agent") for n in range(self.installation.agents)]
        customers = [self._member(f"customer{n}", "customer") for n in range(self.count - len(agents))]
        self.members = [*agents, *customers]
        await asyncio.gather(*(self._come(member, door) for member in self.members))
        await asyncio.gather(*(self._open(member, door) for member in customers))
        for number, member in enumerate(customers if agents else ()):
            agents[number % len(agents)].tickets.append(member.tickets[0])
        await asyncio.gather(*(self._take(member) for member in agents))
        writing = asyncio.create_task(self._write())
        await asyncio.sleep(PAUSE_SECONDS)
        restarts = [await self._restart(number) for number in range(NODES)]
        await asyncio.sleep(PAUSE_SECONDS)
        self._stop.set()
        await writing
        unsettled = await self._settle()
        return await self._judge(restarts, unsettled)

    def _member(self, name: str, role: str) -> Member:
        watcher = Watcher(self.run, name, role)
        address = new_address()
        client = ChatClient(
            connect=self.installation.addresses,
            credentials=(
                AgentSignIn(f"{name}@shop.example", PASSWORD, local_address=address)
                if role == "agent"
                else CustomerSession(local_address=address)
            ),
            observer=watcher,
            origin=self.installation.origin,
            kept=5,
            random=random.Random(self.rng.random()),
        )
        return Member(watcher, client)

    async def _come(self, member: Member, door: asyncio.Semaphore) -> None:
        async with door:
            member.client.start()
            await member.client.connected()

    async def _open(self, member: Member, door: asyncio.Semaphore) -> None:
        async with door:
            ack = await member.client.open_chat(self.run.next_text()).acked()
            member.tickets.append(ack["ticket"])

    async def _take(self, member: Member) -> None:
        for ticket in member.tickets:
            await member.client.take_chat(ticket).acked()

    async def _write(self) -> None:
        """Everybody in turn, so many a second."""
        turn, due = list(self.members), 0.0
        while not self._stop.is_set():
            self.rng.shuffle(turn)
            for member in turn:
                due += 1 / self.rate
                if due > TURN_SECONDS:
                    await asyncio.sleep(due)
                    due = 0.0
                if self._stop.is_set():
                    return
                member.client.post_message(self.rng.choice(member.tickets), self.run.next_text())

    async def _restart(self, number: int) -> Restart:
        process, port = self.installation.nodes[number], self.installation.ports[number]
        told = time.monotonic()
        await process.stop()
        ended = time.monotonic()
        process.start()
        await self.installation.ready(port)
        ready = time.monotonic()
        await until(lambda: all(one.client.online for one in self.members), "everybody is back", SETTLE_SECONDS)
        await asyncio.sleep(PAUSE_SECONDS)
        aways = [away for one in self.members for away in one.watcher.aways if away.left >= told]
        return Restart(process.name, told, ended, ready, aways)

    async def _settle(self) -> int:
        """Waits until nothing is undecided; what is after all patience."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                for member in self.members:
                    await member.client.settled()
        except TimeoutError:
            pass
        await asyncio.sleep(1.0)
        return sum(member.client.waiting for member in self.members)

    async def _judge(self, restarts: list[Restart], unsettled: int) -> Report:
        tickets = {ticket for member in self.members for ticket in member.tickets}
        not_back = sum(not member.client.online for member in self.members)
        for member in self.members:
            member.watcher.finish(member.tickets)
            await member.client.stop()
        self.run.writer.close()
        transcripts = await read_transcripts(self.installation.data)
        verdict = check(h.read_history([self.history]), transcripts, Losses())
        back = [one.back - restart.told for restart in restarts for one in restart.aways if one.back]
        waits = [wait for member in self.members for wait in member.watcher.waits]
        open_ = {ticket for ticket, it in transcripts.items() if it.state not in ("closing", "closed")}
        return Report(
            clients=len(self.members),
            restarts=restarts,
            not_back=not_back,
            worst=max(back, default=0.0),
            open_before=len(tickets),
            open_after=len(tickets & open_),
            acked=len(waits),
            waits=waits,
            verdict=verdict,
            unsettled=unsettled,
        )


async def rolling_restart(*, clients: int, agents: int, rate: float, seed: str = "1") -> Report:
    """Restarts every node once under so many writing clients."""
    with tempfile.TemporaryDirectory() as folder:
        async with Installation(agents) as installation:
            return await RollingRestart(installation, clients, rate, Path(folder) / "history", seed).play()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=2000, help="all together, agents included")
    parser.add_argument("--agents", type=int, default=20)
    parser.add_argument("--rate", type=float, default=400, help="messages a second, all together")
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    report = uvloop.run(
        rolling_restart(clients=options.clients, agents=options.agents, rate=options.rate, seed=options.seed)
    )
    print(report)
    sys.exit(0 if report.ok else 1)


if __name__ == "__main__":
    main()
