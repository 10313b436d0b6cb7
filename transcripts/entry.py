"""What the writer of the record hands over: entries, and what the chat's row needs beside them.

These are the types between the hub (or an import) and the store. They are plain values: no SQL, no rules.
"""

from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # holds nothing that could hold it
    """One numbered line of a chat's log, as protocol.md shows it.

    `at` is ms UTC and never smaller than that of the entry before. `prev` is the number of the previous entry that
    everybody may see (0: none). `n` and `device` name the command it came from; None for what the server did itself.
    `keep` holds the kinds the author asked not to mask, `masked` the kinds that were masked. `erased_at` is set by the
    store when the body was lawfully erased; `name`, `text` and `data` are None then.
    """

    ticket: int
    seq: int
    prev: int
    entry_id: str
    at: int
    kind: str
    audience: str  # 'all' | 'staff'
    role: str  # 'customer' | 'agent' | 'supervisor' | 'bot' | 'system'
    participant_id: str
    name: str | None = None
    text: str | None = None
    data: dict[str, Any] | None = None
    device: str | None = None
    n: int | None = None
    keep: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    erased_at: int | None = None


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """What the chat's row needs and the entries do not say. Given with the first batch of a chat."""

    customer_id: str
    site: str = "default"
    department: str | None = None
    topic: str | None = None
    order: str | None = None
    product: str | None = None
    locale: str | None = None
    page_url: str | None = None
    regarding: tuple[int, ...] = ()
    chat_key: str | None = None
    mode: str = "live"  # 'live' | 'mail'
    access_gen: int = 0
    customer_name: str | None = None
    customer_email: str | None = None
    verified: bool = False
    external_id: str | None = None


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """A person or bot in one chat. `participant_id` is a pseudonym that never changes; `person_id` is whom it stands
    for.

    `rights` are words separated by spaces. `person_id` is a customer id or an agent id, depending on `role`.
    """

    participant_id: str
    role: str
    person_id: str | None = None
    name: str | None = None
    rights: str = ""
    joined_at: int = 0
    left_at: int | None = None


class ChatBatch(msgspec.Struct, frozen=True, kw_only=True):
    """What is new of one chat: its next entries in order, changed participants, read markers {participant_id: seq}.

    `epoch` is the writer's right to write: it must be the one of the chat's row. `opening` is needed as long as the
    chat may be unknown to the database; it is ignored afterwards.
    """

    ticket: int
    epoch: int
    opening: Opening | None = None
    entries: tuple[Entry, ...] = ()
    participants: tuple[Participant, ...] = ()
    reads: dict[str, int] = {}
