"""A chat as its meta hash in Redis has it, and what follows from its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from chatserver.model.person import Participant, Person

OPEN_STATES = "queued active waiting"
ENDED_STATES = "closing closed"
ANY_STATE = f"{OPEN_STATES} {ENDED_STATES}"


class ChatInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was said when the chat was opened; one value in the meta hash, and the persister's source for the chats
    row.
    """

    customer_id: str
    site: str
    department: str
    department_name: str
    chat_key: str
    topic: str | None = None
    order: str | None = None
    product: str | None = None
    locale: str | None = None
    page_url: str | None = None
    regarding: tuple[int, ...] = ()
    mode: str = "live"
    access_gen: int = 0
    customer_name: str | None = None
    customer_email: str | None = None
    verified: bool = False


encode_info = msgspec.msgpack.Encoder().encode
decode_info = msgspec.msgpack.Decoder(ChatInfo).decode


@dataclass(frozen=True)
class LiveChat:
    """The chat's meta hash, read."""

    ticket: int
    epoch: int
    seq: int
    pub: int
    state: str
    gen: int
    owner: str
    durable: int
    info: ChatInfo
    opened_at: int
    accepted_at: int | None = None
    closed_at: int | None = None
    close_reason: str | None = None
    rating: int | None = None
    reads_version: str = "0"
    participants: tuple[Participant, ...] = ()
    reads: Mapping[str, int] = field(default_factory=dict)
    last_n: Mapping[str, int] = field(default_factory=dict)  # by "participant:device"

    @classmethod
    def from_meta(cls, ticket: int, flat: list[bytes]) -> LiveChat:
        """From the flat list of `HGETALL`."""
        meta = {flat[i]: flat[i + 1] for i in range(0, len(flat), 2)}

        def number(name: bytes) -> int | None:
            value = meta.get(name)
            return int(value) if value else None

        return cls(
            ticket=ticket,
            epoch=int(meta[b"epoch"]),
            seq=int(meta[b"seq"]),
            pub=int(meta[b"pub"]),
            state=meta[b"state"].decode(),
            gen=int(meta.get(b"gen", b"0")),
            owner=meta.get(b"owner", b"").decode(),
            durable=int(meta.get(b"pseq", b"0")),
            info=decode_info(meta[b"info"]),
            opened_at=number(b"opened_at") or 0,
            accepted_at=number(b"accepted_at"),
            closed_at=number(b"closed_at"),
            close_reason=meta[b"close_reason"].decode() if meta.get(b"close_reason") else None,
            rating=number(b"rating"),
            reads_version=meta.get(b"rv", b"0").decode(),
            participants=tuple(
                Participant.from_line(name[2:].decode(), line.decode())
                for name, line in meta.items()
                if name.startswith(b"p:")
            ),
            reads={name[2:].decode(): int(seq) for name, seq in meta.items() if name.startswith(b"r:")},
            last_n={
                name[2:].decode(): int.from_bytes(window[:4], "big")
                for name, window in meta.items()
                if name.startswith(b"w:")
            },
        )

    def participant_of(self, person_id: str) -> Participant | None:
        """This person's place in the chat."""
        return next((one for one in self.participants if one.person_id == person_id), None)

    def visible_to(self, person: Person) -> bool:
        """For its participants; for staff also by department."""
        return bool(self.participant_of(person.id)) or (person.staff and person.sees_department(self.info.department))

    def owner_participant(self) -> Participant | None:
        """The agent who owns it."""
        return next((one for one in self.participants if one.id == self.owner), None) if self.owner else None

    def reads_for(self, *, staff: bool) -> dict[str, int]:
        """How far each has read, as far as the reader may know of them."""
        unseen = () if staff else {one.id for one in self.participants if not one.speaks}
        return {participant: seq for participant, seq in self.reads.items() if participant not in unseen}

    def view(self, *, me: str | None, staff: bool) -> dict[str, Any]:
        """`state` of a page (docs/protocol.md), for one reader; `queue` is added by who knows it."""
        owner, info = self.owner_participant(), self.info
        fields: dict[str, Any] = {
            "state": self.state,
            "mode": info.mode,
            "topic": info.topic,
            "department": {"id": info.department, "name": info.department_name},
            "order": info.order,
            "product": info.product,
            "customer_name": info.customer_name,
            "me": me,
            "owner": {"participant": owner.id, "name": owner.name} if owner else None,
            "opened_at": self.opened_at,
            "accepted_at": self.accepted_at,
            "closed_at": self.closed_at,
            "close_reason": self.close_reason,
            "rating": self.rating,
            "participants": [_shown(one) for one in self.participants if staff or one.speaks],
            "durable": self.durable,
        }
        if staff:
            fields |= {"gen": self.gen, "verified": info.verified, "page_url": info.page_url, "locale": info.locale}
        return {name: value for name, value in fields.items() if value is not None}


def _shown(one: Participant) -> dict[str, str]:
    fields = {"participant": one.id, "role": one.role, "name": one.name}
    return {name: value for name, value in fields.items() if value is not None}


def queue_item(ticket: int, since: int, info: ChatInfo, preview: str | None) -> dict[str, Any]:
    """A chat as queues and lists show it (docs/protocol.md, `item`)."""
    fields = {
        "ticket": ticket,
        "since": since,
        "name": info.customer_name,
        "topic": info.topic,
        "order": info.order,
        "department": info.department,
        "preview": preview[:140] if preview else None,
        "verified": info.verified,
    }
    return {name: value for name, value in fields.items() if value is not None}
