"""The worker applies retention: once a day, at its hour, one worker for all, and again what a killed one has begun."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import insert, select
from structlog.testing import capture_logs

import transcripts.erasure.eraser
import transcripts.errors
from chatserver.stores.audit import keeps_certificates
from chatserver.stores.erasing import ALL_RULES, LiveChats
from chatserver.stores.schema import audit, counters
from chatserver.worker.expirer import COUNTER, Expirer
from chatserver.worker.leases import Leases
from tests.support.backstage import SEAL_KEY, AllLeases, Backstage
from tests.support.server import RunningServer, chatserver, wait_until
from transcripts import retention
from transcripts.database import open_database, read, write
from transcripts.erasure import Eraser, is_genuine
from transcripts.retention import DAY_MS
from transcripts.seal import Sealer

pytestmark = pytest.mark.anyio

AT = 3 * 60 + 30
HOUR_MS = 3_600_000
SECRET = "the wistful axolotl"


class Clock:
    """Says what a test wants: the number of the day, and the hour."""

    def __init__(self, day: int, hour: float) -> None:
        self.day, self.hour = day, hour

    def __call__(self) -> int:
        return self.day * DAY_MS + round(self.hour * HOUR_MS)


def worker(stage: Backstage, clock: Clock, leases: Leases | None = None, **options: Any) -> Expirer:
    """The part of another worker."""
    eraser = Eraser(
        stage.engine,
        Sealer(stage.engine, SEAL_KEY),
        rules=ALL_RULES,
        places=[LiveChats(stage.chats, stage.valkey.url)],
        keep=keeps_certificates(actor="worker", action="retention_applied"),
    )
    leases = leases or AllLeases(stage.link)
    return Expirer(stage.engine, eraser, leases, **{"at": AT, "now": clock} | options)


async def run(expirer: Expirer) -> list[Any]:
    with capture_logs() as said:
        await expirer.run_once(asyncio.Event())
    return [line["event"] for line in said if line["event"].startswith("retention.")]


async def ended(stage: Backstage) -> int:
    """A chat of today that is closed, sealed and still in Redis; the rule lets it go after a day."""
    ticket, _ = await stage.open(SECRET)
    agent = await stage.assign(ticket)
    await stage.send(agent, ticket, 2, None, "closed")
    await stage.persist()
    await stage.finaliser().run_once()
    async with write(stage.engine) as connection:
        await retention.set_rule(connection, retention.Rule(None, None, 1))
    return ticket


async def is_gone(stage: Backstage, ticket: int) -> bool:
    return not any(entry.text for entry in await stage.entries(ticket))


async def certificates(stage: Backstage) -> list[dict[str, Any]]:
    async with read(stage.engine) as connection:
        rows = await connection.execute(select(audit.c.actor, audit.c.action, audit.c.details).order_by(audit.c.at))
        return [json.loads(details) for actor, action, details in rows if (actor, action) == _APPLIED]


_APPLIED = ("worker", "retention_applied")


@pytest.fixture
async def clock(stage: Backstage) -> Clock:
    """Noon, two days after the chats of this test end; no worker of yesterday has done anything today."""
    clock = Clock(0, 0)
    ticket = await ended(stage)
    chat = await stage.store.chat(ticket)
    assert chat
    assert chat.closed_at
    clock.day, clock.hour = chat.closed_at // DAY_MS + 2, 3.0
    await run(worker(stage, clock))  # whoever looks for the first time waits for the next time of day
    assert not await is_gone(stage, ticket)
    return clock


async def test_what_is_due_goes_at_its_hour_and_a_certificate_is_kept(stage: Backstage, clock: Clock) -> None:
    ticket = await ended(stage)
    expirer = worker(stage, clock)
    clock.hour = 3.49
    assert await run(expirer) == []
    assert not await is_gone(stage, ticket)
    clock.hour = 3.5
    assert await run(expirer) == ["retention.applied"]
    assert await is_gone(stage, ticket)
    assert (await stage.live(ticket)).seq == len(await stage.entries(ticket))
    (certificate,) = await certificates(stage)
    assert is_genuine(certificate, {SEAL_KEY.key_id: SEAL_KEY.public})
    assert len(certificate["chats"]) == 2
    assert {one["place"]: one["found"] for one in certificate["searched"]} == {"database": 0, "redis": 0}


async def test_once_a_day_whichever_worker(stage: Backstage, clock: Clock) -> None:
    clock.hour = 4
    first, second = worker(stage, clock), worker(stage, clock)
    assert await run(first) == ["retention.applied"]
    late = await ended(stage)
    clock.hour = 23
    assert (await run(first), await run(second), await run(worker(stage, clock))) == ([], [], [])
    assert not await is_gone(stage, late)
    clock.day, clock.hour = clock.day + 1, 4
    assert await run(second) == ["retention.applied"]
    assert await run(first) == []
    assert await is_gone(stage, late)


async def test_without_the_setting_and_without_the_lease_nothing_goes(stage: Backstage, clock: Clock) -> None:
    clock.hour = 4
    assert await run(worker(stage, clock, at=None)) == []
    assert await run(worker(stage, clock, Leases(stage.link))) == []
    assert await certificates(stage) == []


class Losing(AllLeases):
    """Another worker has taken over, from the given look on."""

    looks = 2

    @property
    def leads(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


@pytest.mark.parametrize("how", ["taken over", "stopped"])
async def test_who_has_to_leave_leaves_the_rest_to_the_next(stage: Backstage, clock: Clock, how: str) -> None:
    await ended(stage)
    clock.hour = 4
    if how == "stopped":
        stop = asyncio.Event()
        stop.set()
        await worker(stage, clock).run_once(stop)
    else:
        assert await run(worker(stage, clock, Losing(stage.link))) == []
    assert await certificates(stage) == []
    assert await run(worker(stage, clock)) == ["retention.applied"]
    assert len((await certificates(stage))[0]["chats"]) == 2


async def test_what_a_killed_worker_has_begun_is_ended_the_same_day(
    stage: Backstage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(self: Eraser, run: object) -> None:
        raise Killed

    clock.hour = 4
    with monkeypatch.context() as broken:
        broken.setattr(Eraser, "_end", killed)
        with pytest.raises(Killed):
            await run(worker(stage, clock))
    assert await certificates(stage) == []
    assert await run(worker(stage, clock)) == ["retention.applied"]
    assert len((await certificates(stage))[0]["chats"]) == 1


async def test_more_than_a_run_takes_is_taken_in_several(
    stage: Backstage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts.erasure.eraser, "BATCH", 1)
    for _ in range(2):
        await ended(stage)
    clock.hour = 4
    assert await run(worker(stage, clock, most=2)) == ["retention.applied", "retention.applied"]
    assert [len(one["chats"]) for one in await certificates(stage)] == [2, 1]


async def test_after_a_failure_it_is_not_tried_all_the_time(
    stage: Backstage, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.hour = 4
    expirer = worker(stage, clock)
    tries: list[int] = []

    def full(self: LiveChats) -> None:
        tries.append(1)
        raise transcripts.errors.StoreUnavailableError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(LiveChats, "_rewrite", full)
        assert await run(expirer) == ["retention.failed"]
        assert await run(expirer) == []
    assert len(tries) == 1
    assert await run(worker(stage, clock)) == ["retention.applied"]


def test_the_worker_of_a_server_does_it() -> None:
    """All of it together, with the one setting; the day before is written down as if it had run yesterday."""
    server = RunningServer(env={"CHAT_RETENTION_AT": "00:00", "CHAT_LOG_JSON": "1"})
    line = {
        "external_id": "t-1",
        "opened_at": "2020-03-09T14:00:00Z",
        "closed_at": "2020-03-09T15:00:00Z",
        "entries": [{"role": "customer", "text": SECRET, "at": "2020-03-09T14:00:00Z"}],
    }
    file = server.folder / "old.jsonl"
    file.write_text(json.dumps(line))
    assert chatserver("transcripts", "import", file, "--data", server.data).returncode == 0
    done = chatserver("transcripts", "retention", "set", "--days", "30", "--data", server.data)
    assert done.returncode == 0, done.stderr
    asyncio.run(_ran_yesterday(f"sqlite:///{server.data}/chat.db"))
    with server:
        wait_until(lambda: "retention.applied" in server.log, "what is due goes")
        assert SECRET.encode() not in (server.data / "chat.db").read_bytes()


async def _ran_yesterday(url: str) -> None:
    engine = open_database(url)
    async with write(engine) as connection:
        await connection.execute(insert(counters).values(name=COUNTER, value=0))
    await engine.dispose()
