"""Intercom: conversations of its API with their parts (docs/importing.md#intercom)."""

import msgspec

from transcripts.foreign.fields import Id, Seconds, milliseconds, with_attachments
from transcripts.foreign.plain_text import plain_text
from transcripts.import_line import ImportedEntry, ImportedPerson, ImportLine, Role

PUBLIC = (
    "comment",
    "quick_reply",
    "open",
    "close",
    "snoozed",
    "assignment",
    "default_assignment",
    "assign_and_reopen",
)
"""Parts whose text the customer has seen. Any other text (notes, summaries, what comes one day) is for staff only."""

_ROLES: dict[str, Role] = {
    "user": "customer",
    "lead": "customer",
    "contact": "customer",
    "admin": "agent",
    "team": "agent",
    "bot": "bot",
}


class _Author(msgspec.Struct):
    type: str | None = None
    id: Id | None = None
    name: str | None = None
    email: str | None = None


class _Attachment(msgspec.Struct):
    name: str | None = None


class _Part(msgspec.Struct):
    created_at: Seconds
    part_type: str = "comment"
    body: str | None = None
    author: _Author = msgspec.field(default_factory=_Author)
    attachments: list[_Attachment] | None = None


class _Parts(msgspec.Struct):
    conversation_parts: list[_Part]


class _Source(msgspec.Struct):
    """What began the conversation."""

    subject: str | None = None
    body: str | None = None
    author: _Author = msgspec.field(default_factory=_Author)
    attachments: list[_Attachment] | None = None


class _Contact(msgspec.Struct):
    id: str
    external_id: str | None = None  # the site's own id of its customer


class _Contacts(msgspec.Struct):
    contacts: list[_Contact] = []


class _Conversation(msgspec.Struct):
    id: Id
    created_at: Seconds
    conversation_parts: _Parts  # a list of conversations leaves them out: then there is nothing to import
    updated_at: Seconds | None = None
    title: str | None = None
    source: _Source = msgspec.field(default_factory=_Source)
    contacts: _Contacts = msgspec.field(default_factory=_Contacts)
    admin_assignee_id: Id | None = None


_decode = msgspec.json.Decoder(_Conversation).decode


def read(text: str) -> ImportLine:
    """A conversation as a line of an import.

    Raises:
        msgspec.DecodeError: it is none.
    """
    found = _decode(text)
    source = found.source
    first = _Part(created_at=found.created_at, body=source.body, author=source.author, attachments=source.attachments)
    parts = [part for part in (first, *found.conversation_parts.conversation_parts) if part.body or part.attachments]
    return ImportLine(
        external_id=f"intercom:{found.id}",
        topic=plain_text(found.title) or plain_text(source.subject) or None,
        opened_at=milliseconds(found.created_at),
        closed_at=milliseconds(found.updated_at),
        customer=_customer(found.contacts.contacts, parts),
        agent=_agent(found, parts),
        entries=[_entry(part) for part in parts],
    )


def _role(author: _Author) -> Role:
    return _ROLES.get(author.type or "", "system")


def _customer(contacts: list[_Contact], parts: list[_Part]) -> ImportedPerson | None:
    """The conversation's contact; name and email are with what it said."""
    said = next((part.author for part in parts if _role(part.author) == "customer"), None)
    contact = contacts[0] if contacts else None
    own = contact.id if contact else said.id if said else None
    return ImportedPerson(
        id=(contact.external_id if contact else None) or (None if own is None else f"intercom:{own}"),
        name=said.name if said else None,
        email=said.email if said else None,
    )


def _agent(found: _Conversation, parts: list[_Part]) -> ImportedPerson | None:
    """The assignee if it said anything (only then its name is known), otherwise who answered first."""
    agents = [part.author for part in parts if part.author.type == "admin"]
    assigned = [one for one in agents if str(one.id) == str(found.admin_assignee_id)]
    agent = next(iter(assigned + agents), None)
    return ImportedPerson(name=agent.name, email=agent.email) if agent else None


def _entry(part: _Part) -> ImportedEntry:
    role = _role(part.author)
    return ImportedEntry(
        role=role,
        at=milliseconds(part.created_at),
        name=None if role == "customer" else part.author.name,
        text=with_attachments(plain_text(part.body), (one.name for one in part.attachments or ())),
        note=part.part_type not in PUBLIC,
    )
