"""The composition root of a web process: wires settings, stores, hub and edge into one ASGI application.

`create_app` runs under any ASGI server; `chatserver serve` runs it under uvicorn, and takes WebSockets past ASGI
(`web.uvicorn_socket`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

import structlog
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from chatserver import figures
from chatserver.actions.assigning import Assigning
from chatserver.actions.ending import Ending
from chatserver.actions.messages import Messages
from chatserver.actions.opening import Opening
from chatserver.actions.text import TextCleaner
from chatserver.actions.waiting import Waiting
from chatserver.broker.link import Link
from chatserver.broker.log import ChatLog
from chatserver.config import Settings
from chatserver.errors import UnavailableError
from chatserver.hub.hub import Hub
from chatserver.hub.lease import NodeLease
from chatserver.keys import Keys
from chatserver.reporting import Reporting
from chatserver.signing import Signer
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.presence import Presence
from chatserver.stores.queue import Queue
from chatserver.stores.reports import Reports
from chatserver.stores.secrets import Secrets
from chatserver.stores.tickets import TicketNumbers
from chatserver.web.agent_api import AgentApi
from chatserver.web.answers import Answers
from chatserver.web.arrivals import Arrivals
from chatserver.web.asgi_socket import Receive, Scope, Send, SocketApp
from chatserver.web.customer_api import CustomerApi
from chatserver.web.door import Door
from chatserver.web.error_mapping import HANDLERS
from chatserver.web.keeping_api import KeepingApi
from chatserver.web.metrics import MetricsApi
from chatserver.web.own_chats_api import OwnChatsApi
from chatserver.web.pages import Pages
from chatserver.web.services import Services
from chatserver.web.transcript_api import TranscriptApi
from transcripts.database import open_database, read
from transcripts.errors import TranscriptError
from transcripts.search import Search
from transcripts.store import Store

OTHERS_SECONDS = 1.0  # a Redis that does not answer does not hold up the end

DATABASE_PATIENCE_MS = 3_000  # somebody is waiting for the answer

log = structlog.get_logger()


class ChatServer:
    """One web process: an ASGI application with a life cycle."""

    def __init__(self, settings: Settings, keys: Keys, *, redis_url: str) -> None:
        engine = open_database(
            settings.database, patience_ms=DATABASE_PATIENCE_MS, connections=settings.database_connections
        )
        hub = Hub(ping_seconds=settings.ping_seconds, check_seconds=settings.check_seconds)
        self._engine = engine
        self._settings = settings
        self._link = Link(redis_url, on_push=hub.pushed, on_subscribed=hub.subscribed, strict=settings.strict)
        self._behind_seconds = settings.behind_seconds
        store, directory = Store(engine), Directory(engine)
        self._tickets = TicketNumbers(engine)
        signer = Signer(keys.token)
        chats = Chats(ChatLog(self._link), store, directory)
        queue = Queue(self._link, grace_seconds=settings.agent_grace_seconds)
        waiting, cleaner = Waiting(chats, queue), TextCleaner(settings.masker)
        self.presence = Presence(
            self._link, lease_seconds=settings.node_lease_seconds, grace_seconds=settings.agent_grace_seconds
        )
        self._lease = NodeLease(self.presence, agents=lambda: tuple(hub.roster.staff), on_forgotten=hub.renew_topics)
        hub.roster.on_staff = self._lease.moved
        self.services = Services(
            link=self._link,
            hub=hub,
            chats=chats,
            queue=queue,
            messages=Messages(chats, cleaner),
            opening=Opening(chats, waiting, self._tickets, cleaner, signer=signer, access_key=keys.access),
            assigning=Assigning(chats, queue, waiting),
            ending=Ending(chats, waiting, cleaner),
            directory=directory,
            store=store,
            search=Search(engine),
            secrets=Secrets(self._link),
            signer=signer,
            access_key=keys.access,
            seal_keys=keys.seal_keys,
            customer_rate=settings.customer_rate,
            agent_rate=settings.agent_rate,
            masker=settings.masker,
            answers=Answers(),
        )
        process, reports = figures.Process("web"), Reports(self._link)
        self._reporting = Reporting(process, reports, self.samples, on=bool(settings.metrics_token))
        origins = frozenset(settings.public_origins)
        secure = settings.public_origins[0].startswith("https:")
        arrivals = Arrivals(most=settings.address_connections, rate=settings.address_rate)
        self.door = Door(self.services, origins, arrivals=arrivals, proxies=settings.trusted_proxies)
        self._socket = SocketApp(self.door)
        transcripts = TranscriptApi(self.services, origins)
        self._http = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                *MetricsApi(self._reporting, settings.metrics_token).routes(),
                *CustomerApi(self.services, origins).routes(),
                *AgentApi(self.services, origins, secure=secure).routes(),
                *transcripts.routes(),
                *KeepingApi(self.services, origins).routes(),
                *OwnChatsApi(self.services, origins, transcripts).routes(),
                *Pages(self.services, origins=settings.public_origins, shows_demo=settings.shows_demo).routes(),
            ],
            exception_handlers=HANDLERS,
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    def begin_drain(self) -> None:
        """Not ready any more, and no new connections; may be called from a signal handler."""
        self.services.hub.drain.begin()

    def hurry(self) -> None:
        """The drain ends now; may be called from a signal handler."""
        self.services.hub.drain.hurry()

    async def drain(self) -> None:
        """Sends every client elsewhere, in at most CHAT_DRAIN_SECONDS and a few more. The listener is still open."""
        settings = self._settings
        await self.services.hub.drain.run(
            others=await self._other_nodes(), rate=settings.drain_rate, most=settings.drain_seconds
        )

    async def samples(self) -> Iterable[figures.Sample]:
        """What an operator may want to know of it."""
        services = self.services
        return [
            *services.answers.samples(),
            *services.hub.samples(),
            *services.link.samples(),
            figures.TICKETS_LEFT(self._tickets.left),
        ]

    async def _other_nodes(self) -> int:
        """Nodes that stay when this server goes: its own web processes all go with it."""
        try:
            async with asyncio.timeout(OTHERS_SECONDS):
                others = await self.presence.other_nodes()
        except (UnavailableError, TimeoutError):
            return 0
        return max(0, others - (self._settings.workers - 1))

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        await self._link.start()
        self.services.hub.start(self._link, self.services.chats, self.services.queue)
        await self._lease.start()
        await self._tickets.start()
        try:
            async with self._reporting.running():
                yield
        finally:
            await self.services.hub.stop()
            await self._lease.stop()
            await self._link.stop()
            await self._engine.dispose()

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})

    async def _readyz(self, request: Request) -> Response:
        problems = ["shutting down"] if self.services.hub.drain.begun else []
        if not self._link.ready:
            problems.append("Redis does not answer")
        ready = {"ready": not problems, "problems": problems, "warnings": await self._warnings()}
        return JSONResponse(
            {name: value for name, value in ready.items() if value != []},
            status_code=503 if problems else 200,
            headers={"Cache-Control": "no-store"},
        )

    async def _warnings(self) -> list[str]:
        """What an operator should look at while chats go on: a proxy that took every node out would end them."""
        away = [str(shard.address) for shard in self._link.shards if not shard.ready]
        warnings = [f"Redis at {address} does not answer: its chats wait" for address in away if self._link.ready]
        try:
            async with read(self._engine) as db:
                await db.execute(text("SELECT 1"))
        except TranscriptError as exc:
            warnings.append(str(exc))
        with contextlib.suppress(UnavailableError):
            behind = await self.services.chats.log.undurable()
            if behind.seconds >= self._behind_seconds:
                warnings.append(f"{behind.chats} chats are not in the database, for {behind.seconds:.0f} s")
        return warnings


def create_app(settings: Settings, keys: Keys, *, redis_url: str) -> ChatServer:
    """The ASGI application of one process."""
    return ChatServer(settings, keys, redis_url=redis_url)
