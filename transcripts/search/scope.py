"""Whose chats a search may look at."""

from collections.abc import Iterable
from dataclasses import dataclass

from transcripts.chat import Chat


@dataclass(frozen=True)
class Scope:
    """What the asker may see. Made with one of the three class methods; there is no scope for "whatever is there".

    Written the same way in every process (so no sets): cursors are tied to it.
    """

    customers: tuple[str, ...] | None
    departments: tuple[str, ...] | None

    @classmethod
    def staff(cls) -> "Scope":
        """All chats with their notes: supervisors, the command line."""
        return cls(None, None)

    @classmethod
    def of_departments(cls, departments: Iterable[str]) -> "Scope":
        """The chats of these departments with their notes: agents."""
        return cls(None, tuple(sorted(set(departments))))

    @classmethod
    def customer(cls, *ids: str) -> "Scope":
        """The own chats of one customer, who may be known by several ids. Nothing of a staff entry can influence the
        answer.
        """
        return cls(tuple(sorted(set(ids))), None)

    @property
    def sees_notes(self) -> bool:
        """Whether staff entries are searched too."""
        return self.customers is None

    def has(self, chat: Chat) -> bool:
        """Whether the chat is one of these."""
        own = self.customers is None or chat.customer_id in self.customers
        return own and (self.departments is None or chat.department in self.departments)
