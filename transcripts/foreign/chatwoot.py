"""Chatwoot: a conversation of its API with all its messages (docs/importing.md#chatwoot)."""

from datetime import datetime

import msgspec

from transcripts.foreign.fields import Id, Seconds, joined, milliseconds, with_attachments
from transcripts.import_line import ImportedEntry, ImportedPerson, ImportLine, Role

_ROLES: dict[int, Role] = {0: "customer", 1: "agent", 2: "system", 3: "bot"}
_BOTS = ("agent_bot", "agentbot", "captain_assistant", "captain::assistant")


class _Person(msgspec.Struct):
    """A contact, an agent or a bot."""

    id: Id | None = None
    name: str | None = None
    email: str | None = None
    identifier: str | None = None  # the site's own id of its customer
    type: str | None = None


class _Attachment(msgspec.Struct):
    file_type: str | None = None


class _Message(msgspec.Struct):
    id: int
    message_type: int
    created_at: Seconds | datetime
    content: str | None = None
    private: bool | None = None
    sender: _Person | None = None
    sender_type: str | None = None
    attachments: list[_Attachment] | None = None


class _Team(msgspec.Struct):
    name: str | None = None


class _Meta(msgspec.Struct):
    sender: _Person | None = None
    assignee: _Person | None = None
    team: _Team | None = None


class _Conversation(msgspec.Struct):
    id: int
    account_id: int
    messages: list[_Message]
    meta: _Meta = msgspec.field(default_factory=_Meta)
    created_at: Seconds | datetime | None = None
    last_activity_at: Seconds | datetime | None = None
    labels: list[str] | None = None


_decode = msgspec.json.Decoder(_Conversation).decode


def read(text: str) -> ImportLine:
    """A conversation as a line of an import.

    Raises:
        msgspec.DecodeError: it is none.
    """
    found = _decode(text)
    contact, agent = found.meta.sender, found.meta.assignee
    return ImportLine(
        # A conversation's number counts in its account.
        external_id=f"chatwoot:{found.account_id}:{found.id}",
        topic=joined(found.labels),
        department=found.meta.team.name if found.meta.team else None,
        opened_at=milliseconds(found.created_at),
        closed_at=milliseconds(found.last_activity_at),
        customer=_customer(contact, found.account_id) if contact else None,
        agent=ImportedPerson(name=agent.name, email=agent.email) if agent else None,
        # Pages of messages come newest page first; a message's number tells the order.
        entries=[_entry(message) for message in sorted(found.messages, key=lambda one: one.id)],
    )


def _customer(contact: _Person, account: int) -> ImportedPerson:
    own = None if contact.id is None else f"chatwoot:{account}:{contact.id}"
    return ImportedPerson(id=contact.identifier or own, name=contact.name, email=contact.email)


def _entry(message: _Message) -> ImportedEntry:
    sender = message.sender
    kind = (message.sender_type or (sender.type if sender else None) or "").lower()
    return ImportedEntry(
        # What Chatwoot may call its messages one day must not pass for the customer's or the agent's words.
        role="bot" if kind in _BOTS else _ROLES.get(message.message_type, "system"),
        at=milliseconds(message.created_at),
        name=sender.name if sender else None,
        text=with_attachments(message.content, (one.file_type for one in message.attachments or ())),
        note=bool(message.private),
    )
