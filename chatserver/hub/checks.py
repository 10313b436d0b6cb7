"""Looks whether something was missed without anybody having noticed: each process compares what it has handed on with
what Redis has, for pub/sub promises nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from chatserver.broker.keys import chat_key, routing
from chatserver.broker.link import Link
from chatserver.hub.counters import Counters
from chatserver.hub.feed import Feed
from chatserver.hub.topics import TopicFeed

CHECK_SECONDS = 30
SLICES = 30  # the work is spread over the period
WAY_SECONDS = 1.0  # what Redis has now is here by then

log = structlog.get_logger()


class Checks:
    """Every `seconds`, each feed and topic once."""

    def __init__(
        self,
        feeds: Mapping[int, Feed],
        topics: Mapping[str, TopicFeed],
        counters: Counters,
        *,
        seconds: float = CHECK_SECONDS,
    ) -> None:
        self._feeds, self._topics, self._counters, self._seconds = feeds, topics, counters, seconds

    def start(self, link: Link) -> None:
        """Begins."""
        self._link = link
        self._task = asyncio.create_task(self._compare_all(), name="position check")

    def stop(self) -> None:
        """Ends."""
        self._task.cancel()

    async def _compare_all(self) -> None:
        while True:
            tickets = list(self._feeds)
            for part in range(SLICES):
                for ticket in tickets[part::SLICES]:
                    if feed := self._feeds.get(ticket):
                        self._ask(feed)
                await asyncio.sleep(self._seconds / SLICES)
            self._ask_versions()

    def _ask(self, feed: Feed) -> None:
        known = feed.position
        if known:

            def answered(reply: Any) -> None:
                if not isinstance(reply, Exception):
                    self._compare(feed, known, reply)

            self._link.send((b"HMGET", chat_key(feed.ticket, b":m"), b"epoch", b"seq", b"state"), answered)

    def _compare(self, feed: Feed, known: tuple[int, int], reply: list[bytes | None]) -> None:
        epoch, seq, state = reply
        if epoch is None or seq is None:
            if not feed.over:  # the keys of an ended chat go by themselves
                self._missed(feed)
            return
        feed.over = state == b"closed"
        there = int(epoch), int(seq)
        if there[0] == known[0] and there[1] < known[1]:
            self._missed(feed)  # Redis has lost what it had
        elif there != known:
            # On its way, most likely.
            asyncio.get_running_loop().call_later(WAY_SECONDS, self._compare_later, feed, there)

    def _compare_later(self, feed: Feed, there: tuple[int, int]) -> None:
        if feed.position and (feed.position[0] != there[0] or feed.position[1] < there[1]):
            self._missed(feed)

    def _missed(self, feed: Feed) -> None:
        if self._feeds.get(feed.ticket) is feed:
            self._counters.missed += 1
            log.warning("feed.missed", ticket=feed.ticket)
            feed.refill()

    def _ask_versions(self) -> None:
        feeds = {feed: feed.version for feed in self._topics.values() if feed.version is not None}

        def answered(reply: Any) -> None:
            if isinstance(reply, Exception):
                return
            for (feed, known), found in zip(feeds.items(), reply, strict=True):
                version = int(found or 0)
                if version < (known or 0):
                    self._missed_events(feed)
                elif version != known:
                    asyncio.get_running_loop().call_later(WAY_SECONDS, self._compare_version, feed, version)

        if feeds:
            self._link.send((b"HMGET", routing("ver"), *(feed.topic for feed in feeds)), answered)

    def _compare_version(self, feed: TopicFeed, version: int) -> None:
        if feed.version is not None and feed.version < version:
            self._missed_events(feed)

    def _missed_events(self, feed: TopicFeed) -> None:
        if self._topics.get(feed.topic) is feed:
            self._counters.missed += 1
            log.warning("topic.missed", topic=feed.topic)
            feed.renewed()
