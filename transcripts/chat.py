"""A chat's row, as the record knows it."""

import msgspec


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """One chat: what its opening said, and what its entries have made of it so far.

    `state` is queued, active, waiting, closing or closed (docs/glossary.md). `owner` is the agent id of the owner,
    `owner_participant` the same person's pseudonym in this chat, `gen` counts the owners. `sealed_seq` and
    `indexed_seq` are how far the seal and the search have come. Times are ms UTC.
    """

    ticket: int
    mode: str
    state: str
    site: str
    department: str | None
    topic: str | None
    order: str | None
    product: str | None
    customer_id: str
    customer_name: str | None
    customer_email: str | None
    verified: bool
    owner: str | None
    owner_participant: str | None
    owner_name: str | None
    gen: int
    opened_at: int
    accepted_at: int | None
    closed_at: int | None
    close_reason: str | None
    rating: int | None
    locale: str | None
    page_url: str | None
    regarding: tuple[int, ...]
    external_id: str | None
    chat_key: str | None
    access_gen: int
    epoch: int
    last_seq: int
    last_public_seq: int
    last_at: int
    sealed_seq: int
    indexed_seq: int

    @property
    def open(self) -> bool:
        """Whether the chat still takes messages."""
        return self.state in {"queued", "active", "waiting"}
