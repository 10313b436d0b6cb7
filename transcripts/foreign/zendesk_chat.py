"""Zendesk Chat: chats and offline messages of its Chat API (docs/importing.md#zendesk-chat)."""

from datetime import datetime, timedelta

import msgspec

from transcripts.foreign.fields import Id, joined, milliseconds, with_attachments
from transcripts.import_line import ImportedEntry, ImportedPerson, ImportLine, Role

SAID = ("chat.msg", "chat.file", "chat.triggered")
"""What somebody said. The rest of a history is who came, waited, rated, and so on."""

_ROLES: dict[str, Role] = {
    "visitor": "customer",
    "agent": "agent",
    "trigger": "bot",
    "bot": "bot",
    "answerbot": "bot",
}


class _Visitor(msgspec.Struct):
    id: Id | None = None
    name: str | None = None
    email: str | None = None


class _Attachment(msgspec.Struct):
    name: str | None = None


class _Event(msgspec.Struct):
    type: str
    timestamp: datetime
    name: str | None = None
    msg: str | None = None
    nick: str | None = None
    sender_type: str | None = None
    agent_id: Id | None = None
    attachment: _Attachment | None = None


class _Chat(msgspec.Struct):
    id: str
    timestamp: datetime
    visitor: _Visitor
    type: str = "chat"
    message: str | None = None  # of an offline message
    history: list[_Event] | None = None
    end_timestamp: datetime | None = None
    duration: int | None = None  # seconds
    department_name: str | None = None
    agent_names: list[str] | None = None
    tags: list[str] | None = None


_decode = msgspec.json.Decoder(_Chat).decode


def read(text: str) -> ImportLine:
    """A chat or an offline message as a line of an import.

    Raises:
        msgspec.DecodeError: it is none.
    """
    chat = _decode(text)
    visitor = chat.visitor
    if chat.type != "offline_msg" and chat.history is None:
        # The API leaves histories out unless they are asked for; a chat without its words is no transcript.
        raise msgspec.ValidationError("Object missing required field `history`")
    said = [event for event in chat.history or () if event.type in SAID]
    entries = [_entry(event, visitor) for event in said]
    if chat.message:
        entries.insert(0, ImportedEntry(role="customer", at=milliseconds(chat.timestamp), text=chat.message))
    return ImportLine(
        external_id=f"zendesk-chat:{chat.id}",
        topic=joined(chat.tags),
        department=chat.department_name,
        opened_at=milliseconds(chat.timestamp),
        closed_at=milliseconds(chat.end_timestamp or _ended(chat)),
        customer=ImportedPerson(
            id=None if visitor.id is None else f"zendesk-chat:{visitor.id}",
            name=visitor.name,
            email=visitor.email or None,
        ),
        agent=ImportedPerson(name=chat.agent_names[0]) if chat.agent_names else None,
        entries=entries,
    )


def _ended(chat: _Chat) -> datetime | None:
    try:
        return None if chat.duration is None else chat.timestamp + timedelta(seconds=chat.duration)
    except OverflowError:
        return None


def _entry(event: _Event, visitor: _Visitor) -> ImportedEntry:
    role = _role(event, visitor)
    files = [event.attachment.name if event.attachment else None] if event.type == "chat.file" else []
    return ImportedEntry(
        role=role,
        at=milliseconds(event.timestamp),
        name=None if role == "customer" else event.name,
        text=with_attachments(event.msg, files),
    )


def _role(event: _Event, visitor: _Visitor) -> Role:
    """Who said it: by `sender_type` where there is one, by the nickname's first word, by the name."""
    for word in (event.sender_type or "", (event.nick or "").partition(":")[0]):
        if role := _ROLES.get(word.lower()):
            return role
    if event.type == "chat.triggered":
        return "bot"
    if event.agent_id is not None:
        return "agent"
    return "customer" if event.name and event.name == visitor.name else "system"
