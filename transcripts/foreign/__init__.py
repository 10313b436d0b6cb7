"""Exports of other systems, read as lines of an import (docs/importing.md).

A file may be JSON lines, one JSON document, or pages of an API put one after another. `items_of` finds the chats in it
without looking into them, so that a bad one can be named by its place; a system's `read` makes an `ImportLine` of one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from transcripts.errors import ImportLineError
from transcripts.foreign import chatwoot, intercom, zendesk_chat
from transcripts.import_line import Item, Read, read_line

SYSTEMS: Mapping[str, Read] = {
    "jsonl": read_line,
    "chatwoot": chatwoot.read,
    "zendesk-chat": zendesk_chat.read,
    "intercom": intercom.read,
}
"""What can be imported: our own lines, and the other systems."""

_NOT_JSON = (msgspec.DecodeError, ValueError, RecursionError)
_Given = msgspec.Raw | msgspec.UnsetType


class _Payload(msgspec.Struct):
    payload: list[msgspec.Raw]


class _Page(msgspec.Struct):
    """An answer of an API: Zendesk's `chats`, Intercom's `conversations`, Chatwoot's `data.payload`."""

    chats: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    conversations: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    data: _Payload | msgspec.UnsetType = msgspec.UNSET
    entries: _Given = msgspec.UNSET
    id: _Given = msgspec.UNSET


class _Signs(msgspec.Struct):
    """What tells the systems apart."""

    entries: _Given = msgspec.UNSET
    visitor: _Given = msgspec.UNSET
    conversation_parts: _Given = msgspec.UNSET
    messages: _Given = msgspec.UNSET
    account_id: _Given = msgspec.UNSET


def items_of(data: bytes) -> Iterator[Item]:
    """The chats of a file, in its order.

    Raises:
        ImportLineError: a document that is not JSON as a whole. (A bad line of JSON lines comes as it is.)
    """
    text = data.decode(errors="replace").removeprefix("\ufeff")
    lines = text.split("\n")
    if _is_document(lines, text):
        yield from _items(text, 1)
        return
    for number, line in enumerate(lines, start=1):
        if plain := line.strip():
            yield from _items(plain, number)


def recognise(text: str) -> str:
    """The key in `SYSTEMS` of what this chat is written like; our own form if it is like none."""
    try:
        signs = msgspec.json.decode(text, type=_Signs)
    except _NOT_JSON:
        return "jsonl"
    if signs.entries is not msgspec.UNSET:
        return "jsonl"
    if signs.visitor is not msgspec.UNSET:
        return "zendesk-chat"
    if signs.conversation_parts is not msgspec.UNSET:
        return "intercom"
    if signs.messages is not msgspec.UNSET and signs.account_id is not msgspec.UNSET:
        return "chatwoot"
    return "jsonl"


def _is_document(lines: list[str], text: str) -> bool:
    """Whether the file is one JSON value over several lines."""
    first, second, *_ = [*(line for line in lines if line.strip()), "", ""][:3]
    if _broken(first) is None or _broken(text) is None:
        return _broken(first) is not None
    if not first.lstrip().startswith(("{", "[")) or _broken(second) is None or not second:
        return False
    problem = str(_broken(text))
    place = re.search(r"\(byte (\d+)\)", problem)
    upto = text.encode()[: int(place[1])].count(b"\n") if place else len(text.rstrip().split("\n")) - 1
    raise ImportLineError(upto + 1, "", f"is not JSON: {problem}")


def _broken(text: str) -> Exception | None:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except _NOT_JSON as exc:
        return exc
    return None


def _items(text: str, number: int) -> Iterator[Item]:
    """The chats in one JSON value that begins in this line."""
    try:
        found = _chats_in(text)
    except _NOT_JSON:
        found = None
    if found is None:
        yield Item(number, "", text)
        return
    where, chats = found
    data = text.encode()
    at = 0
    for place, raw in enumerate(chats):
        chat = bytes(raw)
        begins = data.index(chat, at)
        number += data.count(b"\n", at, begins)
        yield Item(number, f"{where}[{place}]", chat.decode())
        at = begins


def _chats_in(text: str) -> tuple[str, list[msgspec.Raw]] | None:
    """Where in this value the chats are, and they; None if it is a chat itself."""
    if text.lstrip().startswith("["):
        return "", msgspec.json.decode(text, type=list[msgspec.Raw])
    page: Any = msgspec.json.decode(text, type=_Page)
    if page.entries is not msgspec.UNSET or page.id is not msgspec.UNSET:
        return None
    for name in ("chats", "conversations"):
        if getattr(page, name) is not msgspec.UNSET:
            return name, getattr(page, name)
    return None if page.data is msgspec.UNSET else ("data.payload", page.data.payload)
