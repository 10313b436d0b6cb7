"""The hub: connections of this process, the chats they are in, the topics they watch.

It delivers; what a command does is up to `actions`. The two meet at the broker: an action appends to a chat's log,
the log publishes, the hub of every process with a reader hands it on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import structlog

from chatserver import figures
from chatserver.broker.event import event_seq, for_staff_only
from chatserver.broker.keys import CONTROL, chat_key, topic_channel, topic_in
from chatserver.broker.link import Link
from chatserver.errors import InvalidCommandError, NotFoundError, UnavailableError
from chatserver.hub.checks import CHECK_SECONDS, Checks
from chatserver.hub.connection import Connection
from chatserver.hub.counters import Counters
from chatserver.hub.drain import Drain
from chatserver.hub.feed import Feed, Reader
from chatserver.hub.heartbeat import PING_SECONDS, Heartbeat
from chatserver.hub.pages import HELLO_BYTES, PAGE_BYTES, cut, show
from chatserver.hub.places import QueuePlaces
from chatserver.hub.probes import Probes
from chatserver.hub.roster import Roster
from chatserver.hub.topics import TopicFeed
from chatserver.model.chat import ENDED_STATES
from chatserver.model.person import Participant, Person
from chatserver.stores.chats import ChatPage, Chats
from chatserver.stores.queue import Queue, department_topic
from chatserver.wire import close_codes
from chatserver.wire.commands import Attach, Position
from chatserver.wire.frames import Page

PROBES = 3  # in the time of one position check
SUBSCRIBE_SECONDS = 5.0
CHATS_PER_CUSTOMER = 4
CHATS_PER_AGENT = 128

log = structlog.get_logger()


class Hub:
    """Registry and fan-out of one process."""

    def __init__(self, *, ping_seconds: int = PING_SECONDS, check_seconds: float = CHECK_SECONDS) -> None:
        self.roster = Roster()
        self.roster.on_removed = self._removed
        self.heartbeat = Heartbeat(ping_seconds)
        self.drain = Drain(self.roster.connections)
        self.counters = Counters()
        self._feeds: dict[int, Feed] = {}
        self._channels: dict[bytes, Feed] = {}  # the same, by the name of their channel
        self._topics: dict[str, TopicFeed] = {}
        self._places: dict[str, QueuePlaces] = {}
        self.checks = Checks(self._feeds, self._topics, self.counters, seconds=check_seconds)
        self.probes = Probes(self.counters, seconds=check_seconds / PROBES)
        self._ready: list[Connection] = []

    def start(self, link: Link, chats: Chats, queue: Queue) -> None:
        """Begins with these; the link calls `pushed` and `subscribed`."""
        self._link, self._chats, self._queue = link, chats, queue
        self.roster.start(link)
        self.heartbeat.start()
        self.checks.start(link)
        self.probes.start(link)

    async def stop(self) -> None:
        """Closes what is left: clients come back to another process, or to the next one."""
        self.heartbeat.stop()
        self.checks.stop()
        self.probes.stop()
        for connection in list(self.roster.connections):
            connection.close(close_codes.DRAIN, "shutting down")
        for feed in self._feeds.values():
            feed.stop()
        for places in self._places.values():
            places.stop()

    def samples(self) -> Iterator[figures.Sample]:
        """What an operator may want to know of it."""
        counted, connections = self.counters, self.roster.connections
        yield figures.DELIVERED(counted.delivered)
        yield figures.SLOW_CUT(counted.slow)
        yield figures.SHED(counted.shed)
        yield figures.REFILLS(counted.refills)
        yield figures.MISSED(counted.missed)
        yield figures.REWOUND(counted.rewound)
        yield figures.PROBES_FAILED(counted.probes_failed)
        staff = self.roster.staff.total()
        yield figures.CONNECTIONS(staff, "staff")
        yield figures.CONNECTIONS(len(connections) - staff, "customer")
        yield figures.CHATS_ATTACHED(len(self._feeds))
        waiting = [one.transport.backlog() for one in connections if one.transport.slow]
        yield figures.SLOW_CONNECTIONS(len(waiting))
        yield figures.BACKLOG_FRAMES(sum(frames for frames, _ in waiting))
        yield figures.BACKLOG_BYTES(sum(size for _, size in waiting))

    # -- connections

    def add(self, connection: Connection) -> None:
        """A connection has said hello; the same device's older one ends."""
        self.heartbeat.add(connection)
        self.roster.add(connection)

    def welcomed(self, connection: Connection) -> None:
        """It has its welcome; if this process is about to end, it hears of that next."""
        connection.welcomed = True
        self.drain.farewell(connection)

    def remove(self, connection: Connection) -> None:
        """The connection is gone."""
        self.roster.remove(connection)

    def _removed(self, connection: Connection) -> None:
        self.heartbeat.remove(connection)
        for ticket in list(connection.chats):
            self._leave(self._feeds[ticket], connection)
        for topic in list(connection.topics):
            self._unwatch(self._topics[topic], connection)

    def ready(self, connection: Connection) -> None:
        """An outbox has something: it is flushed at the end of this loop turn."""
        if not self._ready:
            asyncio.get_running_loop().call_soon(self._flush)
        self._ready.append(connection)

    def _flush(self) -> None:
        ready, self._ready = self._ready, []
        for connection in ready:
            connection.flush()

    # -- what the link brings

    def pushed(self, channel: bytes, payload: bytes) -> None:
        """A message of a channel."""
        if feed := self._channels.get(channel):
            feed.push(payload)
        elif channel in self.probes:
            self.probes.back(channel, payload)
        elif channel == CONTROL:
            self.roster.heard(payload)
        elif topic := self._topics.get(topic_in(channel)):
            topic.push(payload)
        # Otherwise it was left while this was on its way.

    def subscribed(self, channel: bytes) -> None:
        """A subscription stands. Not for the first time: something may have been missed."""
        if feed := self._channels.get(channel):
            if feed.subscribed.is_set():
                feed.refill()
            else:
                feed.subscribed.set()
        elif channel in self.probes:
            self.probes.subscribed(channel)
        elif channel == CONTROL:
            self.roster.hears_again()
        elif topic := self._topics.get(topic_in(channel)):
            if topic.subscribed.is_set():
                topic.renewed()
            else:
                topic.stands()

    # -- chats

    async def attach(
        self,
        connection: Connection,
        position: Attach | Position,
        *,
        id: int | None = None,
        of: int = 1,
        turns: asyncio.Semaphore | None = None,
    ) -> tuple[Page, Reader]:
        """The page that the position lacks, and a reader that holds back what comes after it until `release`. `of` is
        how many pages go out together, `turns` how many of them may be read at a time.

        Raises:
            NotFoundError: no such chat, or not for this person.
            UnavailableError: Redis or the database do not answer.
        """
        self.check_room(connection, position.ticket)
        if connection not in self.roster.connections:
            raise UnavailableError("This connection has ended.")
        if not self._link.shard_of(position.ticket).answers:
            raise UnavailableError(retry_after_ms=1_000)  # nobody's chats on other shards wait for it
        feed = self._feed(position.ticket)
        reader = Reader(connection)
        feed.readers[connection] = reader
        connection.chats[position.ticket] = reader
        try:
            await _wait(feed.subscribed)
            async with turns or contextlib.nullcontext():
                page = await self._read_page(connection.person, position, most=min(PAGE_BYTES, HELLO_BYTES // of))
                view = await self._view(page, reader, connection, id=id)
        except BaseException:
            if feed.readers.get(connection) is reader:
                self._leave(feed, connection)
            raise
        reader.epoch, reader.last = page.chat.epoch, page.chat.seq
        feed.begin(page.chat.epoch, page.chat.seq, page.last_id)
        return view, reader

    def check_room(self, connection: Connection, ticket: int | None = None) -> None:
        """Whether the connection may be attached to this (or one more) chat; asked before anything happens to it.

        Raises:
            InvalidCommandError: it has as many as it may have.
        """
        most = CHATS_PER_AGENT if connection.person.staff else CHATS_PER_CUSTOMER
        if ticket not in connection.chats and len(connection.chats) >= most:
            raise InvalidCommandError("This connection is attached to as many chats as it may be: detach one.")

    async def pull(self, connection: Connection, position: Attach) -> Page:
        """The page that the position lacks.

        Raises:
            NotFoundError, UnavailableError: as `attach`.
        """
        page = await self._read_page(connection.person, position, most=PAGE_BYTES)
        view = await self._view(page, None, connection, id=position.id)
        reader = connection.chats.get(position.ticket)
        if page.reset and reader and reader.epoch == page.chat.epoch and reader.last > page.chat.seq:
            # Something was handed on since the page was read: who begins again with it would never get that.
            raise UnavailableError(retry_after_ms=100)
        return view

    def detach(self, connection: Connection, ticket: int) -> None:
        """No more of this chat."""
        feed = self._feeds.get(ticket)
        if feed and connection in feed.readers:
            self._leave(feed, connection)

    def participant(self, connection: Connection, ticket: int) -> Participant | None:
        """Who this connection is in a chat it is attached to."""
        reader = connection.chats.get(ticket)
        return reader.me if reader else None

    def read_to(self, connection: Connection, ticket: int) -> int:
        """The newest entry that this connection was given, or that its page has named."""
        reader = connection.chats.get(ticket)
        return reader.last if reader else 0

    async def _read_page(self, person: Person, position: Attach | Position, *, most: int) -> ChatPage:
        """A page for somebody who may see the chat. A customer's page is never empty only because staff wrote a lot.

        Raises:
            NotFoundError: no such chat, or not for this person; the same answer, after the same reading.
        """
        if position.seq and not position.entry_id:
            raise InvalidCommandError("A position is `epoch`, `seq` and `entry_id`.")
        limit = position.limit if isinstance(position, Attach) else 200
        page = await self._chats.page(
            position.ticket, epoch=position.epoch, seq=position.seq, entry_id=position.entry_id, limit=limit
        )
        if not page.chat.visible_to(person):
            raise NotFoundError
        reset = page.reset
        while not person.staff and page.more and all(for_staff_only(event) for event in page.events):
            page = await self._chats.page(
                position.ticket, epoch=page.chat.epoch, seq=event_seq(page.events[-1]), limit=limit
            )
        return cut(ChatPage(page.chat, reset or page.reset, page.events, page.more), most, staff=person.staff)

    async def _view(self, page: ChatPage, reader: Reader | None, connection: Connection, *, id: int | None) -> Page:
        person, chat = connection.person, page.chat
        me = chat.participant_of(person.id)
        if reader:
            reader.me = me
        state = chat.view(me=me.id if me else None, staff=person.staff)
        if reader and not person.staff and chat.state not in ENDED_STATES.split():
            self._places_of(chat.info.department)  # the chat may come back to the queue
        if chat.state == "queued":
            department = chat.info.department
            told = self._places_of(department) if reader and not person.staff else None
            if told:
                told.expect(chat.ticket)
            places, waiting = await self._queue.places(department, [chat.ticket])
            # Not on the list yet: the chat was opened this instant and is the last of them in a moment.
            place = places.get(chat.ticket, waiting + 1)
            state["queue"] = {"place": place, "waiting": max(waiting, place)}
            if told:
                told.told(chat.ticket, place, max(waiting, place))
        return show(page, person=person, state=state, connection=connection, id=id)

    def _places_of(self, department: str) -> QueuePlaces:
        places = self._places.get(department)
        if places is None:
            places = self._places[department] = QueuePlaces(department, self._queue, self._feeds.get)
            self._topic(department_topic(department)).listeners.append(places)
        return places

    def _feed(self, ticket: int) -> Feed:
        feed = self._feeds.get(ticket)
        if feed is None:
            feed = self._feeds[ticket] = Feed(ticket, self._chats, self.counters)
            feed.on_reset = self._reset  # type: ignore[method-assign]  # the hub knows how a page is shown
            self._channels[chat_key(ticket)] = feed
            self._link.subscribe(chat_key(ticket))
        return feed

    def _leave(self, feed: Feed, connection: Connection) -> None:
        feed.readers.pop(connection, None)
        connection.chats.pop(feed.ticket, None)
        self._close_feed_if_idle(feed)

    def _close_feed_if_idle(self, feed: Feed) -> None:
        if not feed.readers and self._feeds.get(feed.ticket) is feed:
            feed.stop()
            del self._feeds[feed.ticket]
            del self._channels[chat_key(feed.ticket)]
            self._link.unsubscribe(chat_key(feed.ticket))
            for places in self._places.values():
                places.drop(feed.ticket)

    def _reset(self, reader: Reader, page: ChatPage) -> None:
        connection = reader.connection
        me = page.chat.participant_of(connection.person.id)
        reader.me, reader.epoch, reader.last = me, page.chat.epoch, page.chat.seq
        state = page.chat.view(me=me.id if me else None, staff=reader.staff)
        page = cut(ChatPage(page.chat, True, page.events, page.more), PAGE_BYTES, staff=reader.staff)
        connection.offer_frame(show(page, person=connection.person, state=state, connection=connection, id=None))
        if page.chat.state == "queued" and not reader.staff:
            # Its place has to be asked for: an event brings it, once the chat is on the waiting list again.
            self._places_of(page.chat.info.department).tell(page.chat.ticket)

    # -- topics

    async def watch(self, connection: Connection, topic: str, *, id: int) -> None:
        """Sends a snapshot and from then on the topic's events.

        Raises:
            NotFoundError: no such topic, or not for this person.
            UnavailableError: Redis does not answer.
        """
        if not may_watch(connection.person, topic) or connection not in self.roster.connections:
            raise NotFoundError
        feed = self._topic(topic)
        connection.topics.add(topic)
        try:
            await _wait(feed.subscribed)
            await feed.watch(connection, id)
        except BaseException:
            self._unwatch(feed, connection)
            raise

    def unwatch(self, connection: Connection, topic: str) -> None:
        """No more of this topic."""
        feed = self._topics.get(topic)
        if feed:
            self._unwatch(feed, connection)

    def _topic(self, topic: str) -> TopicFeed:
        feed = self._topics.get(topic)
        if feed is None:
            feed = self._topics[topic] = TopicFeed(topic, self._queue)
            self._link.subscribe(topic_channel(topic))
        return feed

    def renew_topics(self) -> None:
        """Redis has lost data: what is shown of every topic begins again."""
        for feed in self._topics.values():
            feed.renewed()

    def _unwatch(self, feed: TopicFeed, connection: Connection) -> None:
        feed.watchers.pop(connection, None)
        connection.topics.discard(feed.topic)
        if feed.idle and self._topics.get(feed.topic) is feed:
            del self._topics[feed.topic]
            self._link.unsubscribe(topic_channel(feed.topic))


def may_watch(person: Person, topic: str) -> bool:
    """Waiting lists are for the department's staff, an agent's chats for that agent."""
    kind, _, name = topic.partition(":")
    if not person.staff or not name:
        return False
    return person.sees_department(name) if kind == "department" else kind == "agent" and name == person.id


async def _wait(subscribed: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(SUBSCRIBE_SECONDS):
            await subscribed.wait()
    except TimeoutError as exc:
        raise UnavailableError(retry_after_ms=1_000) from exc
