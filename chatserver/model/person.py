"""Who is at the other end of a connection, and what a role may do in a chat."""

from __future__ import annotations

from dataclasses import dataclass

STAFF_ROLES = ("agent", "supervisor", "admin")

# Rights in one chat, as the participant's line in Redis and the participants table hold them. `own`: may become and be
# its owner.
CUSTOMER_RIGHTS = "read post close rate"
OWNER_RIGHTS = "read post note close own"
NOTE_RIGHTS = "read note"  # staff of the department beside the owner


@dataclass(frozen=True)
class Department:
    """A group that chats are routed to."""

    id: str
    name: str


@dataclass(frozen=True)
class Person:
    """A signed-in person: a customer (perhaps anonymous) or a member of staff."""

    id: str
    role: str
    name: str | None = None
    departments: tuple[Department, ...] = ()
    session: str = ""  # digest of the sign-in this came from; its end ends the connection

    @property
    def chat_role(self) -> str:
        """The role in a chat they do not own: customers and agents know no administrators."""
        return "supervisor" if self.role == "admin" else self.role

    @property
    def staff(self) -> bool:
        """Whether notes and queues are for them."""
        return self.role in STAFF_ROLES

    def sees_department(self, department: str) -> bool:
        """Agents see their departments, supervisors and admins all."""
        return self.role in ("supervisor", "admin") or any(department == own.id for own in self.departments)


@dataclass(frozen=True)
class Participant:
    """A person in one chat."""

    id: str
    person_id: str
    role: str
    rights: str
    name: str | None = None

    @property
    def speaks(self) -> bool:
        """Whether everybody in the chat knows of them: who only reads and leaves notes stays unseen."""
        return "post" in self.rights.split()

    def line(self) -> str:
        """The value of `p:<person>` in the chat's meta hash: `id role right right …`, and the name in a line of its
        own.
        """
        return f"{self.id} {self.role} {self.rights}\n{self.name or ''}"

    @classmethod
    def from_line(cls, person_id: str, line: str) -> Participant:
        """Reads it back."""
        head, _, name = line.partition("\n")
        id_, role, rights = head.split(" ", 2)
        return cls(id=id_, person_id=person_id, role=role, rights=rights, name=name or None)
