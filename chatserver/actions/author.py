"""From whom a command comes, and through which connection."""

from __future__ import annotations

from dataclasses import dataclass

from chatserver.ids import participant_id
from chatserver.model.person import Participant, Person


@dataclass(frozen=True)
class Author:
    """A person at a device; `origin` is the connection's number in pub/sub."""

    person: Person
    device: str
    origin: bytes

    def participant(self, ticket: int) -> str:
        """Their pseudonym in a chat they are new to."""
        return participant_id(ticket, self.person.id)

    def as_participant(self, ticket: int) -> Participant:
        """Who they are in a chat that they have not attached to; the chat itself decides whether they are in it."""
        return Participant(self.participant(ticket), self.person.id, self.person.chat_role, "", self.person.name)
