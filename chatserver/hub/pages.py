"""A part of a chat's log on its way to one person: what they may see of it, and no more than goes out at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chatserver.broker.event import for_staff_only
from chatserver.hub.connection import Connection
from chatserver.model.person import Person
from chatserver.stores.chats import ChatPage
from chatserver.wire.frames import Page

PAGE_BYTES = 128 * 1024  # 200 entries of the usual size
HELLO_BYTES = 512 * 1024  # for all pages of a welcome together


def cut(page: ChatPage, most: int, *, staff: bool) -> ChatPage:
    """The beginning of the page that has `most` bytes or a little more; at least one entry that the reader may see,
    so that asking on always leads on.
    """
    size, seen = 0, False
    for count, event in enumerate(page.events, 1):
        size += len(event)
        seen = seen or staff or not for_staff_only(event)
        if size >= most and seen and count < len(page.events):
            return replace(page, events=page.events[:count], more=True)
    return page


def show(page: ChatPage, *, person: Person, state: dict[str, Any], connection: Connection, id: int | None) -> Page:
    """A page as this person may see it."""
    staff, codec = person.staff, connection.codec
    return Page(
        id=id,
        ticket=page.chat.ticket,
        ok=None if page.reset else True,
        reset=True if page.reset else None,
        epoch=page.chat.epoch,
        top=page.chat.seq if staff else page.chat.pub,
        state=state,
        reads=page.chat.reads_for(staff=staff),
        entries=[codec.embed(event) for event in page.events if staff or not for_staff_only(event)],
        more=page.more,
    )
