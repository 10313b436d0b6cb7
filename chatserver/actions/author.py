"""From whom a command comes, and through which connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chatserver.broker.draft import Draft, Voice
from chatserver.ids import new_id, participant_id
from chatserver.model.person import Participant, Person

MOST_VOICES = 256  # more than a connection can be attached to


@dataclass
class Author:
    """A person at a device.

    Attributes:
        origin: the connection's number in pub/sub.
        gone: the connection has ended.
    """

    person: Person
    device: str
    origin: bytes
    gone: bool = False
    _voices: dict[int, Voice] = field(default_factory=dict, init=False, repr=False, compare=False)

    def voice(self, ticket: int, participant: Participant) -> Voice:
        """What stays the same in their messages in this chat, remembered for as long as they are the same."""
        voice = self._voices.get(ticket)
        if voice is None or voice.participant is not participant:
            if len(self._voices) >= MOST_VOICES:
                self._voices.clear()
            voice = self._voices[ticket] = Voice(ticket, participant, self.device, self.origin)
        return voice

    def participant(self, ticket: int) -> str:
        """Their pseudonym in a chat they are new to."""
        return participant_id(ticket, self.person.id)

    def as_participant(self, ticket: int) -> Participant:
        """Who they are in a chat that they have not attached to; the chat itself decides whether they are in it."""
        return Participant(self.participant(ticket), self.person.id, self.person.chat_role, "", self.person.name)

    def draft(self, ticket: int, kind: str, participant: Participant, n: int, **more: Any) -> Draft:
        """An entry of theirs; `more` are the further fields of `Draft`."""
        return Draft(
            ticket=ticket,
            kind=kind,
            role=participant.role,
            entry_id=new_id(),
            person_id=self.person.id,
            participant=participant.id,
            device=self.device,
            n=n,
            name=participant.name,
            **more,
        )
