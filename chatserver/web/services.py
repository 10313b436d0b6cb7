"""What the edge works with, wired once by `chatserver.app`."""

from __future__ import annotations

from dataclasses import dataclass

from transcripts.search import Search

from chatserver.actions.lifecycle import Lifecycle
from chatserver.actions.messages import Messages
from chatserver.broker.link import Link
from chatserver.hub.hub import Hub
from chatserver.model.limits import Rate
from chatserver.signing import Signer
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.queue import Queue
from chatserver.stores.secrets import Secrets
from transcripts.store import Store


@dataclass(frozen=True)
class Services:
    """One process' parts."""

    link: Link
    hub: Hub
    chats: Chats
    queue: Queue
    messages: Messages
    lifecycle: Lifecycle
    directory: Directory
    store: Store
    search: Search
    secrets: Secrets
    signer: Signer
    access_key: bytes
    seal_keys: dict[str, bytes]
    customer_rate: Rate
    agent_rate: Rate
