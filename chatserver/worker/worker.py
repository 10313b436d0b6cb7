"""The worker process: a few loops that never end by themselves and never let an error end them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog

from chatserver import figures
from chatserver.actions.assigning import Assigning
from chatserver.actions.releasing import Releasing
from chatserver.actions.waiting import Waiting
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.config import Settings
from chatserver.errors import ChatError, UnavailableError
from chatserver.keys import Keys
from chatserver.reporting import Reporting
from chatserver.stores.audit import keeps_certificates
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.erasing import ALL_RULES, LiveChats
from chatserver.stores.presence import Presence
from chatserver.stores.queue import Queue
from chatserver.stores.reports import Reports
from chatserver.stores.same_person import kept_with
from chatserver.worker import alarm, auditor, checkpointer, expirer, finaliser, indexer, persister, reconciler, sweeper
from chatserver.worker.leases import RENEW_SECONDS, Leases
from transcripts.database import open_database
from transcripts.erasure import Eraser
from transcripts.errors import TranscriptError
from transcripts.seal import Sealer, SealKey
from transcripts.search import Search
from transcripts.store import Store

PAUSE_SECONDS = 1.0  # after an error
BREATH_SECONDS = 0.05
MOST_UNINDEXED = 10_000  # counted; after an import there may be a million

log = structlog.get_logger()


class Worker:
    """One worker process."""

    def __init__(self, settings: Settings, keys: Keys, *, redis_url: str, lease_token: str | None = None) -> None:
        self._engine = open_database(settings.database, connections=settings.database_connections)
        self._link = Link(
            redis_url,
            on_push=lambda channel, payload: None,
            on_subscribed=lambda channel: None,
            strict=settings.strict,
        )
        store, directory = Store(self._engine), Directory(self._engine)
        chats = Chats(ChatLog(self._link), store, directory)
        queue = Queue(self._link, grace_seconds=settings.agent_grace_seconds)
        waiting = Waiting(chats, queue)
        seal_key = SealKey.from_bytes(keys.seal)
        sealer = Sealer(self._engine, seal_key)
        self._leases = Leases(self._link, lease_token)
        search = self._search = Search(self._engine)
        self._persister = persister.Persister(self._link, chats, self._leases)
        self._indexer = indexer.Indexer(search, self._leases, lambda: self._persister.busy)
        self._finaliser = finaliser.Finaliser(self._link, store, queue, sealer, search, self._leases)
        self._alarm = alarm.Alarm(chats.log, self._leases, behind_seconds=settings.behind_seconds)
        self._reconciler = reconciler.Reconciler(self._link, chats, self._leases)
        self._sweeper = sweeper.Sweeper(
            self._link,
            queue,
            Presence(self._link, lease_seconds=settings.node_lease_seconds, grace_seconds=settings.agent_grace_seconds),
            self._leases,
            waiting=waiting,
            assigning=Assigning(chats, queue, waiting),
            releasing=Releasing(chats, queue, waiting),
        )
        self._auditor = auditor.Auditor(self._link, directory, queue, waiting, self._leases)
        self._audit_seconds = settings.audit_seconds
        self._checkpointer = checkpointer.Checkpointer(
            self._engine, seal_key, self._leases, file=settings.checkpoint_file, url=settings.checkpoint_url
        )
        self._checkpoint_seconds = settings.checkpoint_seconds
        eraser = Eraser(
            self._engine,
            sealer,
            rules=ALL_RULES,
            places=[LiveChats(chats, redis_url)],
            keep=keeps_certificates(actor="worker", action="retention_applied"),
            same=kept_with,
        )
        self._expirer = expirer.Expirer(self._engine, eraser, self._leases, at=settings.retention_at)
        process, reports = figures.Process("worker"), Reports(self._link)
        self._reporting = Reporting(process, reports, self.samples, on=bool(settings.metrics_token))

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set, then finishes the round it is in.

        Raises:
            ConfigError: Redis cannot be reached at the start.
        """
        await self._link.start()
        try:
            with contextlib.suppress(UnavailableError):  # of a part of Redis: what answers is ours
                await self._leases.renew()
            async with self._reporting.running(), asyncio.TaskGroup() as group:
                group.create_task(_loop("leases", self._leases.renew, RENEW_SECONDS, stop))
                group.create_task(_loop("persister", self._persister.run_once, lambda: self._persister.every, stop))
                group.create_task(_loop("finaliser", self._finaliser.run_once, finaliser.EVERY_SECONDS, stop))
                group.create_task(_loop("sweeper", self._sweeper.run_once, sweeper.EVERY_SECONDS, stop))
                group.create_task(_loop("auditor", self._auditor.run_once, self._audit_seconds, stop))
                group.create_task(_loop("checkpointer", self._checkpointer.run_once, self._checkpoint_seconds, stop))
                group.create_task(_loop("reconciler", self._reconciler.run_once, reconciler.EVERY_SECONDS, stop))
                group.create_task(_loop("alarm", self._alarm.run_once, alarm.EVERY_SECONDS, stop))
                group.create_task(_loop("indexer", self._indexer.run_once, indexer.EVERY_SECONDS, stop))
                group.create_task(_loop("expirer", lambda: self._expirer.run_once(stop), expirer.EVERY_SECONDS, stop))
            await self._last_round()
        finally:
            await self._link.stop()
            await self._engine.dispose()

    async def samples(self) -> Iterable[figures.Sample]:
        """What an operator may want to know of it."""
        behind = self._alarm.behind
        found = [
            *self._link.samples(),
            figures.PERSISTED(self._persister.persisted),
            figures.PERSISTER_BUSY(self._persister.busy),
            figures.BEHIND_CHATS(behind.chats),
            figures.BEHIND_SECONDS(behind.seconds),
            figures.FINALISED(self._finaliser.finished),
            figures.PARTITIONS_HELD(len(self._leases.held())),
        ]
        if self._leases.leads:  # all would say the same
            with contextlib.suppress(TranscriptError):
                found.append(figures.UNINDEXED(await self._search.arrears(MOST_UNINDEXED)))
        return found

    async def _last_round(self) -> None:
        """What is in the log goes to SQL before we leave."""
        try:
            await self._persister.run_once()
            await self._leases.release()
        except (ChatError, TranscriptError) as exc:
            log.warning("worker.left_early", error=str(exc))


async def _loop(
    name: str, work: Callable[[], Awaitable[object]], every: float | Callable[[], float], stop: asyncio.Event
) -> None:
    """Begins `work` every so many seconds; at once after a round that took longer, as what it did not see waits."""
    complained = False
    while not stop.is_set():
        began = time.monotonic()
        try:
            await work()
            seconds = every() if callable(every) else every
            pause = max(BREATH_SECONDS, seconds - (time.monotonic() - began))
            if complained:
                log.info("worker.recovered", loop=name)
                complained = False
        except (UnavailableError, TranscriptError) as exc:
            pause = PAUSE_SECONDS if callable(every) else max(every, PAUSE_SECONDS)
            if not complained:
                log.warning("worker.waiting", loop=name, error=str(exc))
            complained = True
        except Exception:
            log.exception("worker.failed", loop=name)
            pause = PAUSE_SECONDS if callable(every) else max(every, PAUSE_SECONDS)
        try:
            async with asyncio.timeout(pause):
                await stop.wait()
        except TimeoutError:
            pass
