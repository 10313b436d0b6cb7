"""How many of the chats that were found have which topic, agent and month."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, tzinfo

from transcripts.search.results import Facets

VALUES = 12
"""Of one kind, at most."""

Fact = tuple[int, str | None, str | None]
"""(opened_at, topic, agent's name) of a chat."""


def facets_of(facts: Iterable[Fact], zone: tzinfo, *, more: bool) -> Facets:
    """Counts them; months begin and end in that zone."""
    known = list(facts)
    topics = Counter(topic for _, topic, _ in known if topic)
    agents = Counter(agent for _, _, agent in known if agent)
    months = Counter(f"{datetime.fromtimestamp(opened_at / 1000, zone):%Y-%m}" for opened_at, _, _ in known)
    newest = sorted(months.items(), reverse=True)[:VALUES]
    return Facets(len(known), more, _most(topics), _most(agents), tuple(newest))


def _most(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:VALUES])
