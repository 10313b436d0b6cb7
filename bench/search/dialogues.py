"""Made-up chats that somebody will look for: with slang, typos, names, numbers, small talk, often about two things.

What each is about is kept beside it, so that it can be said which chats answer a question without looking at words.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from bench.search.scenarios import (
    AGENTS,
    CITIES,
    COLOURS,
    FIRST,
    FOREIGN,
    GOODBYES,
    GREETINGS,
    ITEMS,
    LAST,
    SCENARIOS,
    SLANG,
    SMALL_TALK,
    THANKS,
    WELCOMES,
    Scenario,
)
from transcripts.entry import ChatBatch, Entry, Opening
from transcripts.ticket import ticket_of

START = 1_700_000_000_000
_HOUR = 3_600_000


@dataclass
class Dialogue:
    """A chat, and what it is about: `matters` are (number of the scenario, what stood in its gaps)."""

    ticket: int
    opened_at: int
    customer: str
    agent: str
    topic: str
    order: str
    phone: str
    matters: list[tuple[int, dict[str, str]]]
    foreign: int | None = None
    lines: list[tuple[str, str]] = field(default_factory=list)
    """(role, text)."""

    @property
    def text(self) -> str:
        """All that was said."""
        return "\n".join(said for _, said in self.lines)

    def batch(self) -> ChatBatch:
        """As the record takes it."""
        names = {"customer": self.customer, "agent": self.agent}
        entries = [
            Entry(
                **{"ticket": self.ticket, "seq": seq, "prev": seq - 1, "entry_id": f"{self.ticket}-{seq}"},
                **{"at": self.opened_at + seq * 20_000, "kind": "message", "audience": "all", "role": role},
                **{"participant_id": role, "name": names[role], "text": text, "device": role, "n": seq},
            )
            for seq, (role, text) in enumerate(self.lines, start=1)
        ]
        opening = Opening(
            customer_id=f"c-{self.customer}", topic=self.topic, order=self.order, customer_name=self.customer
        )
        return ChatBatch(ticket=self.ticket, epoch=1, opening=opening, entries=tuple(entries))


class Writer:
    """Writes dialogues. The same seed, the same dialogues."""

    def __init__(self, seed: int = 20) -> None:
        self.random = random.Random(seed)

    def dialogues(self, count: int) -> list[Dialogue]:
        """So many, in the order in which they were opened."""
        return [self._dialogue(number) for number in range(count)]

    def _dialogue(self, number: int) -> Dialogue:
        pick = self.random.choice
        # Two matters in a fifth of them; a few are in other languages.
        foreign = self.random.randrange(len(FOREIGN)) if self.random.random() < 0.02 else None
        count = 0 if foreign is not None else 2 if self.random.random() < 0.2 else 1
        matters = [(one, self._gaps()) for one in self.random.sample(range(len(SCENARIOS)), count)]
        made = Dialogue(
            ticket=ticket_of(10_000 + number),
            opened_at=START + number * 5 * _HOUR,
            customer=f"{pick(FIRST)} {pick(LAST)}",
            agent=pick(AGENTS),
            topic=SCENARIOS[matters[0][0]].topic if matters and self.random.random() < 0.8 else "Other",
            order=self._digits(3, 7, 7),
            phone=self._digits(3, 3, 4),
            matters=matters,
            foreign=foreign,
        )
        made.lines = list(self._lines(made))
        return made

    def _gaps(self) -> dict[str, str]:
        pick = self.random.choice
        return {
            "item": pick(ITEMS),
            "colour": pick(COLOURS),
            "city": pick(CITIES),
            "amount": f"${self.random.randrange(5, 400)}.{self.random.choice(('00', '50', '90', '99'))}",
            "tracking": f"{pick('ABCDEFGHJKLM')}{pick('NPQRSTUVWXYZ')}-{self.random.randrange(10**8, 10**9)}",
        }

    def _lines(self, made: Dialogue) -> list[tuple[str, str]]:
        pick = self.random.choice
        if made.foreign is not None:
            (said, answer), *_ = FOREIGN[made.foreign]
            return [("customer", said), ("agent", answer)]
        lines = [("customer", pick(GREETINGS)), ("agent", pick(WELCOMES).format(agent=made.agent))]
        for place, (scenario, gaps) in enumerate(made.matters):
            if place:
                lines.append(("customer", pick(("one more thing", "also,", "and while I have you"))))
            lines += self._matter(SCENARIOS[scenario], gaps)
            for _ in range(self.random.randrange(3)):
                lines.append((pick(("agent", "customer")), pick(SMALL_TALK)))
        if self.random.random() < 0.4:
            lines.append(("customer", pick((f"my order is {made.order}", f"order no {made.order} btw"))))
        if self.random.random() < 0.3:
            lines.append(("customer", f"call me at {made.phone} if needed"))
        return [*lines, ("customer", pick(THANKS)), ("agent", pick(GOODBYES))]

    def _matter(self, scenario: Scenario, gaps: dict[str, str]) -> list[tuple[str, str]]:
        said = self.random.sample(scenario.said, self.random.choice((1, 1, 2)))
        answered = self.random.sample(scenario.answered, self.random.choice((1, 2)))
        lines = [("customer", self._as_typed(line.format(**gaps))) for line in said]
        return lines + [("agent", line.format(**gaps)) for line in answered]

    def _as_typed(self, line: str) -> str:
        """As somebody in a hurry types it: short forms, no capitals, a slip here and there."""
        if self.random.random() < 0.3:
            for word, short in SLANG.items():
                line = line.replace(f" {word} ", f" {short} ")
        if self.random.random() < 0.5:
            line = line.lower()
        words = line.split(" ")
        return " ".join(slip(word, self.random) if self.random.random() < 0.015 else word for word in words)

    def _digits(self, *lengths: int) -> str:
        parts = (f"{self.random.randrange(10 ** (length - 1), 10**length)}" for length in lengths)
        return "-".join(parts)


def slip(word: str, chance: random.Random) -> str:
    """A word with a slip of the finger: a letter left out, doubled, wrong, or two of them swapped."""
    if len(word) < 5 or not word.isalpha():
        return word
    at = chance.randrange(1, len(word) - 1)
    match chance.randrange(4):
        case 0:
            return word[:at] + word[at + 1 :]
        case 1:
            return word[:at] + word[at] + word[at:]
        case 2:
            return word[:at] + chance.choice("aeiounrst") + word[at + 1 :]
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
