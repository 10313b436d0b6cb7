"""What the edge works with, wired once by `chatserver.app`."""

from __future__ import annotations

from dataclasses import dataclass

from chatserver.actions.assigning import Assigning
from chatserver.actions.ending import Ending
from chatserver.actions.messages import Messages
from chatserver.actions.opening import Opening
from chatserver.broker.link import Link
from chatserver.hub.hub import Hub
from chatserver.model.limits import Rate
from chatserver.signing import Signer
from chatserver.stores.chats import Chats
from chatserver.stores.directory import Directory
from chatserver.stores.queue import Queue
from chatserver.stores.secrets import Secrets
from chatserver.web.answers import Answers
from transcripts.masking import Masker
from transcripts.search import Search
from transcripts.store import Store


@dataclass(frozen=True)
class Services:
    """One process' parts."""

    link: Link
    hub: Hub
    chats: Chats
    queue: Queue
    messages: Messages
    opening: Opening
    assigning: Assigning
    ending: Ending
    directory: Directory
    store: Store
    search: Search
    secrets: Secrets
    signer: Signer
    access_key: bytes
    seal_keys: dict[str, bytes]
    customer_rate: Rate
    agent_rate: Rate
    masker: Masker
    answers: Answers
