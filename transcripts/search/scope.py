"""Whose chats a search may look at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scope:
    """What the asker may see. Made with one of the three class methods; there is no scope for "whatever is there"."""

    customer_id: str | None
    departments: frozenset[str] | None

    @classmethod
    def staff(cls) -> "Scope":
        """All chats with their notes: supervisors, the command line."""
        return cls(None, None)

    @classmethod
    def of_departments(cls, departments: frozenset[str] | set[str]) -> "Scope":
        """The chats of these departments with their notes: agents."""
        return cls(None, frozenset(departments))

    @classmethod
    def customer(cls, customer_id: str) -> "Scope":
        """One customer's own chats. Nothing of a staff entry can influence the answer."""
        return cls(customer_id, None)

    @property
    def sees_notes(self) -> bool:
        """Whether staff entries are searched too."""
        return self.customer_id is None
