"""Nobody is an erased customer any more: what signs them in stops working, and whoever is connected goes."""

from __future__ import annotations

from collections.abc import Sequence

from chatserver.broker.control import PersonEnded, publishing
from chatserver.broker.link import Link
from chatserver.stores.secrets import Secrets


async def sign_out(link: Link, people: Sequence[str]) -> None:
    """Ends all tokens of these people, in every browser, and their connections to every process.

    Raises:
        UnavailableError: Redis does not answer.
    """
    if people:
        await Secrets(link).revoke(*people)  # first: whose connection ends comes back at once
        await link.calls([publishing(PersonEnded(person)) for person in people])
